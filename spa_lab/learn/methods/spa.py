"""SPA-RL: PPO on the progress estimator's contributions, fused with grounding (arXiv:2505.20732).

r_t = alpha * c_t + beta * g_t,  c_t of the estimator,  R^ = sum_t c_t fitted to R

The estimator is fitted once, before training, and its contributions are summed by GAE, as published.

Cost: the explorations and one fit of the estimator before training; one reading of each episode by it.

Fails where the outcome does not decide how it is split, see `learn.estimator`: where failures run into the
step limit, an estimator can explain R by the number of steps and pay the first step. A policy that plays
online can also find texts that the fixed estimator overpays (`reward.clip`, `reward.residual`).
"""

from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod, check_gae
from spa_lab.learn.ppo import ppo
from spa_lab.learn.settings_read import CRITIC, FITTED, PLAYED, UPDATE
from spa_lab.learn.step_rewards import FusedReward, fused


def estimated_reward(inputs: TrainingInputs, method: str) -> FusedReward:
    """r_t = alpha * c_t + beta * g_t with c_t of the estimator.

    Raises:
        ValueError: there is no estimator, or no exploration that it was fitted to; names the `method`.
    """
    estimator = inputs.estimator
    if estimator is None or not inputs.explored:
        raise ValueError(f"method {method!r} needs a fitted progress estimator and the explored trajectories")
    return fused(inputs.preset.reward, estimator.credit, explored=inputs.explored, rows=inputs.explored_rows)


def make(inputs: TrainingInputs) -> Learner:
    """PPO on `estimated_reward`."""
    return ppo(inputs, estimated_reward(inputs, "spa"))


METHOD = TrainingMethod(
    name="spa",
    title="SPA-RL",
    origin="arXiv:2505.20732",
    make=make,
    needs=frozenset({"explored", "estimator"}),
    check=check_gae,
    reads=PLAYED | UPDATE | CRITIC | FITTED,
)
