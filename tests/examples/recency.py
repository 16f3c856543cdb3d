"""A credit method: later steps get more. `spa-lab fidelity RUN --source tests.examples.recency:RECENCY`"""

from collections.abc import Sequence

import numpy as np

from spa_lab import Credit, CreditMethod, Trajectory


def recency(trajectories: Sequence[Trajectory]) -> list[Credit]:
    """c_t = R * 2^t / (2^T - 1), which sums to R."""
    credits = []
    for trajectory in trajectories:
        weights = 2.0 ** np.arange(len(trajectory))
        credits.append(Credit(trajectory.id, "recency", trajectory.outcome * weights / weights.sum()))
    return credits


RECENCY = CreditMethod(source="recency", origin="tests/examples", give=recency)
