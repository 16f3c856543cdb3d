"""What a run holds, as typed entries: made from the headers of its files, loaded when asked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from spa_lab.store.lines import Record
from spa_lab.types import Credit, Trajectory, ValueTruth

TrajectoryRole = Literal["explored", "evaluation", "episodes"]
"""Explorations of training tasks, episodes of an evaluation panel, or any other episodes."""
CreditRole = Literal["given", "evaluation", "held_out", "scored"]
"""From outside the pipeline; of the episodes of an evaluation panel, or of all held-out explorations, by a
trained model; of the trajectories of a scoreboard. Where two files hold a credit of one source for one
trajectory, the later role counts."""
Measurement = Literal["first", "second"]
"""The truth, and an independent repetition of its measurement."""
Result = Literal["scoreboard", "costs", "timings", "gradient", "labels", "intermediate"]
"""A scoreboard of credit sources, their costs, times of a measurement, a comparison of advantages, credit
against labels; or what schema 1 left besides."""


@dataclass(frozen=True)
class TrajectorySet:
    """A file of trajectories."""

    name: str
    role: TrajectoryRole
    policy: str | None
    """Who played; None if not known, or several policies."""
    panel: str | None
    """The tasks' split; None if not known, or several splits."""
    load: Callable[[], list[Trajectory]] = field(repr=False, compare=False)
    """Reads and decodes the file."""
    peek: Callable[[], list[Record]] = field(repr=False, compare=False)
    """Reads it as plain JSON objects, see `records.peek_trajectory`; several times faster."""


@dataclass(frozen=True)
class CreditSet:
    """A file of credits."""

    name: str
    role: CreditRole
    source: str | None
    """Who gave them; None if several sources."""
    load: Callable[[], list[Credit]] = field(repr=False, compare=False)


@dataclass(frozen=True)
class TruthSet:
    """A file of measured values."""

    name: str
    measurement: Measurement
    load: Callable[[], list[ValueTruth]] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Curve:
    """Metrics of one training stage, a row per update."""

    name: str
    stage: str
    """"clone", "estimate", "ppo", ..."""
    method: str | None
    """The training method, where the stage depends on it."""
    rows: list[Record] = field(repr=False)


@dataclass(frozen=True)
class ResultSet:
    """A file of results: rows of text and numbers."""

    name: str
    result: Result
    load: Callable[[], list[Record]] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Header:
    """What the first line of a file says, or in schema 1 its name."""

    fields: Record
    where: str
    """File and line, for error messages."""

    @property
    def holds(self) -> str:
        """Kind of the records."""
        return self.fields["holds"]

    def choice(self, key: str, allowed: Any) -> Any:
        """A field with fixed values; raises ValueError naming file, field and values."""
        value, known = self.fields.get(key), get_args(allowed)
        if value not in known:
            raise ValueError(f"{self.where}: {key!r} is {value!r:.60}, expected one of {', '.join(known)}")
        return value

    def text(self, key: str) -> str | None:
        """A field that holds a name or null; raises ValueError naming file and field."""
        value = self.fields.get(key)
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{self.where}: {key!r} must be text or null, found {value!r:.60}")
        return value
