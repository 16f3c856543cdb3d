"""Iterations of training with the episodes learnt from, as every table over episodes counts them."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from spa_lab.store import Run


class TrainingIteration(NamedTuple):
    """One iteration of a training method."""

    method: str
    iteration: int
    """From 0."""
    episodes: float
    """Learnt from, up to and with this iteration."""
    metrics: Mapping[str, float]


def training_iterations(run: Run, *, unrecorded: float) -> Iterator[TrainingIteration]:
    """The iterations of all training methods of a run, in order.

    Args:
        run: of this version, or of one that did not record its episodes.
        unrecorded: episodes of an iteration whose metrics do not say how many it played.
    """
    for curve in run.curves():
        if curve.method is None:
            continue
        episodes = 0.0
        for iteration, metrics in enumerate(curve.rows):
            episodes += metrics.get("episodes") or unrecorded
            yield TrainingIteration(str(curve.method), iteration, episodes, metrics)
