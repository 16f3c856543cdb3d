"""Logs of other agents as trajectories and credits: files in, run folders out.

`documents` reads what people have (JSON, JSON lines, gzip, archives, folders, rows in memory), `adapters` has
one small file a format, and `reading` finds the format from the content. Every import ends in a `Ledger`:
what came in, what is kept beside the trajectories, what was left out and why. `steps` is the package's own
format.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from spa_lab.importers.adapters import ADAPTERS
from spa_lab.importers.imported import Imported
from spa_lab.importers.ledger import Ledger, LossError
from spa_lab.importers.reading import ImportOptions, UnknownFormat, read_log
from spa_lab.store import Run, writing
from spa_lab.store.files import disk, remove

__all__ = [
    "ADAPTERS", "ImportOptions", "Imported", "Ledger", "LossError", "UnknownFormat", "import_log", "read_log",
]  # fmt: skip


def import_log(
    kind: str | None,
    path: Path | str | Sequence[Path | str],
    out: Path | str,
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
        out: the run's folder; made if missing. The same files may be read into it again, and replace what
            was read of them before.
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
    out = Path(out)
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
        _save(run, imported)
    return run, imported


def _save(run: Run, imported: Imported) -> None:
    """Everything of an import in place of an earlier one, of which nothing stays."""
    run.save_trajectories("imported", imported.trajectories)
    kinds: dict[str, tuple[Sequence[Any], Callable[[str, Any], None]]] = {
        "credits": (imported.credits, run.save_credits),
        "truths": (imported.truths, run.save_truths),
        "labels": (imported.labels, run.save_labels),
        "tokens": (imported.tokens, run.save_tokens),
    }
    for kind, (items, save) in kinds.items():
        if items:
            save("imported", items)
        else:
            with disk(run.path, f"remove earlier {kind} of"):
                remove(run.path / kind / "imported.jsonl")
    run.save_import("imported", imported.ledger.record(), imported.meta)
    run.note(n=len(imported.trajectories))
