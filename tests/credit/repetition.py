"""A user's own credit method, as it would stand outside the package: repeating an action is worth less."""

import numpy as np

from spa_lab.credit.methods import credit_method
from spa_lab.types import Trajectory


@credit_method("repetition", origin="a rule: an executed action counts 1 the first time, 1/2 the second, ...")
def METHOD(trajectory: Trajectory) -> np.ndarray:
    """R split in proportion to 1/k for the k-th execution of an action, 0 for a refused one."""
    weights, times = np.zeros(len(trajectory)), dict[str, int]()
    for t, step in enumerate(trajectory.steps):
        times[step.action] = times.get(step.action, 0) + 1
        weights[t] = step.grounded / times[step.action]
    return trajectory.outcome * weights / max(weights.sum(), 1e-9)
