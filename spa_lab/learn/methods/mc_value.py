"""PPO on measured values as step rewards: the "MC" arm of arXiv:2505.20732 as IPR measures it.

c_t = V(h_{t+1}), R at the last step                                                       arXiv:2406.11176

V is the mean outcome of continuations of the cloned policy, see `learn.continued`. A value already holds all
that follows, so its sum over steps counts the outcome about T times and pays for long episodes; the method
`mc_difference` pays what each step changed.

Not stated in arXiv:2505.20732: continuations, values or differences. Here `ppo.branches` continuations (IPR:
5), and the sum is not corrected to the outcome, whatever `reward.residual` says.

Cost: T * `ppo.branches` continuations for each episode; the world must have snapshots.

Fails where episodes may be prolonged: each step is paid the whole future, so more steps are paid more.
"""

from functools import partial

from spa_lab.credit.methods.monte_carlo import value
from spa_lab.learn.continued import ppo_on_continuations
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod, check_gae
from spa_lab.learn.settings_read import BRANCHES, CRITIC, GROUNDED, PLAYED, UPDATE
from spa_lab.learn.step_rewards import paid_as_it_is


def make(inputs: TrainingInputs) -> Learner:
    """PPO on the value after each step."""
    formula = partial(value, source="mc_value")
    return ppo_on_continuations(inputs, formula, partial(paid_as_it_is, inputs.preset.reward))


METHOD = TrainingMethod(
    name="mc_value",
    title="Monte Carlo values",
    origin="arXiv:2505.20732, IPR, arXiv:2406.11176",
    make=make,
    check=check_gae,
    reads=PLAYED | UPDATE | CRITIC | GROUNDED | BRANCHES,
)
