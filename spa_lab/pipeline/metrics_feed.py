"""Metrics handed to a function while a run is trained: `spa_lab.train(..., on_metrics=...)`.

Stages run in worker processes and save their curves in the run folder; the process that called `train` reads
what is new there and hands it on. So a function needs not be sent to other processes, and a run that is
resumed goes on where the function had got to: the run folder says how many rows it has received.
"""

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from spa_lab.store import Run
from spa_lab.store.deliveries import delivered_rows, note_delivered
from spa_lab.types import Trajectory

LOOK_SECONDS = 1.0
"""Between two looks at the curves of running stages."""
EVALUATE = "evaluate"
"""Stage of the rows that sum up an evaluation."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class MetricsRow:
    """What one update, iteration or evaluation measured."""

    stage: str
    """"clone", "estimate", "ppo" or "evaluate"."""
    method: str | None
    """The training method; of an evaluation the policy, which may be "base" or "cloned"; None for the stages
    that all methods share."""
    iteration: int
    """Index in its curve, from 0: an iteration of a training method, an update of "clone" and "estimate"; 0
    for an evaluation."""
    values: Mapping[str, float | str | None]
    """Metric -> value; None where it is undefined. Of an evaluation: "PANEL/episodes" and the means
    "PANEL/success" and "PANEL/outcome", in [0, 1], over the episodes of which they are known."""

    @property
    def numbers(self) -> dict[str, float]:
        """The values that are finite numbers, for receivers that take no others."""
        values = {name: value for name, value in self.values.items() if isinstance(value, int | float)}
        return {name: float(value) for name, value in values.items() if math.isfinite(value)}


OnMetrics = Callable[[MetricsRow], object]
"""Called with each row, in the order of each curve. What it has received is remembered under its attribute
`name`, "on_metrics" without one."""


_Source = Callable[[Run, Mapping[str, int]], Iterator[tuple[str, MetricsRow]]]
"""A run, and for each curve the number of rows that were received -> names of curves, with new rows."""


class MetricsFeed:
    """Hands the rows of a run to a function, each once.

    A row counts as received when the function returns. If the function raises, that is logged and it gets
    nothing more from this feed, while training goes on; what it missed is handed over by a later feed. A
    process that is killed before it has noted the rows of one look hands these over again.

    Args:
        run: into which this process writes.
        receive: the function; None: nothing is done.
    """

    def __init__(self, run: Run, receive: OnMetrics | None) -> None:
        self.run, self.receive = run, receive
        self.name = str(getattr(receive, "name", "on_metrics"))
        self._received = delivered_rows(run.path, self.name) if receive else {}
        self._looked = -math.inf
        self._seen: list[tuple[str, int]] = []

    def look(self) -> None:
        """Hand over new rows of the curves; does nothing if it was called a moment ago."""
        if self.receive is not None and perf_counter() - self._looked > LOOK_SECONDS:
            self._hand_over(_curves)

    def deliver(self) -> None:
        """Hand over all that is new, evaluations included."""
        if self.receive is not None:
            self._hand_over(_curves, _evaluations)

    def _hand_over(self, *sources: _Source) -> None:
        before = dict(self._received)
        for source in sources:
            if source is _curves and not self._curves_changed():
                continue
            for curve, row in source(self.run, before):
                if self.receive is not None:
                    self._pass_on(curve, row)
        if self._received != before:
            note_delivered(self.run.path, self.name, self._received)
        self._looked = perf_counter()

    def _pass_on(self, curve: str, row: MetricsRow) -> None:
        assert self.receive is not None
        try:
            self.receive(row)
        except Exception as error:  # noqa: BLE001  whatever it is, training is worth more
            self.receive = None
            _LOG.debug("what %s raised:", self.name, exc_info=True)
            _LOG.warning(
                "%s raised %s: %s. It gets no more metrics; training goes on, all metrics are in %s, and "
                "what is missing is handed over when `train` is called again",
                self.name, type(error).__name__, error, self.run.path / "metrics",
            )  # fmt: skip
            return
        self._received[curve] = self._received.get(curve, 0) + 1

    def _curves_changed(self) -> bool:
        """Whether a file of a curve was written since the last call."""
        files = sorted((self.run.path / "metrics").glob("*.jsonl"))
        seen = [(file.name, file.stat().st_mtime_ns) for file in files]
        changed, self._seen = seen != self._seen, seen
        return changed


def _curves(run: Run, received: Mapping[str, int]) -> Iterator[tuple[str, MetricsRow]]:
    """The rows of the curves that are new."""
    for curve in run.curves():
        first = received.get(curve.name, 0)
        for i, row in enumerate(curve.rows[first:], first):
            yield curve.name, MetricsRow(curve.stage, curve.method, i, row)


def _evaluations(run: Run, received: Mapping[str, int]) -> Iterator[tuple[str, MetricsRow]]:
    """One row for each evaluation that is new."""
    for entry in run.trajectory_sets():
        if entry.role == "evaluation" and entry.name not in received:
            values = {f"{entry.panel}/{name}": value for name, value in _summary(entry.load()).items()}
            yield entry.name, MetricsRow(EVALUATE, entry.policy, 0, values)


def _summary(episodes: Sequence[Trajectory]) -> dict[str, float]:
    """Counts and means of an evaluation; a mean of which nothing is known is left out."""
    known = {
        "success": [float(episode.success) for episode in episodes if episode.success is not None],
        "outcome": [episode.outcome for episode in episodes if episode.outcome is not None],
    }
    means = {name: float(np.mean(values)) for name, values in known.items() if values}
    return {"episodes": float(len(episodes))} | means
