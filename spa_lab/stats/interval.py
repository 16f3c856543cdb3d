"""A point estimate with its confidence interval."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """A point estimate with a confidence interval, in the unit of the statistic.

    Invariant: low <= high where both are defined. Bounds are NaN where the statistic is undefined.
    """

    low: float
    point: float
    high: float
    n: int
    """Independent units behind it: tasks, trajectories."""
    method: str
    """How the interval was made, as a phrase for a caption."""

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"interval by {self.method!r}: low {self.low} is above high {self.high}")

    def __str__(self) -> str:
        return f"{self.point:.3f} [{self.low:.3f}, {self.high:.3f}] (n = {self.n})"


def percent(level: float) -> str:
    """A confidence level as text, e.g. "95 %"."""
    return f"{100 * level:g} %"


def checked_level(level: float) -> float:
    """`level` itself; raises ValueError if it is not in (0, 1)."""
    if not 0 < level < 1:
        raise ValueError(f"level must lie in (0, 1), got {level}")
    return level
