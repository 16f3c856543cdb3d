"""The tokens that explorations were sampled as, kept beside their text.

The text of a step, encoded again, can be other tokens than were sampled; a large tokenizer does this often.
The files lie in `tokens/` of a run, first one for each wave, then one for all.
"""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from spa_lab.agent.codec import TokenRow
from spa_lab.store import Run
from spa_lab.store.files import disk, remove
from spa_lab.store.lines import Record, read_lines, write_lines
from spa_lab.store.run import SAMPLED
from spa_lab.types import Trajectory

_HOLDS = "tokens"


def save_wave(run: Run, wave: int, rows: Sequence[TokenRow]) -> None:
    """Write the rows of one wave; raises StoreError if the disk refuses."""
    write_lines(_waves(run) / f"{wave:05d}.jsonl", {"holds": _HOLDS}, map(_encode, rows))


def merge_waves(run: Run) -> None:
    """One file of all waves, sorted by trajectory; raises StoreError if the disk refuses.

    The waves stay until `remove_waves`: an attempt that is killed in between merges them again.
    """
    files = sorted(_waves(run).glob("*.jsonl"))
    rows = [row for file in files for row in read_lines(file, _HOLDS, _decode)]
    rows.sort(key=lambda row: row.trajectory_id)
    write_lines(_merged(run), {"holds": _HOLDS}, map(_encode, rows))


def remove_waves(run: Run) -> None:
    """Delete the files of single waves; raises StoreError if the disk refuses."""
    with disk(_waves(run), "delete"):
        remove(_waves(run))


def rows_of(run: Run, trajectories: Sequence[Trajectory]) -> list[TokenRow] | None:
    """The rows of explorations, in their order; None if the run kept no tokens.

    Raises:
        ValueError: the file is broken, or lacks a trajectory.
    """
    if not _merged(run).is_file():
        return None
    rows = sampled_rows(run)
    for trajectory in trajectories:
        if trajectory.id not in rows:
            raise ValueError(f"{_merged(run)}: no tokens of trajectory {trajectory.id!r}")
    return [rows[trajectory.id] for trajectory in trajectories]


def sampled_rows(run: Run) -> dict[str, TokenRow]:
    """Trajectory id -> its tokens, of all explorations; empty if the run kept none.

    Raises:
        ValueError: the file is broken.
    """
    file = _merged(run)
    if not file.is_file():
        return {}
    return {row.trajectory_id: row for row in read_lines(file, _HOLDS, _decode)}


def _merged(run: Run) -> Path:
    return run.path / "tokens" / f"{SAMPLED}.jsonl"


def _waves(run: Run) -> Path:
    return run.path / "tokens" / SAMPLED


def _encode(row: TokenRow) -> Record:
    """Runs of tokens of one step as [step, number of tokens]."""
    runs = [[step, len(list(same))] for step, same in groupby(row.step)]
    return {"trajectory": row.trajectory_id, "ids": list(row.ids), "steps": runs}


def _decode(record: Record) -> TokenRow:
    try:
        steps = tuple(step for step, n in record["steps"] for _ in range(n))
        row = TokenRow(str(record["trajectory"]), tuple(map(int, record["ids"])), steps)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not the tokens of a trajectory: {error!r:.80}") from None
    if len(row.ids) != len(row.step):
        raise ValueError(f"{row.trajectory_id!r}: {len(row.ids)} tokens, but steps of {len(row.step)}")
    return row
