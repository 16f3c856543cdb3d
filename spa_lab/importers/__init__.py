"""Logs of other agents as trajectories and credits: files in, run folders out.

Two formats, both JSON lines: `steps` (`importers.steps`, the smallest that holds a trajectory) and `chat`
(`importers.chat`, messages of a chat model). A bad row is an error that names file and line; no row is
skipped, and every assumption about missing fields is reported.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from spa_lab.importers.chat import read_chat
from spa_lab.importers.rows import Imported
from spa_lab.importers.steps import read_steps
from spa_lab.store import Run, writing

FORMATS: Mapping[str, Callable[[Path], Imported]] = MappingProxyType({"steps": read_steps, "chat": read_chat})
"""Name of a format -> its reader."""


def import_log(kind: str, path: Path, out: Path) -> tuple[Run, Imported]:
    """Read a log into a run folder, for `spa_lab.inspect` and `spa-lab figures`.

    Args:
        kind: key of `FORMATS`.
        path: the log.
        out: the run's folder; made if missing.

    Raises:
        ValueError: an unknown format, a bad row (names file and line), or a folder that holds another run.
        StoreError: the file cannot be read, or the folder not be written or another command writes there.
    """
    if kind not in FORMATS:
        raise ValueError(f"no format {kind!r}; there are: {', '.join(FORMATS)}")
    imported = FORMATS[kind](path)
    with writing(out):
        run = Run.create(out, {"imported": path.name, "format": kind}, seed=0)
        run.save_trajectories("imported", imported.trajectories)
        if imported.credits:
            run.save_credits("imported", imported.credits)
        run.note(n=len(imported.trajectories))
    return run, imported
