"""`spa-lab annotate` and `spa-lab labels`: a judge's numbers into a run, and credit against labels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spa_lab.credit.label_scores import label_scoreboard, render_labels
from spa_lab.credit.methods import CreditMethod
from spa_lab.importers.scores import read_scores
from spa_lab.rewards import MODEL_FREE
from spa_lab.store import Run, writing
from spa_lab.types import Credit, Labels, Trajectory

BOARD = "labels"
"""Name of the scoreboard among the results."""


def annotate(run: Path | Run, file: Path, *, source: str | None = None, as_labels: bool = False) -> str:
    """Add the numbers of a file to a run, as credit of its trajectories or as labels of their steps.

    Args:
        run: the run, or its folder.
        file: see `importers.scores`.
        source: who gave them; what the file says if None.
        as_labels: below 0 harmful, above 0 helpful; else contributions.

    Returns:
        What came in, and what it replaced: a file of one name by one source replaces the earlier one.

    Raises:
        ValueError: as `importers.scores.read_scores`, or a step has no contribution.
        StoreError: the file or the run cannot be read or written.
    """
    opened = run if isinstance(run, Run) else Run.open(run)
    with writing(opened.path):
        lengths = {trajectory.id: len(trajectory) for trajectory in _trajectories(opened)}
        scores = read_scores(file, lengths, source)
        sources = dict.fromkeys(one.source for one in scores)
        name = _file_name(file, list(sources))
        earlier = _scored(opened, name, as_labels)
        if as_labels:
            opened.save_labels(name, [one.labels() for one in scores])
        else:
            opened.save_credits(name, [one.credit() for one in scores])
    what = "labels" if as_labels else "credit"
    scored = {one.trajectory_id for one in scores}
    told = f"{what} by {', '.join(sources)}: {len(scored)} of {len(lengths)} trajectories of {opened.path}"
    gone = len(earlier - scored)
    return told + (
        f"; it replaces an earlier {file.name}, whose numbers of {gone} more are gone" if gone else ""
    )


def labels(run: Path | Run, *, seed: int = 0) -> str:
    """Score the credit in a run against its labels; the table is kept as the result "labels".

    The credits terminal and mean, which need no model, are scored, too, where the outcome is known.

    Args:
        run: the run, or its folder.
        seed: of the bootstrap.

    Returns:
        The scoreboard as text.

    Raises:
        ValueError: the run has no labels.
        StoreError: the run cannot be read or written.
    """
    opened = run if isinstance(run, Run) else Run.open(run)
    given = opened.labels()
    if not given:
        raise ValueError(f"{opened.path}: no labels; add them with: spa-lab annotate RUN FILE --labels")
    labelled = {one.trajectory_id for one in given}
    trajectories = [one for one in _trajectories(opened) if one.id in labelled]
    credits = [one for by_id in opened.credits().values() for one in by_id.values()]
    shown = [one for one in credits if one.trajectory_id in labelled]
    known = [one for one in trajectories if one.outcome is not None]
    there = opened.credits()
    shown += [
        make(trajectory)
        for name, make in MODEL_FREE.items()
        for trajectory in known
        if trajectory.id not in there.get(name, {})
    ]
    table = label_scoreboard(trajectories, shown, given, rng=np.random.default_rng(seed))
    with writing(opened.path):
        opened.save_results(BOARD, table.to_dict("records"), result="labels")
    return render_labels(table)


def recorded_scores(path: str) -> CreditMethod:
    """The credit method of a file of scores, for `--source file:PATH`.

    Raises:
        ValueError: there is no such file; when it is called: the file has no scores for one of the
            trajectories (names it).
    """
    file = Path(path)
    if not file.is_file():
        raise ValueError(f"{file}: no such file of scores")
    source = file.name.partition(".")[0]

    def assign(trajectories: Sequence[Trajectory]) -> list[Credit]:
        scores = read_scores(file, {one.id: len(one) for one in trajectories}, source)
        by_id = {one.trajectory_id: one.credit() for one in scores}
        missing = [one.id for one in trajectories if one.id not in by_id]
        if missing:
            raise ValueError(
                f"{file}: no scores for {len(missing)} of {len(trajectories)} trajectories, "
                f"the first is {missing[0]!r}"
            )
        return [by_id[one.id] for one in trajectories]

    return CreditMethod(source, f"numbers in {file.name}", assign)


def _file_name(file: Path, sources: Sequence[str]) -> str:
    """The same file by the same sources replaces itself, and nobody else's numbers."""
    name = f"file-{file.name}-{'+'.join(sources)}"
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-+") else "-" for c in name)[:120]


def _scored(run: Run, name: str, as_labels: bool) -> set[str]:
    """Ids of the trajectories of which a file of this name gave numbers."""
    if name not in run.names("labels" if as_labels else "credits"):
        return set()
    found: Sequence[Labels | Credit] = run.load_labels(name) if as_labels else run.load_credits(name)
    return {one.trajectory_id for one in found}


def _trajectories(run: Run) -> list[Trajectory]:
    return [trajectory for name in run.names("trajectories") for trajectory in run.load_trajectories(name)]
