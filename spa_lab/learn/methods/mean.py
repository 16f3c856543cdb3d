"""PPO on R / T at every step, fused with grounding: the "Mean" arm of arXiv:2505.20732.

r_t = alpha * c_t + beta * g_t,  c_t = R / T

Cost: as `terminal`.

Fails where steps differ: a harmful step of a success is paid as much as the one that decided it. It is a
control.
"""

from collections.abc import Sequence

from spa_lab import rewards
from spa_lab.agent.codec import TokenRow
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod, check_gae
from spa_lab.learn.ppo import ppo
from spa_lab.learn.settings_read import CRITIC, PLAYED, SPLIT, UPDATE
from spa_lab.learn.step_rewards import fused
from spa_lab.types import Credit, Trajectory


def credits(trajectories: Sequence[Trajectory], *, rows: Sequence[TokenRow] | None = None) -> list[Credit]:
    """R / T on every step."""
    return [rewards.mean(trajectory) for trajectory in trajectories]


def make(inputs: TrainingInputs) -> Learner:
    """PPO on the outcome spread evenly."""
    return ppo(inputs, fused(inputs.preset.reward, credits))


METHOD = TrainingMethod(
    name="mean",
    title="outcome spread evenly",
    origin="arXiv:2505.20732",
    make=make,
    check=check_gae,
    reads=PLAYED | UPDATE | CRITIC | SPLIT,
)
