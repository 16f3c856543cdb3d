"""Logs of other agents as trajectories and credits: files in, run folders out.

`documents` reads what people have (JSON, JSON lines, gzip, archives, folders, rows in memory), `adapters` has
one small file a format, and `reading` finds the format from the content. Every import ends in a `Ledger`:
what came in, what is kept beside the trajectories, what was left out and why. `steps` is the package's own
format.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spa_lab.importers.adapters import ADAPTERS
from spa_lab.importers.imported import Imported
from spa_lab.importers.ledger import Ledger, LossError
from spa_lab.importers.reading import ImportOptions, UnknownFormat, read_log
from spa_lab.store import Run, writing

__all__ = [
    "ADAPTERS", "ImportOptions", "Imported", "Ledger", "LossError", "UnknownFormat", "import_log", "read_log",
]  # fmt: skip


def import_log(
    kind: str | None,
    path: Path | str | Sequence[Path | str],
    out: Path,
    *,
    strict: bool = False,
    action: str | None = None,
    outcome: str | None = None,
    scale: tuple[float, float] | None = None,
    map: Mapping[str, str] | None = None,
) -> tuple[Run, Imported]:
    """Read a log into a run folder, for `spa_lab.inspect` and `spa-lab figures`.

    Args:
        kind: key of `ADAPTERS` or "module:function"; detected from the content if None.
        path: the log: a file, several, or a folder.
        out: the run's folder; made if missing.
        strict: whether a loss or an assumption is an error.
        action: regular expression of the action in a step's text; the style is detected if None.
        outcome: field of `meta` that holds the outcome, dotted.
        scale: range of the outcomes in the log, mapped to [0, 1].
        map: field of a row or, after "step.", of a step -> dotted path in the log.

    Raises:
        ValueError: no format fits, a row is bad (names file and line), something would be lost and `strict`,
            or the folder holds another run.
        StoreError: the file cannot be read, or the folder not be written or another command writes there.
    """
    options = ImportOptions(kind, strict, action, outcome, scale, map or {})
    imported = read_log(path, options)
    paths = [path] if isinstance(path, str | Path) else list(path)
    asked = {"action": action, "outcome": outcome, "scale": scale and list(scale), "map": map and dict(map)}
    config: dict[str, Any] = {
        "imported": ", ".join(Path(one).name for one in paths),
        "format": kind or ", ".join(dict.fromkeys(file["format"] for file in imported.ledger.files)),
    } | {name: value for name, value in asked.items() if value}
    with writing(out):
        run = Run.create(out, config, seed=0)
        run.save_trajectories("imported", imported.trajectories)
        if imported.credits:
            run.save_credits("imported", imported.credits)
        if imported.truths:
            run.save_truths("imported", imported.truths)
        if imported.labels:
            run.save_labels("imported", imported.labels)
        if imported.tokens:
            run.save_tokens("imported", imported.tokens)
        run.save_import("imported", imported.ledger.record(), imported.meta)
        run.note(n=len(imported.trajectories))
    return run, imported
