"""Leave one step out: by how much does the predicted outcome of the text fall without this step?"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from spa_lab.credit.methods.base import Cost, CreditMethod
from spa_lab.types import Credit, FloatArray, Trajectory

Predict = Callable[[Sequence[Trajectory]], FloatArray]
"""N trajectories -> (N,) predicted outcomes, outcome units."""


def occlusion(predict: Predict, *, fitting: Cost) -> CreditMethod:
    """c_t = f(trajectory) - f(trajectory without step t), text and reply of the step removed.

    The other steps stay as they were played, so the shortened text may be no possible episode. The
    differences need not sum to f. For a trajectory of one step, that step receives f.

    Zeiler & Fergus 2014 (occlusion); leave-one-out attribution.

    Args:
        predict: a return predictor; called with T + 1 texts per trajectory.
        fitting: what the predictor cost.
    """

    def assign(trajectories: Sequence[Trajectory]) -> list[Credit]:
        whole = predict(trajectories)  # (N,)
        shortened = [
            without(trajectory, t)
            for trajectory in trajectories
            for t in range(len(trajectory))
            if len(trajectory) > 1
        ]
        remaining = iter(predict(shortened) if shortened else np.empty(0))
        credits = []
        for trajectory, predicted in zip(trajectories, whole, strict=True):
            rest = [next(remaining) if len(trajectory) > 1 else 0.0 for _ in trajectory.steps]
            credits.append(Credit(trajectory.id, "occlusion", predicted - np.array(rest, dtype=np.float64)))
        return credits

    return CreditMethod("occlusion", "leave one step out", assign, fitting)


def without(trajectory: Trajectory, step: int) -> Trajectory:
    """The trajectory, T > 1, with one step removed from its text."""
    kept = trajectory.steps[:step] + trajectory.steps[step + 1 :]
    return replace(trajectory, id=f"{trajectory.id}~{step}", steps=kept)
