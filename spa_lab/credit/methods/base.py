"""The one interface of all credit methods, and the measurement of their cost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

from numpy.typing import ArrayLike

from spa_lab.types import Credit, Trajectory

AssignCredit = Callable[[Sequence[Trajectory]], list[Credit]]
"""N trajectories -> their credits, in order."""


@dataclass(frozen=True)
class Cost:
    """Time and rollouts that were spent."""

    seconds: float = 0.0
    """Wall time."""
    rollouts: int = 0
    """Episodes or continuations of episodes that were played."""


@dataclass(frozen=True)
class CreditMethod:
    """A way to say what each step contributed; called with trajectories, it returns their credits.

    A method that looks at one trajectory at a time is most easily written with `credit_method`.
    """

    source: str
    """Name stored with its credits; unique on a scoreboard."""
    origin: str
    """Where the formula comes from: a paper, a public file, or a few words."""
    assign: AssignCredit
    fitting: Cost = Cost()
    """Spent once, before the first credit: rollouts to learn from and the seconds of learning."""
    branches: int = 0
    """Continuations played at each step of each trajectory."""
    played: Callable[[Sequence[Trajectory]], int] | None = None
    """Continuations of trajectories that have just been given credit, if not the same number at each step."""

    def __call__(self, trajectories: Sequence[Trajectory]) -> list[Credit]:
        """One credit for each trajectory, in order.

        Raises:
            ValueError: the method returned credits of other trajectories, lengths or sources.
        """
        credits = self.assign(trajectories)
        if len(credits) != len(trajectories):
            raise ValueError(
                f"{self.source!r} returned {len(credits)} credits for {len(trajectories)} trajectories"
            )
        for credit, trajectory in zip(credits, trajectories, strict=True):
            actual = (credit.trajectory_id, credit.source, len(credit))
            expected = (trajectory.id, self.source, len(trajectory))
            if actual != expected:
                raise ValueError(f"a credit of (trajectory, source, steps) {actual}, expected {expected}")
        return credits


def credit_method(
    source: str, *, origin: str = ""
) -> Callable[[Callable[[Trajectory], ArrayLike]], CreditMethod]:
    """Decorator that makes a `CreditMethod` of a function that returns the T contributions of a trajectory.

    Example::

        @credit_method("refusals", origin="a rule: a refused action costs 0.1")
        def refusals(trajectory):
            return [0.0 if step.grounded else -0.1 for step in trajectory.steps]

    Args:
        source: name stored with its credits; unique on a scoreboard.
        origin: where the formula comes from; the function's module if empty.
    """

    def decorate(contributions: Callable[[Trajectory], ArrayLike]) -> CreditMethod:
        def assign(trajectories: Sequence[Trajectory]) -> list[Credit]:
            return [
                Credit(trajectory.id, source, contributions(trajectory))  # type: ignore[arg-type]  # checks
                for trajectory in trajectories
            ]

        return CreditMethod(source, origin or contributions.__module__, assign)

    return decorate


class Measured(NamedTuple):
    """Credits and what they cost."""

    credits: list[Credit]
    cost: Cost
    """Of these credits alone, without `CreditMethod.fitting`."""


def measure(method: CreditMethod, trajectories: Sequence[Trajectory]) -> Measured:
    """Assign credit and measure its cost.

    Args:
        method: any method.
        trajectories: N trajectories.

    Returns:
        N credits, the wall time they took in seconds, and the rollouts: `branches` a step and `played`.
    """
    start = perf_counter()
    credits = method(trajectories)
    seconds = perf_counter() - start
    played = method.played(trajectories) if method.played else 0
    return Measured(credits, Cost(seconds, method.branches * sum(map(len, trajectories)) + played))
