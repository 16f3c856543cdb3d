"""PPO on measured progress as step rewards, summed by GAE.

c_t = V(h_{t+1}) - V(h_t),  V(h_T) = R                                    after VinePPO, arXiv:2410.01679

V is the mean outcome of `ppo.branches` continuations of the cloned policy, see `learn.continued`. The
contributions sum to R - V(h_0). Departs from the method `monte_carlo`, which continues with the present
policy and takes each contribution as the advantage of its own step: here they are step rewards like those of
the other methods, with a critic.

Cost: T * `ppo.branches` continuations for each episode; the world must have snapshots.

Fails where the policy becomes better than the clone: values are the clone's, so a step is not paid for what
only the present policy can make of it.
"""

from functools import partial

from spa_lab.credit.methods.monte_carlo import difference
from spa_lab.learn.continued import ppo_on_continuations
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod, check_gae
from spa_lab.learn.settings_read import BRANCHES, CRITIC, PLAYED, SPLIT, UPDATE
from spa_lab.learn.step_rewards import fused


def make(inputs: TrainingInputs) -> Learner:
    """PPO on the measured progress of each step."""
    formula = partial(difference, source="mc_difference")
    return ppo_on_continuations(inputs, formula, partial(fused, inputs.preset.reward))


METHOD = TrainingMethod(
    name="mc_difference",
    title="Monte Carlo differences",
    origin="after VinePPO, arXiv:2410.01679",
    make=make,
    check=check_gae,
    reads=PLAYED | UPDATE | CRITIC | SPLIT | BRANCHES,
)
