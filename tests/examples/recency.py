"""A credit method: later steps get more. `spa-lab fidelity RUN --source tests.examples.recency:recency`."""

import numpy as np

from spa_lab import Trajectory, credit_method


@credit_method("recency", origin="tests/examples")
def recency(trajectory: Trajectory) -> np.ndarray:
    """c_t = R * 2^t / (2^T - 1), which sums to R."""
    weights = 2.0 ** np.arange(len(trajectory))
    return trajectory.outcome * weights / weights.sum()
