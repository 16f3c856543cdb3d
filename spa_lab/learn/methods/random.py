"""PPO on a random split of R, fused with grounding: the "Random" arm of arXiv:2505.20732.

r_t = alpha * c_t + beta * g_t,  c = R * d,  d from a flat Dirichlet distribution over the steps

Cost: as `terminal`.

Fails where steps differ: the split says nothing. It is the control for methods whose split is to say
something.
"""

from collections.abc import Sequence

from spa_lab import rewards
from spa_lab.agent.codec import TokenRow
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod, check_gae
from spa_lab.learn.ppo import ppo
from spa_lab.learn.settings_read import CRITIC, PLAYED, SPLIT, UPDATE
from spa_lab.learn.step_rewards import fused
from spa_lab.types import Credit, Trajectory


def make(inputs: TrainingInputs) -> Learner:
    """PPO on the outcome split at random, a fresh draw for each episode."""

    def credits(
        trajectories: Sequence[Trajectory], *, rows: Sequence[TokenRow] | None = None
    ) -> list[Credit]:
        return [rewards.random(trajectory, rng=inputs.generator) for trajectory in trajectories]

    return ppo(inputs, fused(inputs.preset.reward, credits))


METHOD = TrainingMethod(
    name="random",
    title="outcome split at random",
    origin="arXiv:2505.20732",
    make=make,
    check=check_gae,
    reads=PLAYED | UPDATE | CRITIC | SPLIT,
)
