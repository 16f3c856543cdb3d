"""What all panels share: the file that says which generated tasks make up `unseen_by_length`."""

import json
from pathlib import Path
from typing import Any


def chosen_tasks(file: Path, panel: str, n: int) -> list[Any]:
    """The first `n` entries of a panel file, each what its world makes a task from.

    Raises:
        ValueError: The file is missing, or has fewer entries.
    """
    if not file.is_file():
        raise ValueError(f"panel {panel!r}: file {file} is missing")
    chosen: list[Any] = json.loads(file.read_text(encoding="utf-8"))["tasks"]
    if n > len(chosen):
        raise ValueError(f"panel {panel!r}: has {len(chosen)} tasks, asked for {n}")
    return chosen[:n]
