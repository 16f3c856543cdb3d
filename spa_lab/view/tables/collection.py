"""A searchable, lazily decoded set of trajectories with the credits and truths of each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from spa_lab.matching import check_match
from spa_lab.rewards import MODEL_FREE
from spa_lab.store import Run
from spa_lab.store.records import decode_trajectory
from spa_lab.types import Credit, FloatArray, Labels, TokenNumbers, Trajectory, ValueTruth
from spa_lab.view.tables.annotations import RunAnnotations
from spa_lab.view.tables.index import index_of, index_of_records, record_words, words
from spa_lab.view.tables.trajectory import disagreement, running_sum

Outcome = Literal["all", "success", "failure", "unknown"]
SortOrder = Literal[
    "as saved",
    "longest",
    "shortest",
    "highest outcome",
    "lowest outcome",
    "largest disagreement",
    "smallest disagreement",
    "task A to Z",
    "task Z to A",
]
COLUMNS = (
    "trajectory_id",
    "task_id",
    "instruction",
    "kind",
    "policy",
    "n_steps",
    "outcome",
    "success",
    "ended",
    "grounding",
)
"""Of the index."""
UNKNOWN_KIND = "unknown"
"""Kind of a task of which none was recorded."""


@dataclass(frozen=True)
class Query:
    """Which trajectories to show; the defaults show all."""

    text: str = ""
    """Words that all occur in instruction, thoughts, actions or what the agent saw, case-insensitive; "" for
    all."""
    kind: str = ""
    """Kind of task; "" for all."""
    outcome: Outcome = "all"
    shortest: int | None = None
    """Least number of steps."""
    longest: int | None = None
    """Largest number of steps."""
    disagreement: float | None = None
    """Least `trajectory.disagreement` of `source` with the truth, outcome units; None for all."""
    source: str = ""
    """Source of `disagreement`."""
    order: SortOrder = "as saved"

    def __post_init__(self) -> None:
        if self.outcome not in get_args(Outcome):
            raise ValueError(f"outcome must be one of {get_args(Outcome)}, got {self.outcome!r}")
        if self.order not in get_args(SortOrder):
            raise ValueError(f"order must be one of {get_args(SortOrder)}, got {self.order!r}")

    @property
    def words(self) -> list[str]:
        """Words of `text`, in lower case."""
        return self.text.lower().split()


@dataclass(eq=False)
class Collection:
    """Trajectories at positions 0 to N - 1, each decoded when it is opened.

    Made by `Collection.of` or `Collection.read`.
    """

    name: str
    index: pd.DataFrame
    """A row per trajectory: `COLUMNS`, as in `frames.trajectories_frame`; `kind` is the kind of task,
    `instruction` the task sentence, or the first observation where there is none (dtype object)."""
    _open: Callable[[int], Trajectory] = field(repr=False)
    _text: Callable[[int], str] = field(repr=False)
    """All texts of a trajectory."""
    _credits: dict[str, dict[str, Credit]] = field(repr=False)
    """Trajectory id -> source -> credit."""
    _truths: dict[str, ValueTruth] = field(repr=False)
    _positions: dict[str, int] = field(repr=False)
    """Trajectory id -> position."""
    _labels: dict[str, list[Labels]] = field(default_factory=dict, repr=False)
    _tokens: dict[str, list[TokenNumbers]] = field(default_factory=dict, repr=False)
    _meta: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    _texts: list[str] = field(default_factory=list, repr=False)
    """All texts of every trajectory in lower case; filled by the first search."""
    _groups: dict[str, dict[str, list[int]]] = field(default_factory=dict, repr=False)
    """Column of the index -> value -> positions; filled where it is asked for."""
    _gaps: dict[str, FloatArray] = field(default_factory=dict, repr=False)
    """Source -> `disagreements`; filled where it is asked for."""

    @classmethod
    def of(
        cls,
        trajectories: Sequence[Trajectory],
        credits: Sequence[Credit] = (),
        truths: Sequence[ValueTruth] = (),
        *,
        labels: Sequence[Labels] = (),
        tokens: Sequence[TokenNumbers] = (),
        kinds: Mapping[str, str] | None = None,
        meta: Mapping[str, Mapping[str, Any]] | None = None,
        name: str = "trajectories",
    ) -> "Collection":
        """A collection of trajectories in memory.

        Args:
            trajectories: N >= 1.
            credits: of these trajectories, any number of sources.
            truths: of these trajectories, at most one each.
            labels: of their steps, any number of labellers.
            tokens: numbers of their tokens.
            kinds: task id -> kind of task; "unknown" where it is missing.
            meta: trajectory id -> fields of a log that have no place in a trajectory.
            name: shown as the heading.

        Raises:
            ValueError: there is no trajectory, two share an id, or a credit or truth fits none of them.
        """
        check_match(trajectories, credits, truths, labels, tokens)
        held = list(trajectories)
        said = RunAnnotations(list(credits), list(truths), kinds or {}, labels, tokens, meta or {})
        return _collection(name, index_of(held), said, held.__getitem__, lambda i: words(held[i]))

    @classmethod
    def read(
        cls,
        run: Run,
        name: str,
        *,
        kinds: Mapping[str, str] | None = None,
        annotations: RunAnnotations | None = None,
    ) -> "Collection":
        """The trajectories that a run saved under `name`, with all credits and truths of the run.

        Args:
            run: the run.
            name: of a file of trajectories.
            kinds: task id -> kind of task, instead of those of `Run.tasks`.
            annotations: `RunAnnotations.of(run)`, if it was read already.

        Raises:
            StoreError: there is no such file.
            ValueError: a line is invalid (names file and line), or there is no trajectory.
        """
        records = run.peek_trajectories(name)
        annotations = annotations or RunAnnotations.of(run)
        title = f"{run.path.name} / {name}"

        def open_at(position: int) -> Trajectory:
            try:
                return decode_trajectory(records[position])
            except ValueError as error:
                raise ValueError(f"{title}, trajectory {position} of {len(records)}: {error}") from error

        return _collection(
            title,
            index_of_records(records),
            annotations if kinds is None else annotations._replace(kinds=kinds),
            open_at,
            lambda i: record_words(records[i]),
        )

    def __len__(self) -> int:
        """N, the number of trajectories."""
        return len(self.index)

    def __contains__(self, trajectory_id: object) -> bool:
        """Whether a trajectory has that id."""
        return trajectory_id in self._positions

    @property
    def sources(self) -> list[str]:
        """Sources of credit, those of models first."""
        known = dict.fromkeys(source for by_source in self._credits.values() for source in by_source)
        return [*(source for source in known if source not in MODEL_FREE), *MODEL_FREE]

    @property
    def has_truths(self) -> bool:
        """Whether any trajectory was measured."""
        return bool(self._truths)

    def position(self, trajectory_id: str) -> int:
        """Position of the trajectory with that id; raises ValueError if there is none."""
        if trajectory_id not in self._positions:
            raise ValueError(f"{self.name}: no trajectory {trajectory_id!r} among {len(self)}")
        return self._positions[trajectory_id]

    def trajectory(self, position: int) -> Trajectory:
        """The trajectory at a position; raises ValueError naming it if its record is invalid."""
        return self._open(position)

    def credits(self, position: int, sources: Sequence[str]) -> list[Credit]:
        """Credits by these sources, in their order; a source without one is left out."""
        by_source = self._credits.get(self._id(position), {})
        credits = []
        for source in sources:
            if source in by_source:
                credits.append(by_source[source])
            elif source in MODEL_FREE and (trajectory := self.trajectory(position)).outcome is not None:
                credits.append(MODEL_FREE[source](trajectory))
        return credits

    def truth(self, position: int) -> ValueTruth | None:
        """The measured values; None if the trajectory was not measured."""
        return self._truths.get(self._id(position))

    def labels(self, position: int) -> list[Labels]:
        """What people or judges say of the steps."""
        return self._labels.get(self._id(position), [])

    def tokens(self, position: int) -> list[TokenNumbers]:
        """Numbers of the tokens that a log holds."""
        return self._tokens.get(self._id(position), [])

    def meta(self, position: int) -> Mapping[str, Any]:
        """Fields of a log that have no place in a trajectory."""
        return self._meta.get(self._id(position), {})

    def disagreements(self, source: str) -> FloatArray:
        """(N,) float64, outcome units: `trajectory.disagreement`; NaN without a truth or a credit.

        The array is kept for the next call and cannot be written to.
        """
        if source not in self._gaps:
            result = np.full(len(self), np.nan)
            for trajectory_id, truth in self._truths.items():
                position = self._positions[trajectory_id]
                for credit in self.credits(position, [source]):
                    result[position] = disagreement(credit, truth)
            result.flags.writeable = False
            self._gaps[source] = result
        return self._gaps[source]

    def path(self, position: int, source: str) -> FloatArray | None:
        """(T + 1,) float64, outcome units: measured values, or else the running sum of a recorded credit."""
        truth = self.truth(position)
        if truth is not None:
            return truth.values
        credit = self._credits.get(self._id(position), {}).get(source)
        return None if credit is None else running_sum(credit)

    def text(self, position: int) -> str:
        """All texts of a trajectory, which a search looks through."""
        return self._text(position)

    def same_task(self, other: "Collection", position: int) -> list[int]:
        """Positions of the episodes here of the task that another collection has at a position.

        By task id where the two collections share any, else by the task sentence, if there is one.
        """
        column = self._shared(other)
        return self._tasks(column).get(other.index[column].iat[position], [])

    def ending_otherwise(self, other: "Collection") -> set[int]:
        """Positions of the episodes here of whose task the other collection has one of another success."""
        column, ends = self._shared(other), successes(other.index)
        seen = {task: {ends[at] for at in positions} for task, positions in other._tasks(column).items()}
        own = enumerate(zip(self.index[column], successes(self.index), strict=True))
        return {at for at, (task, success) in own if seen.get(task, set()) - {success}}

    def _shared(self, other: "Collection") -> str:
        """The column of both indices that tells which episodes are of the same task."""
        return (
            "instruction" if self._tasks("task_id").keys().isdisjoint(other._tasks("task_id")) else "task_id"
        )

    def _tasks(self, column: str) -> dict[str, list[int]]:
        """Value of a column of the index, unless it is empty -> positions."""
        if column not in self._groups:
            groups: dict[str, list[int]] = {}
            for position, value in ((at, value) for at, value in enumerate(self.index[column]) if value):
                groups.setdefault(value, []).append(position)
            self._groups[column] = groups
        return self._groups[column]

    def find(self, query: Query) -> list[int]:
        """Positions of the trajectories that the query selects, in its order."""
        index = self.index
        keep = np.ones(len(self), dtype=bool)
        if query.kind:
            keep &= (index["kind"] == query.kind).to_numpy()
        if query.outcome != "all":
            wanted = {"success": True, "failure": False, "unknown": None}[query.outcome]
            keep &= np.array([known is wanted for known in successes(index)], dtype=bool)
        if query.shortest is not None:
            keep &= (index["n_steps"] >= query.shortest).to_numpy()
        if query.longest is not None:
            keep &= (index["n_steps"] <= query.longest).to_numpy()
        if query.disagreement is not None:
            keep &= self.disagreements(query.source) >= query.disagreement  # NaN is never selected
        if query.text.strip():
            keep &= self._containing(query.words)
        positions = np.flatnonzero(keep)
        return [int(position) for position in positions[self._sorted(positions, query)]]

    def to_frame(self) -> pd.DataFrame:
        """A row per trajectory; columns as in `index`."""
        return self.index.copy()

    def _id(self, position: int) -> str:
        return str(self.index["trajectory_id"].iat[position])

    def _containing(self, words: Sequence[str]) -> np.ndarray:
        """(N,) bool: whether every word occurs."""
        if not self._texts:
            self._texts = [self._text(position).lower() for position in range(len(self))]
        return np.array([all(word in content for word in words) for content in self._texts], dtype=bool)

    def _sorted(self, positions: np.ndarray, query: Query) -> np.ndarray:
        """Order of the selected positions, as indices into them."""
        if query.order == "as saved":
            return np.arange(len(positions))
        if query.order.startswith("task"):
            ranks = pd.factorize(self.index["instruction"].str.lower(), sort=True)[0]
            key = ranks if query.order == "task A to Z" else -ranks
        elif query.order.endswith("disagreement"):
            key = self.disagreements(query.source)  # NaN goes last
            key = -key if query.order == "largest disagreement" else key
        else:
            column = "n_steps" if query.order in ("longest", "shortest") else "outcome"
            key = self.index[column].to_numpy(dtype=np.float64)
            # NaN, an unknown outcome, goes last
            key = -key if query.order in ("longest", "highest outcome") else key
        return np.argsort(key[positions], kind="stable")


def successes(index: pd.DataFrame) -> list[bool | None]:
    """(N,) strict success of every trajectory of an index; None where it is unknown."""
    return [None if pd.isna(value) else bool(value) for value in index["success"]]


def _collection(
    name: str,
    index: pd.DataFrame,
    said: RunAnnotations,
    open_at: Callable[[int], Trajectory],
    words: Callable[[int], str],
) -> Collection:
    if index.empty:
        raise ValueError(f"{name}: there is no trajectory")
    positions: dict[str, int] = {}
    for position, trajectory_id in enumerate(index["trajectory_id"]):
        if trajectory_id in positions:
            first = positions[trajectory_id]
            raise ValueError(f"{name}: duplicate trajectory id {trajectory_id!r}, at {first} and {position}")
        positions[trajectory_id] = position
    by_id: dict[str, dict[str, Credit]] = {}
    for credit in said.credits:
        if credit.trajectory_id in positions:
            by_id.setdefault(credit.trajectory_id, {})[credit.source] = credit
    measured = {truth.trajectory_id: truth for truth in said.truths if truth.trajectory_id in positions}
    labels: dict[str, list[Labels]] = {}
    for labelled in said.labels:
        labels.setdefault(labelled.trajectory_id, []).append(labelled)
    tokens: dict[str, list[TokenNumbers]] = {}
    for numbers in said.tokens:
        tokens.setdefault(numbers.trajectory_id, []).append(numbers)
    task_kinds = [said.kinds.get(task_id, UNKNOWN_KIND) for task_id in index["task_id"]]
    index = index.assign(kind=pd.Series(task_kinds, dtype="str"))[list(COLUMNS)]
    return Collection(name, index, open_at, words, by_id, measured, positions, labels, tokens, said.meta)
