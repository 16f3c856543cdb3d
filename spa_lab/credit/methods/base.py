"""The one interface of all credit methods, and the measuring of what they cost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

from spa_lab.types import Credit, Trajectory

Give = Callable[[Sequence[Trajectory]], list[Credit]]
"""N trajectories -> their credits, in order."""


@dataclass(frozen=True)
class Cost:
    """What was spent."""

    seconds: float = 0.0
    """Wall time."""
    rollouts: int = 0
    """Episodes or continuations of episodes that were played."""


@dataclass(frozen=True)
class CreditMethod:
    """One way to say what each step contributed; called with trajectories, it gives their credits."""

    source: str
    """Under which its credits are filed; unique on a scoreboard."""
    origin: str
    """Where the formula comes from: paper, public file, or "trivial"."""
    give: Give
    fitting: Cost = Cost()
    """Spent once, before the first credit: rollouts to learn from and the seconds of learning."""
    branches: int = 0
    """Continuations played at each step of each trajectory."""

    def __call__(self, trajectories: Sequence[Trajectory]) -> list[Credit]:
        """One credit for each trajectory, in order.

        Raises:
            ValueError: the method gave credits of other trajectories, lengths or sources.
        """
        credits = self.give(trajectories)
        if len(credits) != len(trajectories):
            raise ValueError(
                f"{self.source!r} gave {len(credits)} credits for {len(trajectories)} trajectories"
            )
        for credit, trajectory in zip(credits, trajectories, strict=True):
            found = (credit.trajectory_id, credit.source, len(credit))
            expected = (trajectory.id, self.source, len(trajectory))
            if found != expected:
                raise ValueError(f"a credit of (trajectory, source, steps) {found}, expected {expected}")
        return credits


class Measured(NamedTuple):
    """Credits and what they cost."""

    credits: list[Credit]
    cost: Cost
    """Of these credits alone; `CreditMethod.fitting` is not in it."""


def measure(method: CreditMethod, trajectories: Sequence[Trajectory]) -> Measured:
    """Give credit, by the clock.

    Args:
        method: any method.
        trajectories: N trajectories.

    Returns:
        N credits, the seconds they took, and the rollouts: `branches` at every step.
    """
    start = perf_counter()
    credits = method(trajectories)
    seconds = perf_counter() - start
    return Measured(credits, Cost(seconds, method.branches * sum(map(len, trajectories))))
