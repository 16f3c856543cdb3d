"""Leave one step out: how much lower is the predicted outcome of the same text without this step?"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from spa_lab.credit.methods.base import Cost, CreditMethod
from spa_lab.types import Credit, FloatArray, Trajectory

Predict = Callable[[Sequence[Trajectory]], FloatArray]
"""N trajectories -> (N,) predicted outcomes, outcome units."""


def occlusion(predict: Predict, *, fitting: Cost) -> CreditMethod:
    """c_t = f(trajectory) - f(trajectory without step t), text and reply of the step removed.

    The other steps stay as they were played, so what is read may be no possible episode. The differences
    need not sum to f. A trajectory of one step has nothing left without it: that step gets f whole.

    Zeiler & Fergus 2014 (occlusion); leave-one-out attribution.

    Args:
        predict: a return predictor; asked for T + 1 texts per trajectory.
        fitting: what the predictor cost.
    """

    def give(trajectories: Sequence[Trajectory]) -> list[Credit]:
        whole = predict(trajectories)
        shorter = [without(one, t) for one in trajectories for t in range(len(one)) if len(one) > 1]
        lacking = iter(predict(shorter) if shorter else np.empty(0))
        credits = []
        for one, found in zip(trajectories, whole, strict=True):
            rest = [next(lacking) if len(one) > 1 else 0.0 for _ in range(len(one))]
            credits.append(Credit(one.id, "occlusion", found - np.array(rest, dtype=np.float64)))
        return credits

    return CreditMethod("occlusion", "leave one step out", give, fitting)


def without(trajectory: Trajectory, step: int) -> Trajectory:
    """The trajectory, T > 1, with one step taken out of its text."""
    kept = trajectory.steps[:step] + trajectory.steps[step + 1 :]
    return replace(trajectory, id=f"{trajectory.id}~{step}", steps=kept)
