"""A reader's own tags, notes and labels of episodes and steps, kept as JSON lines."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from spa_lab.store.lines import Record, read_lines, write_lines

HOLDS = "notes"
"""Kind of the records, as the header of the file names it."""


@dataclass(frozen=True)
class Note:
    """What a reader wrote about an episode, or about one step of it."""

    trajectory_id: str
    step: int | None = None
    """Counted from 0; None: about the whole episode."""
    tags: tuple[str, ...] = ()
    label: str = ""
    """A word or two, shown beside the step."""
    text: str = ""

    def __post_init__(self) -> None:
        if self.step is not None and self.step < 0:
            raise ValueError(f"note of {self.trajectory_id!r}: step must be >= 0, got {self.step}")

    def __bool__(self) -> bool:
        """Whether anything was written."""
        return bool(self.tags or self.label or self.text)


class Notes:
    """The notes of many episodes, at most one of each episode and step.

    Args:
        notes: the first ones.
    """

    def __init__(self, notes: Iterable[Note] = ()) -> None:
        self._notes: dict[tuple[str, int | None], Note] = {}
        for note in notes:
            self.put(note)

    def __len__(self) -> int:
        return len(self._notes)

    def __iter__(self) -> Any:
        return iter(self._notes.values())

    def at(self, trajectory_id: str, step: int | None = None) -> Note:
        """The note of an episode or step; an empty one if nothing was written."""
        return self._notes.get((trajectory_id, step), Note(trajectory_id, step))

    def put(self, note: Note) -> None:
        """Replace the note of an episode or step; an empty note removes it."""
        self._notes.pop((note.trajectory_id, note.step), None)
        if note:
            self._notes[note.trajectory_id, note.step] = note

    def tags(self) -> dict[str, tuple[str, ...]]:
        """Trajectory id -> tags of the episode."""
        return {note.trajectory_id: note.tags for note in self if note.step is None and note.tags}

    def labels(self, trajectory_id: str) -> dict[int, str]:
        """Step -> label, of one episode."""
        return {
            note.step: note.label
            for note in self
            if note.trajectory_id == trajectory_id and note.step is not None and note.label
        }

    def to_frame(self) -> pd.DataFrame:
        """One row per note: trajectory_id, step (Int64, <NA>: the episode), tags (tuple), label, text."""
        columns = ["trajectory_id", "step", "tags", "label", "text"]
        rows = [(note.trajectory_id, note.step, note.tags, note.label, note.text) for note in self]
        return pd.DataFrame(rows, columns=columns).astype({"step": "Int64"})

    def save(self, path: Path | str) -> None:
        """Write a file of JSON lines: a header, then an object a note with the fields of `Note`.

        Raises:
            StoreError: the disk refuses.
        """
        write_lines(Path(path), {"holds": HOLDS}, (asdict(note) for note in self))

    @classmethod
    def load(cls, path: Path | str) -> "Notes":
        """Read a file that `save` or a saved page wrote.

        Raises:
            StoreError: the file is missing or cannot be read.
            ValueError: a line is invalid (names file and line).
        """
        return cls(read_lines(Path(path), HOLDS, _decode))


def split_tags(text: str) -> tuple[str, ...]:
    """Tags separated by commas, each once, in their order."""
    return tuple(dict.fromkeys(tag.strip() for tag in text.split(",") if tag.strip()))


def _decode(record: Record) -> Note:
    name, step, tags = record.get("trajectory_id"), record.get("step"), record.get("tags", [])
    if not isinstance(name, str):
        raise ValueError(f"a note needs a 'trajectory_id', a string, got {name!r:.60}")
    if not (step is None or (isinstance(step, int) and not isinstance(step, bool))):
        raise ValueError(f"note of {name!r}: 'step' must be an integer or null, got {step!r:.60}")
    if not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        raise ValueError(f"note of {name!r}: 'tags' must be a list of strings, got {tags!r:.60}")
    words = [record.get(key, "") for key in ("label", "text")]
    if not all(isinstance(word, str) for word in words):
        raise ValueError(f"note of {name!r}: 'label' and 'text' must be strings")
    return Note(name, step, tuple(tags), *words)
