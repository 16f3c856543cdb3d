"""Credit methods behind one interface: trajectories in, one `Credit` for each out, and its cost.

Methods are made by plain functions. What a method must learn or play is passed in as a callable, so that
formulas can be read and tested without a model.
"""

from spa_lab.credit.methods.base import Cost, CreditMethod, Measured, credit_method, measure
from spa_lab.credit.methods.baselines import (
    GROUNDING,
    MEAN,
    TERMINAL,
    leave_one_out,
    random_split,
    step_index,
)
from spa_lab.credit.methods.bisection import bisection
from spa_lab.credit.methods.gigpo import gigpo
from spa_lab.credit.methods.learned import critic_gae, critic_td, estimator_credit, prediction_difference
from spa_lab.credit.methods.monte_carlo import ipr, math_shepherd, monte_carlo_difference
from spa_lab.credit.methods.occlusion import occlusion

__all__ = [
    "GROUNDING",
    "MEAN",
    "TERMINAL",
    "Cost",
    "CreditMethod",
    "Measured",
    "bisection",
    "credit_method",
    "critic_gae",
    "critic_td",
    "estimator_credit",
    "gigpo",
    "ipr",
    "leave_one_out",
    "math_shepherd",
    "measure",
    "monte_carlo_difference",
    "occlusion",
    "prediction_difference",
    "random_split",
    "step_index",
]
