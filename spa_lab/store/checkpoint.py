"""Work in progress of a long stage: a checkpoint that is replaced whole, and shards that add up.

Both live in `checkpoints/` of a run and are removed when the stage is finished. Tensors are written and read
by the caller; nothing here needs torch.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spa_lab.store.files import disk, read_text, remove, replacing, settled
from spa_lab.store.lines import SCHEMA, Record, dump, load, read_lines, write_lines
from spa_lab.store.records import decode_trajectory, encode_trajectory
from spa_lab.types import Trajectory

_FACTS = "facts.json"
_SHARD = re.compile(r"\d{5}")


@dataclass(frozen=True)
class Checkpoint:
    """The latest state of a stage: facts as JSON, and any files that the caller writes beside them."""

    path: Path

    @contextmanager
    def saving(self, facts: Mapping[str, Any]) -> Iterator[Path]:
        """Replace the checkpoint by `facts` and the files that the block writes into the yielded folder.

        Atomic: a process killed at any moment leaves the old checkpoint or the new one.

        Raises:
            StoreError: the disk refused.
            ValueError: a fact has no JSON form.
        """
        text = dump({"schema": SCHEMA, "holds": "checkpoint", "facts": facts})
        with replacing(self.path) as folder:
            folder.mkdir()
            (folder / _FACTS).write_text(text, encoding="ascii")
            yield folder

    @property
    def folder(self) -> Path | None:
        """Where the files of the checkpoint are; None if there is none."""
        folder = settled(self.path)
        return folder if folder.is_dir() else None

    def facts(self) -> Record | None:
        """The facts of the checkpoint; None if there is none.

        Raises:
            StoreError: the file cannot be read.
            ValueError: it holds no facts (names the file).
        """
        if self.folder is None:
            return None
        file = self.folder / _FACTS
        facts = load(read_text(file), str(file)).get("facts")
        if not isinstance(facts, dict):
            raise ValueError(f"{file}: 'facts' must be a JSON object, found {facts!r:.60}")
        return facts

    def remove(self) -> None:
        """Delete the checkpoint, if there is one; touches nothing of other processes."""
        with disk(self.path, "remove"):
            remove(self.path)
            remove(settled(self.path))  # what a process killed while replacing it had moved away


@dataclass(frozen=True)
class Shards:
    """Finished parts of a set of trajectories, by index; each file is complete."""

    path: Path

    def indices(self) -> list[int]:
        """Indices of the shards that are saved, ascending."""
        return sorted(int(file.stem) for file in self.path.glob("*.jsonl") if _SHARD.fullmatch(file.stem))

    def save(self, index: int, trajectories: Sequence[Trajectory]) -> None:
        """Replace shard `index`; raises StoreError if the disk refuses."""
        header = {"holds": "trajectories", "role": "shard", "shard": index}
        write_lines(self._file(index), header, map(encode_trajectory, trajectories))

    def load(self, index: int) -> list[Trajectory]:
        """The trajectories of shard `index`.

        Raises:
            StoreError: it is missing.
            ValueError: it is broken (names file and line).
        """
        return read_lines(self._file(index), "trajectories", decode_trajectory)

    def remove(self) -> None:
        """Delete all shards."""
        Checkpoint(self.path).remove()

    def _file(self, index: int) -> Path:
        return self.path / f"{index:05d}.jsonl"
