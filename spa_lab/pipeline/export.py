"""`spa-lab export`: the episodes of a run as files of other tools, and as rows of tokens for a trainer."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spa_lab.advantages import on_tokens, step_gae
from spa_lab.exporters import FORMATS, Episode, episodes_of, export
from spa_lab.exporters.episodes import Record
from spa_lab.exporters.formats import write_parquet
from spa_lab.store import Run
from spa_lab.store.files import write_text

if TYPE_CHECKING:
    from spa_lab.agent.codec import Codec, TokenRow

TOKENS = "tokens"
"""Rows of tokens, which need a tokenizer and a credit source."""


def export_run(
    run: Path,
    to: str,
    out: Path,
    *,
    names: tuple[str, ...] = (),
    gamma: float = 1.0,
    lam: float = 1.0,
    model: str | None = None,
    source: str | None = None,
) -> str:
    """Write the episodes of a run.

    Args:
        run: folder of the run.
        to: key of `exporters.FORMATS`, or "tokens": JSON lines, or parquet if `out` ends so.
        out: the file or folder.
        names: of files of trajectories; all if empty.
        gamma: discount per step of the advantages.
        lam: trace decay per step of the advantages.
        model: for "tokens": a model of the run, or a folder with a tokenizer.
        source: for "tokens": whose contributions become advantages.

    Returns:
        What was written.

    Raises:
        ValueError: an unknown format, a missing library, gamma or lam not in [0, 1]; no model or source for
            "tokens", or one for another format, which would not read it.
        StoreError: the run cannot be read, or the disk refused.
    """
    _check_shares(gamma=gamma, lam=lam)
    opened = Run.open(run)
    episodes = episodes_of(opened, names)
    if to != TOKENS:
        if model is not None or source is not None:
            raise ValueError(
                f"--model and --source are of rows of tokens, got --to {to}: it holds all sources"
            )
        n = export(episodes, out, to, decay=gamma * lam)
        return f"{n} episodes in {out}: {FORMATS[to]}"
    if model is None or source is None:
        raise ValueError("rows of tokens need a tokenizer and a credit source: --model NAME --source NAME")
    rows = _rows(opened, episodes, model, source, gamma=gamma, lam=lam)
    if out.suffix == ".parquet":
        write_parquet(rows, out)
    else:
        write_text(out, "".join(json.dumps(row) + "\n" for row in rows))
    n = sum(row["sampled"] for row in rows)
    return f"{len(rows)} episodes in {out}: rows of tokens, of {n} as they were sampled"


def _rows(
    run: Run, episodes: Iterable[Episode], model: str, source: str, *, gamma: float, lam: float
) -> list[Record]:
    """`token_rows` of a run, at least one."""
    from spa_lab.pipeline.sampled_tokens import sampled_rows

    codec, sampled = _codec(run, model), sampled_rows(run)
    rows = list(token_rows(episodes, codec, source, gamma=gamma, lam=lam, sampled=sampled))
    if not rows:
        sources = ", ".join(run.credits()) or "none"
        raise ValueError(f"{run.path}: no trajectory with a credit by {source!r}; sources: {sources}")
    return rows


def _check_shares(**shares: float) -> None:
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ValueError(f"{name}: expected a number from 0 to 1, got {share}")


def token_rows(
    episodes: Iterable[Episode],
    codec: "Codec",
    source: str,
    *,
    gamma: float,
    lam: float,
    sampled: "Mapping[str, TokenRow] | None" = None,
) -> Iterator[Record]:
    """Rows for a trainer such as TRL or verl; episodes without a credit by the source are left out.

    Args:
        episodes: of a run.
        codec: encodes their texts, unless their tokens are known.
        source: of the contributions.
        gamma: discount per step.
        lam: trace decay per step.
        sampled: trajectory id -> the tokens that it was sampled as.

    Fields:
        id, task_id, outcome: of the episode; `task_id` is the group.
        sampled: whether the tokens are those that were sampled; else its text was encoded.
        prompt_ids: tokens before the agent's first.
        completion_ids, completion_mask: (L,) the tokens after them, and 1 where the agent wrote them.
        step: (L,) index of the step, -1 where the agent did not write.
        rewards: (L,) each contribution on the last token of its step.
        advantages: (L,) sum_k (gamma lambda)^(k-t) c_k on every token of step t, 0 where the agent did not
            write: GAE over steps with a critic of 0, before any normalisation.
    """
    for episode in episodes:
        if source not in episode.credits:
            continue
        trajectory, contributions = episode.trajectory, episode.credits[source].contributions
        known = (sampled or {}).get(trajectory.id)
        row = codec.row(trajectory) if known is None else codec.closed(known)
        step = np.array(row.step)
        n_prompt = int(np.argmax(step >= 0))
        advantages = step_gae(contributions, np.zeros(len(step)), step, gamma=gamma, lam=lam)
        ends = len(step) - 1 - np.unique(step[::-1], return_index=True)[1]
        rewards = np.zeros(len(step))
        rewards[ends[-len(trajectory) :]] = contributions
        written = on_tokens(np.ones(len(trajectory)), step)
        yield {
            "id": trajectory.id, "task_id": trajectory.task_id, "outcome": trajectory.outcome,
            "sampled": known is not None,
            "prompt_ids": list(row.ids[:n_prompt]), "completion_ids": list(row.ids[n_prompt:]),
            "completion_mask": written[n_prompt:].astype(int).tolist(), "step": step[n_prompt:].tolist(),
            "rewards": rewards[n_prompt:].tolist(), "advantages": advantages[n_prompt:].tolist(),
        }  # fmt: skip


def _codec(run: Run, model: str) -> "Codec":
    """The codec of a model of the run, with the run's manual and prompt; or that of a folder."""
    if model in run.names("models") and "preset" in run.config:
        from spa_lab.pipeline.experiment import Experiment

        return Experiment.open(run).codec(model)
    from transformers import AutoTokenizer

    from spa_lab.agent.codec import Codec

    folder = run.model(model) if model in run.names("models") else Path(model)
    if not folder.is_dir():
        models = ", ".join(run.names("models")) or "none"
        raise ValueError(f"no model {model!r}: neither a folder nor a model of the run ({models})")
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder}: cannot load a tokenizer: {error}") from error
    return Codec(tokenizer)
