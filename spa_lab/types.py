"""The data types: facts (`Trajectory`), credit of one source (`Credit`), measured values (`ValueTruth`).

A `Trajectory` holds what happened. A `Credit` holds the contributions that one source assigns to its steps; a
trajectory may have many. A `ValueTruth` is a measurement of the same trajectory. `Labels` are what a person
or a judge says of its steps, `TokenNumbers` what a training log holds per token. All are frozen and validated
when they are made; arrays are copied and read-only. Nothing here depends on tensors or files.

Symbols: N trajectories, T steps of one trajectory. R and everything measured in its unit ("outcome
units") lie in [0, 1] for outcomes; contributions and progress may be negative.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ended = Literal["done", "step_limit", "error"]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Step:
    """One step of an agent: what it wrote and what the world replied."""

    text: str
    """Verbatim output of the model, end-of-turn token removed."""
    thought: str
    """The thought read from `text`; empty if there is none."""
    action: str
    """The action read from `text`, stripped; empty if `text` has no action."""
    observation: str
    """The world's reply to this action (not the text that preceded it)."""
    grounded: bool | None
    """g_t: the world could execute the action. Reported by the world, never inferred from the text; None if
    nobody knows, as in most logs of other agents."""


@dataclass(frozen=True)
class Trajectory:
    """One finished episode.

    Whether a step was grounded, the outcome and the success are None where nobody knows them: in logs of
    other agents, never in episodes that were played here. What cannot do without them takes `known_outcome`,
    `known_success` and `grounded`, which raise.

    Invariants: T >= 1; 0 <= outcome <= 1 or None; `ended` is one of `Ended`.
    """

    id: str
    """Unique within a run."""
    task_id: str
    env: str
    """Name of the world: "household", "webshop", ..."""
    split: str
    """The task's split: "train", "seen", "unseen", or a name of the user's."""
    instruction: str
    """The task sentence."""
    initial_observation: str
    """The world's text before the first step."""
    steps: tuple[Step, ...]
    """The T steps, in order."""
    outcome: float | None
    """R, the final reward of the episode, in [0, 1]; None if unknown."""
    success: bool | None
    """Strict success: the task is done (WebShop: R = 1); None if unknown."""
    ended: Ended
    """Why the episode stopped."""
    policy: str
    """Name of the policy that wrote the steps."""
    seed: int
    """Seed of the generator that sampled the steps."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.steps))
        if not self.steps:
            raise ValueError(f"trajectory {self.id!r}: needs at least 1 step, got 0")
        if self.outcome is not None and not 0.0 <= self.outcome <= 1.0:  # also refuses NaN
            raise ValueError(f"trajectory {self.id!r}: outcome must lie in [0, 1], got {self.outcome}")
        if self.ended not in get_args(Ended):
            raise ValueError(
                f"trajectory {self.id!r}: ended must be one of {get_args(Ended)}, got {self.ended!r}"
            )

    def __len__(self) -> int:
        """T, the number of steps."""
        return len(self.steps)

    @property
    def known_outcome(self) -> float:
        """R; raises ValueError if nobody knows it."""
        if self.outcome is None:
            raise ValueError(f"trajectory {self.id!r}: its outcome is unknown, and this needs one")
        return self.outcome

    @property
    def known_success(self) -> bool:
        """Strict success; raises ValueError if nobody knows it."""
        if self.success is None:
            raise ValueError(f"trajectory {self.id!r}: whether it succeeded is unknown, and this needs it")
        return self.success

    @property
    def grounded(self) -> NDArray[np.bool_]:
        """(T,) bool: g_t of every step; raises ValueError naming the first step where nobody knows it."""
        known = [step.grounded for step in self.steps]
        if None in known:
            raise ValueError(
                f"trajectory {self.id!r}, step {known.index(None)}: whether the world executed the action is "
                "unknown, and this needs it"
            )
        return np.array(known, dtype=bool)

    @property
    def ungrounded(self) -> NDArray[np.intp]:
        """Indices of the steps that the world is known to have refused."""
        return np.flatnonzero([step.grounded is False for step in self.steps])


@dataclass(frozen=True, eq=False)
class Credit:
    """What one source says each step contributed to the outcome.

    A missing estimate is a missing `Credit` object; a contribution of zero is an estimate.
    Invariants: contributions finite, at least one; standard errors finite, >= 0, same length.
    """

    trajectory_id: str
    source: str
    """Name of the credit source: "terminal", "mean", "spa", ..."""
    contributions: FloatArray
    """(T,) float64, outcome units: c_t."""
    base_value: float = 0.0
    """The part of the prediction that belongs to no step (an intercept, V(h_0)); outcome units."""
    standard_error: FloatArray | None = None
    """(T,) float64, outcome units, or None if the source has none."""

    def __post_init__(self) -> None:
        where = f"credit of {self.trajectory_id!r} by {self.source!r}"
        object.__setattr__(self, "contributions", _frozen_vector(self.contributions, where))
        if not np.isfinite(self.base_value):
            raise ValueError(f"{where}: base_value must be finite, got {self.base_value}")
        if self.standard_error is not None:
            error = _frozen_vector(self.standard_error, f"{where}: standard_error")
            _check_same_length(error, self.contributions, where)
            if (error < 0).any():
                raise ValueError(f"{where}: standard_error must be >= 0, smallest is {error.min()}")
            object.__setattr__(self, "standard_error", error)

    def __len__(self) -> int:
        """T, the number of steps."""
        return len(self.contributions)

    @property
    def predicted_outcome(self) -> float:
        """Base value plus the sum of all contributions, outcome units."""
        return float(self.base_value + self.contributions.sum())

    @property
    def cumulative(self) -> FloatArray:
        """(T,) float64: base value plus the contributions of steps 0..t."""
        return self.base_value + np.cumsum(self.contributions)


@dataclass(frozen=True, eq=False)
class ValueTruth:
    """Measured values V(h_0), ..., V(h_T) of one trajectory under a fixed policy and step cap.

    Invariants: T + 1 >= 2 values, all finite; standard errors >= 0; branches >= 0; the sum of `progress` is
    `values[-1] - offset`.
    """

    trajectory_id: str
    values: FloatArray
    """(T + 1,) float64, outcome units; the last one is the outcome R."""
    standard_error: FloatArray
    """(T + 1,) float64, outcome units; 0 where exact."""
    branches: int
    """Continuations per value; 0 if exact."""
    policy: str
    step_cap: int
    """Step limit of the episodes; the remaining steps are part of the history h_t."""

    def __post_init__(self) -> None:
        where = f"truth of {self.trajectory_id!r}"
        values = _frozen_vector(self.values, where)
        error = _frozen_vector(self.standard_error, f"{where}: standard_error")
        _check_same_length(error, values, where)
        if len(values) < 2:
            raise ValueError(f"{where}: needs at least 2 values (T + 1), got {len(values)}")
        if (error < 0).any() or self.branches < 0:
            raise ValueError(
                f"{where}: standard_error and branches must be >= 0, got {error.min()} and {self.branches}"
            )
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "standard_error", error)

    @property
    def progress(self) -> FloatArray:
        """(T,) float64: Delta_t = V(h_{t+1}) - V(h_t)."""
        return np.diff(self.values)

    @property
    def offset(self) -> float:
        """V(h_0): the expected outcome before the first step."""
        return float(self.values[0])


@dataclass(frozen=True, eq=False)
class Labels:
    """What a person or a judge says of the steps of one trajectory.

    Invariants: T >= 1 values, each finite or NaN, at least one of them finite.
    """

    trajectory_id: str
    source: str
    """Who labelled."""
    values: FloatArray
    """(T,) float64: below 0 harmful, 0 neutral, above 0 helpful; NaN where a step has no label."""

    def __post_init__(self) -> None:
        where = f"labels of {self.trajectory_id!r} by {self.source!r}"
        values = np.array(self.values, dtype=np.float64)
        if values.ndim != 1 or np.isinf(values).any() or not np.isfinite(values).any():
            raise ValueError(f"{where}: expected a vector with at least one label, got {values!r:.100}")
        values.setflags(write=False)
        object.__setattr__(self, "values", values)

    def __len__(self) -> int:
        """T, the number of steps."""
        return len(self.values)


@dataclass(frozen=True, eq=False)
class TokenNumbers:
    """A number for every token that the agent wrote: log-probabilities or advantages of a training log.

    Invariants: T >= 1 steps, L_t >= 0 finite numbers each; where texts are given, one for every number.
    """

    trajectory_id: str
    name: str
    """What the numbers are: "logprob", "advantage", ..."""
    numbers: tuple[FloatArray, ...]
    """T arrays (L_t,) float64, in the order in which the tokens were written."""
    texts: tuple[tuple[str, ...], ...] | None = None
    """T tuples of L_t texts of tokens; None where the log holds only their numbers."""

    def __post_init__(self) -> None:
        where = f"{self.name} of the tokens of {self.trajectory_id!r}"
        numbers = tuple(np.array(step, dtype=np.float64) for step in self.numbers)
        if not numbers:
            raise ValueError(f"{where}: needs at least 1 step, got 0")
        for t, step in enumerate(numbers):
            if step.ndim != 1 or not np.isfinite(step).all():
                raise ValueError(f"{where}: step {t} needs a vector of finite numbers, got {step!r:.80}")
            step.setflags(write=False)
        object.__setattr__(self, "numbers", numbers)
        if self.texts is not None:
            texts = tuple(tuple(step) for step in self.texts)
            counts, lengths = list(map(len, texts)), list(map(len, numbers))
            if counts != lengths:
                raise ValueError(f"{where}: {counts} texts for {lengths} numbers"[:300])
            object.__setattr__(self, "texts", texts)

    def __len__(self) -> int:
        """T, the number of steps."""
        return len(self.numbers)


def check_credit_of(trajectory: Trajectory, credit: Credit) -> None:
    """Raise unless the credit belongs to the trajectory.

    Raises:
        ValueError: it names another trajectory or has another number of steps.
    """
    if (credit.trajectory_id, len(credit)) != (trajectory.id, len(trajectory)):
        raise ValueError(
            f"credit of {credit.trajectory_id!r} with {len(credit)} steps does not belong to "
            f"{trajectory.id!r} with {len(trajectory)} steps"
        )


def _frozen_vector(values: ArrayLike, where: str) -> FloatArray:
    """A read-only float64 copy of a non-empty, finite vector."""
    try:
        vector = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:  # texts, a generator, lists of several lengths
        raise ValueError(f"{where}: expected a vector of numbers, got {values!r:.60}") from error
    if vector.ndim != 1 or vector.size == 0:
        raise ValueError(f"{where}: expected a non-empty vector, got shape {vector.shape}")
    if not np.isfinite(vector).all():
        index = int(np.flatnonzero(~np.isfinite(vector))[0])
        raise ValueError(f"{where}: value {index} of {vector.size} is {vector[index]}")
    vector.setflags(write=False)
    return vector


def _check_same_length(error: FloatArray, values: FloatArray, where: str) -> None:
    if error.shape != values.shape:
        raise ValueError(f"{where}: standard_error has {error.size} values, expected {values.size}")
