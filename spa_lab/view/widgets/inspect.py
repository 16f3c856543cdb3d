"""`spa_lab.inspect`: open a run, a file or trajectories in the inspector."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from spa_lab.importers import ImportOptions, read_log
from spa_lab.store import Run, StoreError
from spa_lab.store.lines import read_lines
from spa_lab.store.records import decode_trajectory
from spa_lab.types import Credit, Labels, Trajectory, ValueTruth
from spa_lab.view.notes import Notes
from spa_lab.view.tables.annotations import RunAnnotations
from spa_lab.view.tables.collection import Collection
from spa_lab.view.widgets.inspector import Inspector
from spa_lab.view.widgets.selection import Selection


def inspect(
    what: Run | Path | str | Trajectory | Sequence[Any] | Collection | Any,
    *,
    credits: Sequence[Credit] = (),
    truths: Sequence[ValueTruth] = (),
    labels: Sequence[Labels] = (),
    kinds: Mapping[str, str] | None = None,
    selection: Selection | None = None,
    sources: Sequence[str] | None = None,
    beside: Any = None,
    notes: Path | str | None = None,
    **log: Any,
) -> Inspector:
    """Open trajectories in the inspector.

    Args:
        what: a run or its folder, with the credits and truths in it and a choice of its trajectory sets on
            the page; a file of trajectories, which brings its run along if it is in one; trajectories; or the
            log of another agent, of any format that `importers` knows: paths, a folder, rows in memory. What
            came in of a log, and what did not, is printed.
        credits: of trajectories that are in memory or in a file outside a run.
        truths: measured values of them.
        labels: what people or judges say of their steps.
        kinds: task id -> task type; a run's own tasks if None, and "unknown" outside of a run.
        selection: to share with other widgets.
        sources: whose credit is drawn at first, see `Inspector`; others can be ticked on the page.
        beside: trajectories of the same tasks, of any kind that `what` may be: those of another policy or
            run, shown side by side with these, step by step.
        notes: file of tags, notes and labels (JSON lines); read if it exists, and written by the button of
            the page. "notes.jsonl" in the working folder, not read, if None.
        log: how a log is read, the fields of `importers.ImportOptions`: `format`, `strict`, `action`,
            `outcome`, `scale`, `map`.

    Raises:
        TypeError: an option that there is not, or one of a log for what is none.
        ValueError: there are no trajectories, a file is broken (names file and line), no format fits, or
            there is no such source.
        StoreError: there is no such file or folder.
    """
    given = RunAnnotations(list(credits), list(truths), kinds or {}, labels)
    sets, name, shown = _sets(what, given, kinds, log)
    options: dict[str, Any] = {"sources": None if sources is None else list(sources)}
    if shown:
        options |= {"trajectory_sets": sets, "trajectory_set": name}
    if beside is not None:
        options |= _beside(beside, taken=set(sets))
    if notes is not None:
        options |= {"notes_path": notes, "notes": Notes.load(notes) if Path(notes).exists() else Notes()}
    return Inspector(sets[name](), selection, **options)


def _beside(what: Any, taken: set[str]) -> dict[str, Any]:
    """Arguments of `Inspector` for the collections beside; their names differ from those that are taken."""
    sets, name, _ = _sets(what, RunAnnotations([], [], {}))
    whose = (
        Path(what).name if isinstance(what, str | Path) else what.path.name if isinstance(what, Run) else ""
    )
    titles = {key: f"{whose or 'beside'} / {key}" if key in taken else key for key in sets}
    return {"others": {titles[key]: sets[key] for key in sets}, "beside": titles[name]}


_Sets = tuple[dict[str, Callable[[], Collection]], str, bool]
"""Collections by name, the one to show first, and whether a page offers the choice."""


def _sets(
    what: Any,
    given: RunAnnotations,
    kinds: Mapping[str, str] | None = None,
    log: Mapping[str, Any] = MappingProxyType({}),
) -> _Sets:
    """What can be shown of `what`; see `inspect`."""
    options = ImportOptions(**log)
    opened = _open(Path(what)) if isinstance(what, str | Path) else None
    is_ours = isinstance(what, Collection | Trajectory | Run) or opened is not None
    if log and (is_ours or _are_trajectories(what)):
        raise TypeError(f"{', '.join(log)}: an option of a log, which {what!r:.60} is not")
    if isinstance(what, Collection):
        return {what.name: lambda: what}, what.name, False
    if isinstance(what, Trajectory):
        what = [what]
    if isinstance(opened, tuple):
        return _sets_of_run(*opened, kinds)
    if isinstance(what, Run):
        return _sets_of_run(what, "", kinds)
    name = Path(what).name if isinstance(what, str | Path) else "trajectories"
    trajectories: Any = opened or what
    if opened is None and not _are_trajectories(what):
        trajectories, given = _read(what, options, given)
    several = Collection.of(
        trajectories, given.credits, given.truths, labels=given.labels, tokens=given.tokens,
        kinds=given.kinds, meta=given.meta, name=name,
    )  # fmt: skip
    return {name: lambda: several}, name, False


def _read(
    what: Any, options: ImportOptions, given: RunAnnotations
) -> tuple[list[Trajectory], RunAnnotations]:
    """Trajectories of a log, and what it says of them before what the caller gave; prints the ledger."""
    imported = read_log(what, options)
    print(imported.ledger.render())
    return imported.trajectories, RunAnnotations(
        [*imported.credits, *given.credits],
        [*imported.truths, *given.truths],
        given.kinds,
        [*imported.labels, *given.labels],
        imported.tokens,
        imported.meta,
    )


def trajectory_sets(
    run: Run, annotations: RunAnnotations, kinds: Mapping[str, str] | None = None
) -> dict[str, Callable[[], Collection]]:
    """Name of every file of trajectories of a run -> function that reads it, once."""
    return {
        name: cache(partial(Collection.read, run, name, kinds=kinds, annotations=annotations))
        for name in run.names("trajectories")
    }


def _sets_of_run(run: Run, name: str, kinds: Mapping[str, str] | None) -> _Sets:
    annotations = RunAnnotations.of(run)
    sets = trajectory_sets(run, annotations, kinds)
    if not sets:
        raise ValueError(f"{run.path}: the run holds no trajectories yet")
    return sets, name or _default_set(run, annotations), True


def _default_set(run: Run, annotations: RunAnnotations) -> str:
    """Name of the first set with a measured trajectory, else with a credited one, else of the first set."""
    names = run.names("trajectories")
    ids = cache(lambda name: {record["id"] for record in run.peek_trajectories(name)})
    measured = {truth.trajectory_id for truth in annotations.truths}
    credited = {credit.trajectory_id for credit in annotations.credits}
    for annotated in filter(None, (measured, credited)):
        for name in names:
            if ids(name) & annotated:
                return name
    return names[0]


def _are_trajectories(what: Any) -> bool:
    return isinstance(what, Sequence) and all(isinstance(one, Trajectory) for one in what)


def _open(path: Path) -> tuple[Run, str] | list[Trajectory] | None:
    """A run with the name of the file that was meant, trajectories of a file in no run, or None for a log."""
    if path.is_dir():
        return (Run.open(path), "") if (path / "run.json").exists() or not any(path.iterdir()) else None
    if not path.is_file():
        raise StoreError(path, "there is no such file or folder")
    if path.parent.name == "trajectories" and (path.parent.parent / "run.json").is_file():
        return Run.open(path.parent.parent), path.stem
    return read_lines(path, "trajectories", decode_trajectory) if _is_ours(path) else None


def _is_ours(path: Path) -> bool:
    """Whether the first line is one of a run folder's files: it names its schema."""
    with path.open("rb") as file:
        line = file.readline(2**24)
    try:
        first = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(first, dict) and isinstance(first.get("schema"), int)
