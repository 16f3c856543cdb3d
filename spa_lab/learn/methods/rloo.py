"""REINFORCE with a leave-one-out baseline: the outcome relative to other episodes of the same task.

A_i = R_i - mean of R_j over the other episodes j of the task, on every token of episode i (arXiv:2402.14740).
No critic and no estimator; the clipped update and the KL to the cloned policy are those of `preset.ppo`.
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
    """Groups of `GROUP_SIZE` episodes; advantages are not normalised over the batch.

    The loss is a mean over tokens, so that each episode weighs as much as its length.
    """
    return OnPolicyLearner(
        inputs,
        partial(group_relative, kind="rloo"),
        objective=replace(Objective.of(inputs.preset.ppo), normalise=False),
        group_size=GROUP_SIZE,
    )


METHOD = TrainingMethod(name="rloo", title="RLOO", origin="arXiv:2402.14740", make=make)
