"""GiGPO: outcomes compared within a task, and within the visits of one state (arXiv:2505.10978).

A_t = alpha * (norm(R) over the episodes of the task
               + norm(gamma^(T - 1 - t) R) over all visits of the same anchor state) + beta * g_t

on every token of step t; see `credit.methods.gigpo`, whose gamma of 0.95 does not depend on `ppo.gamma`. The
anchor is the text before the step, as published. No critic and no estimator; the clipped update and the KL to
the cloned policy are those of `preset.ppo`, the loss is a mean over steps.

Grounding is paid to its own step only, see `learn.estimates.grounded_credit`.

Departs from the released code, which subtracts its penalty for an invalid action from the step's own reward
before both comparisons, so that it is standardised with it.

Cost: as `rloo`; the comparison of states takes no model.

Fails where hardly any text is read twice within a task: the step's part is then 0 and the episode's is left.
The text before a step is not the whole state, so unlike states may be compared.
"""

from dataclasses import replace
from functools import partial

from spa_lab.credit.methods import gigpo
from spa_lab.learn.collect import Collected
from spa_lab.learn.estimates import Estimate, grounded_credit
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod, check_groups
from spa_lab.learn.on_policy import OnPolicyLearner
from spa_lab.learn.policy_gradient import Objective
from spa_lab.learn.settings_read import GROUNDED, GROUP_SIZE, PLAYED, UPDATE


def make(inputs: TrainingInputs) -> Learner:
    """Groups of `ppo.group_size` episodes, standardised in their groups and not over the batch."""
    config = inputs.preset.ppo

    def estimate(collected: Collected) -> list[Estimate]:
        trajectories = [episode.trajectory for episode in collected.episodes]
        return grounded_credit(collected, gigpo(trajectories)(trajectories), inputs.preset.reward)

    objective = replace(Objective.of(config), normalise=False, mean_over="step")
    return OnPolicyLearner(inputs, estimate, objective=objective, group_size=config.group_size)


METHOD = TrainingMethod(
    name="gigpo",
    title="GiGPO",
    origin="arXiv:2505.10978",
    make=make,
    check=partial(check_groups, settings="ppo", least=2),
    reads=PLAYED | UPDATE | GROUNDED | GROUP_SIZE,
)
