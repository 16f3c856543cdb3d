"""SPA-RL: PPO on the progress estimator's contributions, fused with grounding (arXiv:2505.20732).

The estimator is fitted once, before training, and its contributions are summed by GAE, as published.
"""

from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod
from spa_lab.learn.ppo import ppo
from spa_lab.learn.step_rewards import FusedReward, fused


def estimated_reward(inputs: TrainingInputs, method: str) -> FusedReward:
    """r_t = alpha * c_t + beta * g_t with c_t of the estimator.

    Raises:
        ValueError: there is no estimator, or no exploration that it was fitted to; names the `method`.
    """
    estimator = inputs.estimator
    if estimator is None or not inputs.explored:
        raise ValueError(f"method {method!r} needs a fitted progress estimator and the explored trajectories")
    return fused(inputs.preset.reward, estimator.credit, explored=inputs.explored)


def make(inputs: TrainingInputs) -> Learner:
    """PPO on `estimated_reward`."""
    return ppo(inputs, estimated_reward(inputs, "spa"))


METHOD = TrainingMethod(
    name="spa",
    title="SPA-RL",
    origin="arXiv:2505.20732",
    make=make,
    needs=frozenset({"explored", "estimator"}),
)
