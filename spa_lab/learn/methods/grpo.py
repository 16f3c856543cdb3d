"""GRPO: outcomes standardised over the episodes of the same task (arXiv:2402.03300).

A_i = (R_i - mean of R) / std of R over the group, on every token of episode i. No critic; the loss is a mean
over episodes, and the KL to the cloned policy is estimated by k3, as published.
"""

from dataclasses import replace
from functools import partial

from spa_lab.learn.estimates import group_relative
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod
from spa_lab.learn.on_policy import OnPolicyLearner
from spa_lab.learn.policy_gradient import Objective

GROUP_SIZE = 8
"""Episodes of the same task; `preset.ppo.episodes` must be a multiple of it."""


def make(inputs: TrainingInputs) -> Learner:
    """Groups of `GROUP_SIZE` episodes, standardised in the group and not over the batch."""
    objective = replace(Objective.of(inputs.preset.ppo), normalise=False, mean_over="episode", kl_form="k3")
    return OnPolicyLearner(
        inputs, partial(group_relative, kind="grpo"), objective=objective, group_size=GROUP_SIZE
    )


METHOD = TrainingMethod(name="grpo", title="GRPO", origin="arXiv:2402.03300", make=make)
