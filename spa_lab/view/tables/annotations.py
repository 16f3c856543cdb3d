"""What a run holds beside trajectories: credits, measured values, kinds, labels and numbers of tokens."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

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

    @classmethod
    def of(cls, run: Run) -> "RunAnnotations":
        """Read them all; `Run.credits` and `Run.truth` say which file counts where two hold the same."""
        credits = [credit for by_id in run.credits().values() for credit in by_id.values()]
        kinds = {task.id: task.kind for task in run.tasks().values() if task.kind}
        return cls(credits, list(run.truth().values()), kinds, run.labels(), run.tokens())
