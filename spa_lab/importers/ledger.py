"""The account of an import: what came in, what is kept beside the trajectories, what was left out and why."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MOST_NAMES, LONGEST_NAME = 60, 160
"""Names in one line of the account, and characters of one of them."""


class LossError(ValueError):
    """A strict import would lose something."""


@dataclass
class Ledger:
    """Counts of one import. Readers and adapters add to it; nothing may leave a log without an entry here."""

    files: list[dict[str, Any]] = field(default_factory=list)
    """One entry a file: name, form ("JSON lines"), format (name of the adapter), episodes, notes."""
    skipped: list[str] = field(default_factory=list)
    """Files without a trajectory, with the reason."""
    episodes: int = 0
    steps: int = 0
    empty_actions: int = 0
    """Steps without an action: the agent only spoke, or no known style of actions fits its text."""
    thoughts: int = 0
    tool_calls: int = 0
    system_prompts: int = 0
    """Kept in `meta`, under "system_prompt"."""
    carried: Counter[str] = field(default_factory=Counter)
    """Field of the log -> how often it is kept in `meta`."""
    dropped: Counter[str] = field(default_factory=Counter)
    """"what: why" -> how often it was left out."""
    assumed: Counter[str] = field(default_factory=Counter)
    """What the log does not say, and what stands for it -> how often."""
    notes: list[str] = field(default_factory=list)
    """Changes of what is read, such as a scale; a sentence each."""

    def drop(self, what: str, why: str, n: int = 1) -> None:
        """Count something that does not come in; names of a log may be of any length, and are cut."""
        self.dropped[f"{_cut(what)}: {_cut(why)}"] += n

    def carry(self, fields: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
        """The fields that hold something, counted as carried; for `meta`."""
        kept = {name: value for name, value in fields.items() if not _is_empty(value)}
        for name in kept:
            self.carried[_cut(f"{prefix}{name}")] += 1
        return kept

    def uncarry(self, name: str) -> None:
        """Count a field that was carried once less: it found a place."""
        for key in self.carried:
            if key == name or key.endswith(f".{name}"):
                self.carried[key] -= 1
                if not self.carried[key]:
                    del self.carried[key]
                return

    def add(self, part: "Ledger") -> None:
        """Add the account of a part."""
        for name, value in vars(part).items():
            setattr(self, name, getattr(self, name) + value)

    def check_strict(self) -> None:
        """Raise if anything was lost or assumed.

        Raises:
            LossError: names each loss and its count.
        """
        losses = [f"{what} ({n})" for what, n in (self.dropped + self.assumed).items()]
        losses += [f"skipped {reason}" for reason in self.skipped]
        if losses:
            raise LossError(f"strict import: {'; '.join(losses)}")

    def line(self) -> str:
        """The counts in one line."""
        counts = (
            f"{self.episodes} episodes, {self.steps} steps, {self.empty_actions} actions empty, "
            f"{self.thoughts} thoughts, {self.tool_calls} tool calls, {self.system_prompts} system prompts"
        )
        return f"{counts}; in meta: {counted(self.carried)}; dropped: {counted(self.dropped)}"

    def render(self) -> str:
        """The whole account, several lines."""
        lines = [
            f"{file['name']}: {file['title']}, {file['form']}, {file['episodes']} episodes"
            for file in self.files
        ]
        lines += [f"skipped: {reason}" for reason in self.skipped]
        lines += [self.line()]
        lines += [f"assumed: {what} ({n})" for what, n in self.assumed.items()]
        return "\n".join([*lines, *self.all_notes()])

    def all_notes(self) -> list[str]:
        """Notes on the import and on its files, without repetitions."""
        return list(dict.fromkeys([*self.notes, *(note for file in self.files for note in file["notes"])]))

    def record(self) -> dict[str, Any]:
        """As plain JSON values, for the run folder."""
        counters = {name: dict(getattr(self, name)) for name in ("carried", "dropped", "assumed")}
        return vars(self) | counters


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | dict) and not value)


def counted(counter: Counter[str]) -> str:
    """Names with their counts, in one line; "nothing" without any."""
    shown = [f"{name} ({n})" for name, n in list(counter.items())[:MOST_NAMES]]
    left = len(counter) - MOST_NAMES
    return ", ".join([*shown, *([f"and {left} more"] if left > 0 else [])]) or "nothing"


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
