"""Results of one run taken over by another, without a second copy on the disk."""

import os
import shutil
from pathlib import Path

from spa_lab.store.files import disk, replacing, settled
from spa_lab.store.folder import Kind, RunFolder

SHARED: tuple[Kind, ...] = ("models", "trajectories", "tokens", "credits", "metrics", "tasks")
"""Kinds that the stages of a run leave behind."""


def share(source: RunFolder, target: RunFolder) -> None:
    """Let `target` hold what the stages of `source` left, as far as it does not hold it already.

    Files are hard links: nothing in a run folder is changed in place, so that neither run can change the
    other. Where the file system has none, they are copied. Killed at any moment, a second call completes it.

    Args:
        source: a run into which nobody writes.
        target: a run into which this process writes.

    Raises:
        StoreError: the disk refused.
    """
    for kind in SHARED:
        with disk(source.path / kind, "read"):
            entries = sorted(entry for entry in (source.path / kind).glob("*") if entry.name[0] != ".")
        for entry in entries:
            taken = target.path / kind / entry.name
            if os.path.lexists(settled(taken)):
                continue
            with replacing(taken) as partial:
                if entry.is_dir():
                    shutil.copytree(entry, partial, copy_function=_link)
                else:
                    _link(entry, partial)


def _link(source: Path | str, target: Path | str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        shutil.copy2(source, target)
