"""What a run holds beside trajectories: credits, measured values, kinds, labels and numbers of tokens."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from spa_lab.store import Run
from spa_lab.types import Credit, Labels, TokenNumbers, ValueTruth


class RunAnnotations(NamedTuple):
    """Of any trajectories of the run."""

    credits: list[Credit]
    truths: list[ValueTruth]
    kinds: Mapping[str, str]
    """Task id -> kind."""
    labels: Sequence[Labels] = ()
    tokens: Sequence[TokenNumbers] = ()
    meta: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
    """Trajectory id -> fields of a log that have no place in a trajectory."""

    @classmethod
    def of(cls, run: Run) -> "RunAnnotations":
        """Read them all; `Run.credits` and `Run.truth` say which file counts where two hold the same."""
        credits = [credit for by_id in run.credits().values() for credit in by_id.values()]
        kinds = {task.id: task.kind for task in run.tasks().values() if task.kind}
        imports = [run.load_import(name)[1] for name in run.names("imports")]
        meta = {trajectory_id: fields for one in imports for trajectory_id, fields in one.items()}
        return cls(credits, list(run.truth().values()), kinds, run.labels(), run.tokens(), meta)
