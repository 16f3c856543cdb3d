"""SPA-RL in one offline pass over the cloned policy's explorations, as the released code trains.

r_t = alpha * c_t + beta * g_t,  c_t of the estimator,  R^ = sum_t c_t fitted to R

The estimator's contributions are what the paper describes. Departs from the released code, whose trainer
never receives them (prm/rl_data_org.py:25-73 pays the outcome less the mean of the task's other rollouts) and
multiplies every step reward by T - t - 1 (ppo/step_ppotrainer.py:396).

Cost: as `spa`, without any episode: the explorations are read once more.

Fails where one pass is too little: nothing is learnt from what the changed policy does, and the estimator
credits the very trajectories that it was fitted to.
"""

from spa_lab.configs.presets import Preset
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod, check_gae
from spa_lab.learn.methods.spa import estimated_reward
from spa_lab.learn.ppo import ppo
from spa_lab.learn.recorded import check_explorations, recorded_explorations
from spa_lab.learn.settings_read import CRITIC, FITTED, UPDATE


def make(inputs: TrainingInputs) -> Learner:
    """PPO on `spa.estimated_reward` over the explorations that the estimator was fitted to.

    Raises:
        ValueError: there is no estimator, or there are fewer explorations than iterations.
    """
    return ppo(inputs, estimated_reward(inputs, "spa_offline"), recorded=recorded_explorations(inputs))


def check(preset: Preset) -> None:
    """Raise SettingError for GAE that would ignore a setting, and for fewer explorations than iterations."""
    check_gae(preset)
    check_explorations(preset)


METHOD = TrainingMethod(
    name="spa_offline",
    title="SPA-RL, offline",
    origin="arXiv:2505.20732, trained as in the released code",
    make=make,
    needs=frozenset({"explored", "estimator"}),
    check=check,
    reads=UPDATE | CRITIC | FITTED,
)
