"""PPO on the outcome, paid at the last step (Schulman et al. 2017), and grounding as every method pays it."""

from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod
from spa_lab.learn.ppo import ppo
from spa_lab.learn.step_rewards import outcome


def make(inputs: TrainingInputs) -> Learner:
    """PPO on R at the last step and the grounding of `preset.reward`."""
    return ppo(inputs, outcome(inputs.preset.reward))


METHOD = TrainingMethod(name="terminal", title="terminal reward", origin="PPO, arXiv:1707.06347", make=make)
