"""Ways to give credit, behind one interface: trajectories in, one `Credit` for each out, and what it cost.

Plain functions make the methods; what a method must learn or play is handed to it as a callable, so that
formulas can be read and tested without a model.
"""

from spa_lab.credit.methods.anchors import anchor_states
from spa_lab.credit.methods.base import Cost, CreditMethod, Measured, measure
from spa_lab.credit.methods.branching import (
    monte_carlo_difference,
    monte_carlo_possible,
    monte_carlo_value,
)
from spa_lab.credit.methods.occlusion import occlusion
from spa_lab.credit.methods.readers import critic_gae, critic_td, estimator_credit, prediction_difference
from spa_lab.credit.methods.trivial import (
    GROUNDING,
    MEAN,
    TERMINAL,
    clock,
    leave_one_out,
    random_split,
)

__all__ = [
    "GROUNDING",
    "MEAN",
    "TERMINAL",
    "Cost",
    "CreditMethod",
    "Measured",
    "anchor_states",
    "clock",
    "critic_gae",
    "critic_td",
    "estimator_credit",
    "leave_one_out",
    "measure",
    "monte_carlo_difference",
    "monte_carlo_possible",
    "monte_carlo_value",
    "occlusion",
    "prediction_difference",
    "random_split",
]
