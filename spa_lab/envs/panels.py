"""Panels: the ordered task lists of a world, expert lengths, and panels balanced by expert length."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from spa_lab.envs.base import Expert, Task, World

Bins = Sequence[tuple[int, int]]
"""Expert lengths, both ends included."""
_Key = TypeVar("_Key")
SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "train": "demonstrations, explore_tasks or ppo.iterations * ppo.episodes",
        "seen": "by_length_tasks (size of all panels but the main one)",
        "unseen": "evaluation_tasks",
    }
)
"""Panel of a benchmark's own tasks -> the settings of a preset that ask for its tasks."""


@dataclass(frozen=True)
class GeneratedPanels:
    """Panels whose task i is generated from (split, i); callable as `Environment.tasks`."""

    world: str
    """For messages."""
    make_task: Callable[[str, int], Task]
    """(split, index) -> task."""
    splits: tuple[str, ...]
    """Panels without end, which hold tasks 0, 1, 2, ..."""
    by_length: str
    """A finite panel, whose indices are listed in `file`."""
    file: Path

    def __call__(self, split: str, n: int) -> list[Task]:
        """The first n tasks of a panel.

        Raises:
            ValueError: there is no such panel, `n` is negative, or the panel has fewer tasks.
        """
        if split not in (*self.splits, self.by_length) or n < 0:
            panels = ", ".join((*self.splits, self.by_length))
            raise ValueError(
                f"{self.world}: no panel {split!r} with {n} tasks; panels are: {panels}; n must be >= 0"
            )
        indices = chosen_tasks(self.file, split, n) if split == self.by_length else range(n)
        return [self.make_task(split, index) for index in indices]


@dataclass(frozen=True)
class ListedPanels:
    """Panels that are given as lists of tasks; callable as `Environment.tasks`."""

    world: str
    """For messages."""
    panels: Mapping[str, Sequence[Task]]

    def __call__(self, split: str, n: int) -> Sequence[Task]:
        """The first n tasks of a panel.

        Raises:
            ValueError: there is no such panel, `n` is negative, or the panel has fewer tasks.
        """
        if split not in self.panels or not 0 <= n <= len(self.panels[split]):
            sizes = ", ".join(f"{name} ({len(panel)} tasks)" for name, panel in self.panels.items())
            hint = f"; lower {SETTINGS[split]}" if split in SETTINGS else ""
            raise ValueError(f"{self.world}: no panel {split!r} with {n} tasks; panels are: {sizes}{hint}")
        return self.panels[split][:n]


def digest(*parts: object) -> int:
    """A hash of the parts, in [0, 2**64); the same in every process."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def expert_length(world: World, expert: Expert, step_limit: int) -> int | None:
    """Steps in which an expert succeeds in a world that was just reset to a task.

    Returns:
        None if it does not succeed within `step_limit`.
    """
    for step in range(1, step_limit + 1):
        _, action = expert.act()
        reply = world.step(action)
        if reply.done:
            return step if reply.outcome == 1.0 else None
        expert.observe(action, reply.observation)
    return None


def length_bin(length: int, bins: Bins) -> int:
    """Index of the bin that holds an expert length.

    Raises:
        ValueError: no bin holds it.
    """
    for index, (low, high) in enumerate(bins):
        if low <= length <= high:
            return index
    raise ValueError(f"expert length must lie in [{bins[0][0]}, {bins[-1][1]}], got {length}")


def balanced_by_length(candidates: Iterable[tuple[_Key, int]], bins: Bins, size: int) -> list[_Key]:
    """The first `size` candidates of each bin; reads no more candidates than it needs.

    Bins take turns in the result, so that its first n entries are balanced too.

    Args:
        candidates: (key, expert length): what a world makes a task from.
        bins: expert lengths.
        size: candidates of each bin.

    Raises:
        ValueError: the candidates do not fill the bins, or a length falls in no bin.
    """
    filled: list[list[_Key]] = [[] for _ in bins]
    n = 0
    for key, length in candidates:
        n += 1
        keys = filled[length_bin(length, bins)]
        if len(keys) < size:
            keys.append(key)
        if all(len(keys) == size for keys in filled):
            return [keys[i] for i in range(size) for keys in filled]
    raise ValueError(f"bins hold {[len(keys) for keys in filled]} tasks after {n}, need {size} each")


def chosen_tasks(file: Path, panel: str, n: int) -> list[Any]:
    """The first `n` entries of a panel file: the keys that a world makes its tasks from.

    Raises:
        ValueError: the file is missing or has fewer entries.
    """
    if not file.is_file():
        raise ValueError(f"panel {panel!r}: file {file} is missing")
    chosen: list[Any] = json.loads(file.read_text(encoding="utf-8"))["tasks"]
    if n > len(chosen):
        raise ValueError(f"panel {panel!r}: has {len(chosen)} tasks, asked for {n}")
    return chosen[:n]
