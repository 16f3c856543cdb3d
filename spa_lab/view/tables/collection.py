"""Many trajectories with all that was said and measured of them: found, filtered, opened one by one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

import numpy as np
import pandas as pd

from spa_lab.rewards import mean, terminal
from spa_lab.store import Run
from spa_lab.store.lines import Record
from spa_lab.store.records import decode_trajectory
from spa_lab.types import Credit, FloatArray, Trajectory, ValueTruth
from spa_lab.view.tables.frames import check_match, trajectories_frame
from spa_lab.view.tables.trajectory import disagreement

Outcome = Literal["all", "success", "failure"]
Order = Literal[
    "as saved", "longest", "shortest", "highest outcome", "lowest outcome", "largest disagreement"
]
COLUMNS = (
    "trajectory_id",
    "task_id",
    "kind",
    "policy",
    "n_steps",
    "outcome",
    "success",
    "ended",
    "grounding",
)
"""Of the index."""
PLAIN = ("terminal", "mean")
"""Credits that need no model: always there."""


@dataclass(frozen=True)
class Query:
    """Which trajectories to show; the defaults show all."""

    text: str = ""
    """Words to find in instruction, thoughts, actions or replies, upper and lower case alike; "" for all."""
    kind: str = ""
    """Task type; "" for all."""
    outcome: Outcome = "all"
    shortest: int | None = None
    """Least number of steps."""
    longest: int | None = None
    """Largest number of steps."""
    disagreement: float | None = None
    """Least `steps.disagreement` of `source` with the truth, outcome units; leaves out what has no truth."""
    source: str = ""
    """Whose disagreement."""
    order: Order = "as saved"

    def __post_init__(self) -> None:
        if self.outcome not in get_args(Outcome):
            raise ValueError(f"outcome must be one of {get_args(Outcome)}, got {self.outcome!r}")
        if self.order not in get_args(Order):
            raise ValueError(f"order must be one of {get_args(Order)}, got {self.order!r}")


class RunAnnotations(NamedTuple):
    """All opinions and measurements that a run holds, of whatever trajectories."""

    credits: list[Credit]
    truths: list[ValueTruth]

    @classmethod
    def of(cls, run: Run) -> "RunAnnotations":
        """All credits of the run and its (first) truth, see `Run.credits` and `Run.truth`."""
        credits = [credit for by_id in run.credits().values() for credit in by_id.values()]
        return cls(credits, list(run.truth().values()))


@dataclass(eq=False)
class Collection:
    """Trajectories by number, 0 to N - 1; each is decoded only when somebody looks at it.

    Made by `Collection.of` or `Collection.read`.
    """

    name: str
    index: pd.DataFrame
    """A row per trajectory: `COLUMNS`, as in `frames.trajectories_frame`; `kind` is the task type."""
    _open: Callable[[int], Trajectory] = field(repr=False)
    _text: Callable[[int], str] = field(repr=False)
    """All words of a trajectory."""
    _given: dict[str, dict[str, Credit]] = field(repr=False)
    """Trajectory id -> source -> credit."""
    _truths: dict[str, ValueTruth] = field(repr=False)
    _texts: list[str] = field(default_factory=list, repr=False)
    _numbers: dict[str, int] = field(default_factory=dict, repr=False)
    _ids: list[str] = field(default_factory=list, repr=False)

    @classmethod
    def of(
        cls,
        trajectories: Sequence[Trajectory],
        credits: Sequence[Credit] = (),
        truths: Sequence[ValueTruth] = (),
        *,
        kinds: Mapping[str, str] | None = None,
        name: str = "trajectories",
    ) -> "Collection":
        """What is in memory.

        Args:
            trajectories: N >= 1.
            credits: of these trajectories, any number of sources.
            truths: of these trajectories, at most one each.
            kinds: task id -> task type; without it the type is "unknown".
            name: shown above.

        Raises:
            ValueError: there is no trajectory, two share an id, or a credit or truth fits none of them.
        """
        check_match(trajectories, credits, truths)
        held = list(trajectories)
        index = trajectories_frame(held, expert_length=None)
        index["kind"] = [_kind(one.task_id, kinds) for one in held]
        return _collected(name, index, held.__getitem__, lambda i: _words(held[i]), credits, truths)

    @classmethod
    def read(
        cls,
        run: Run,
        name: str,
        *,
        kinds: Mapping[str, str] | None = None,
        said: RunAnnotations | None = None,
    ) -> "Collection":
        """What a run saved under `name`, with all credits and truths of the run that are of these.

        Args:
            run: where.
            name: of a file of trajectories.
            kinds: task id -> task type; what the run itself knows of its tasks if None.
            said: `RunAnnotations.of(run)`, where that was read already.

        Raises:
            StoreError: there is nothing of that name.
            ValueError: a line is broken (names file and line), or there is no trajectory.
        """
        records = run.peek_trajectories(name)
        said = said or RunAnnotations.of(run)
        if kinds is None:
            kinds = {task.id: task.kind for task in run.tasks().values()}
        title = f"{run.path.name} / {name}"

        def open_one(number: int) -> Trajectory:
            try:
                return decode_trajectory(records[number])
            except ValueError as error:
                raise ValueError(f"{title}, trajectory {number} of {len(records)}: {error}") from error

        index = _index(records, kinds)
        return _collected(title, index, open_one, lambda i: _record_words(records[i]), *said)

    def __len__(self) -> int:
        """N, the number of trajectories."""
        return len(self.index)

    def __contains__(self, trajectory_id: object) -> bool:
        """Whether one of them has that id."""
        return trajectory_id in self._numbers

    @property
    def sources(self) -> list[str]:
        """Who gave credits, those of models first."""
        given = dict.fromkeys(source for credits in self._given.values() for source in credits)
        return [*(source for source in given if source not in PLAIN), *PLAIN]

    @property
    def has_truths(self) -> bool:
        """Whether any trajectory was measured."""
        return bool(self._truths)

    def number(self, trajectory_id: str) -> int:
        """Which one has that id; raises ValueError if none has."""
        if trajectory_id not in self._numbers:
            raise ValueError(f"{self.name}: no trajectory {trajectory_id!r} among {len(self)}")
        return self._numbers[trajectory_id]

    def trajectory(self, number: int) -> Trajectory:
        """One of them; raises ValueError naming it where the file holds no valid trajectory."""
        return self._open(number)

    def credits(self, number: int, sources: Sequence[str]) -> list[Credit]:
        """What these sources say of one of them, in their order; those that say nothing are left out."""
        given = self._given.get(self._id(number), {})
        found = []
        for source in sources:
            if source in given:
                found.append(given[source])
            elif source in PLAIN:
                found.append((terminal if source == "terminal" else mean)(self.trajectory(number)))
        return found

    def truth(self, number: int) -> ValueTruth | None:
        """What was measured of one of them."""
        return self._truths.get(self._id(number))

    def disagreements(self, source: str) -> FloatArray:
        """(N,) float64, outcome units: `steps.disagreement`; NaN where there is no truth or no credit."""
        result = np.full(len(self), np.nan)
        for trajectory_id, truth in self._truths.items():
            number = self._numbers[trajectory_id]
            for credit in self.credits(number, [source]):
                result[number] = disagreement(credit, truth)
        return result

    def find(self, query: Query) -> list[int]:
        """Numbers of the trajectories that the query shows, in its order."""
        index = self.index
        keep = np.ones(len(self), dtype=bool)
        if query.kind:
            keep &= (index["kind"] == query.kind).to_numpy()
        if query.outcome != "all":
            keep &= (index["success"] == (query.outcome == "success")).to_numpy()
        if query.shortest is not None:
            keep &= (index["n_steps"] >= query.shortest).to_numpy()
        if query.longest is not None:
            keep &= (index["n_steps"] <= query.longest).to_numpy()
        if query.disagreement is not None:
            keep &= self.disagreements(query.source) >= query.disagreement  # NaN is never shown
        if query.text.strip():
            keep &= self._holding(query.text)
        numbers = np.flatnonzero(keep)
        return [int(number) for number in numbers[self._order(numbers, query)]]

    def to_frame(self) -> pd.DataFrame:
        """A row per trajectory; columns as in `index`."""
        return self.index.copy()

    def _id(self, number: int) -> str:
        return self._ids[number]

    def _holding(self, text: str) -> np.ndarray:
        """(N,) bool: where every word of the text occurs. The first search lays the texts out."""
        if not self._texts:
            self._texts = [self._text(number).lower() for number in range(len(self))]
        words = text.lower().split()
        return np.array([all(word in one for word in words) for one in self._texts], dtype=bool)

    def _order(self, numbers: np.ndarray, query: Query) -> np.ndarray:
        if query.order == "as saved":
            return np.arange(len(numbers))
        if query.order == "largest disagreement":
            key = -self.disagreements(query.source)  # NaN goes last
        else:
            column = "n_steps" if query.order in ("longest", "shortest") else "outcome"
            key = self.index[column].to_numpy(dtype=np.float64)
            key = -key if query.order in ("longest", "highest outcome") else key
        return np.argsort(key[numbers], kind="stable")


def _collected(
    name: str,
    index: pd.DataFrame,
    open_one: Callable[[int], Trajectory],
    words: Callable[[int], str],
    credits: Sequence[Credit],
    truths: Sequence[ValueTruth],
) -> Collection:
    if index.empty:
        raise ValueError(f"{name}: there is no trajectory to look at")
    numbers: dict[str, int] = {}
    for number, one in enumerate(index["trajectory_id"]):
        if one in numbers:
            raise ValueError(f"{name}: trajectory {one!r} is there twice, at {numbers[one]} and {number}")
        numbers[one] = number
    given: dict[str, dict[str, Credit]] = {}
    for credit in credits:
        if credit.trajectory_id in numbers:
            given.setdefault(credit.trajectory_id, {})[credit.source] = credit
    measured = {one.trajectory_id: one for one in truths if one.trajectory_id in numbers}
    index = index[list(COLUMNS)]
    return Collection(name, index, open_one, words, given, measured, _numbers=numbers, _ids=list(numbers))


def _index(records: Sequence[Record], kinds: Mapping[str, str] | None) -> pd.DataFrame:
    def column(name: str, dtype: str) -> pd.Series:
        return pd.Series([record[name] for record in records], dtype=dtype)

    shares = [sum(step["grounded"] for step in one["steps"]) / len(one["steps"]) for one in records]
    types = [_kind(one["task_id"], kinds) for one in records]
    return pd.DataFrame(
        {
            "trajectory_id": column("id", "str"),
            "task_id": column("task_id", "str"),
            "kind": pd.Series(types, dtype="str"),
            "policy": column("policy", "str"),
            "n_steps": pd.Series([len(record["steps"]) for record in records], dtype="int64"),
            "outcome": column("outcome", "float64"),
            "success": column("success", "bool"),
            "ended": column("ended", "str"),
            "grounding": pd.Series(shares, dtype="float64"),
        }
    )


def _kind(task_id: str, kinds: Mapping[str, str] | None) -> str:
    return "unknown" if kinds is None else kinds.get(task_id, "unknown")


def _words(one: Trajectory) -> str:
    steps = (f"{step.text}\n{step.action}\n{step.observation}" for step in one.steps)
    return "\n".join([one.id, one.instruction, *steps])


def _record_words(record: Record) -> str:
    steps = (
        f"{step.get('text')}\n{step.get('action')}\n{step.get('observation')}" for step in record["steps"]
    )
    return "\n".join([record["id"], record["instruction"], *steps])
