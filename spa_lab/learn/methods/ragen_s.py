"""RAGEN's StarPO-S: StarPO on the tasks whose outcomes differ most (arXiv:2504.20073).

A_i = G_i - V_i,  G_i the sum of all rewards from token i on, in the groups that are kept

Of the groups of an iteration, the quarter with the largest standard deviation of the outcome is learnt from
(released code: `rollout_filter_ratio` 0.25); the probability ratio is clipped at 1 - 0.2 and 1 + 0.28; there
is no KL to the cloned policy. Otherwise as the method `ragen`, and all episodes count as played.

The passes over what is kept are `ppo.epochs` / 0.25, so that an iteration makes about as many updates as in
other methods. Departs from the released code: there the updates shrink with the filter, and training goes on
for many more iterations; in the few of our presets the policy then hardly moved, though its advantages were
as good as those of `ragen` (probe world "gates"). Departs from it, too, where fewer groups than the quarter
differ: groups of equal outcomes are never learnt from, while there ties fill it.

Cost: as `ragen`; three quarters of the episodes are played and not learnt from.

Fails where groups rarely differ, because tasks are always or never solved: an iteration then learns from few
episodes, and from few tasks unless groups are small. Without a KL the policy may drift.
"""

from dataclasses import replace
from functools import partial

from spa_lab.learn.collect import widest_spread
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod, check_groups
from spa_lab.learn.methods.ragen import ENTROPY, starpo
from spa_lab.learn.policy_gradient import Objective
from spa_lab.learn.ppo import ppo, with_ppo
from spa_lab.learn.settings_read import GROUNDED, GROUP_SIZE, PLAYED, UPDATE
from spa_lab.learn.step_rewards import outcome

KEPT = 0.25
"""Share of the groups that is learnt from."""
CLIP_LOW, CLIP_HIGH = 0.2, 0.28


def make(inputs: TrainingInputs) -> Learner:
    """As `ragen.make`, filtered, with more passes, an asymmetric clip range and without KL."""
    inputs = starpo(inputs)
    inputs = with_ppo(inputs, epochs=round(inputs.preset.ppo.epochs / KEPT))
    config = inputs.preset.ppo
    objective = replace(
        Objective.of(config), clip_low=CLIP_LOW, clip_high=CLIP_HIGH, kl_coef=0.0, entropy_coef=ENTROPY
    )
    return ppo(
        inputs,
        outcome(inputs.preset.reward),
        objective=objective,
        group_size=config.group_size,
        keep=widest_spread(KEPT),
    )


METHOD = TrainingMethod(
    name="ragen_s",
    title="RAGEN, StarPO-S",
    origin="arXiv:2504.20073",
    make=make,
    check=partial(check_groups, settings="ppo", least=2),
    reads=(UPDATE - {"ppo.clip", "ppo.kl_coef"})
    | (PLAYED | GROUP_SIZE | GROUNDED | {"ppo.gamma_step", "ppo.vf_coef"}),
)
