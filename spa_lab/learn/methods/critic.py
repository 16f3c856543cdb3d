"""PPO on the TD errors of an ensemble critic, fused with grounding (ours).

r_t = alpha * c_t + beta * g_t,  c_t = V(h_{t+1}) - V(h_t),  V(h_T) = R

The critic reads the cloned policy's features and is fitted to its explorations once, before training.

Cost: one fit of small heads before training; one reading of each episode by the cloned policy.

Fails where the policy leaves what the cloned one did: V stays that of the clone, and is not fitted again.
"""

from collections.abc import Sequence
from functools import partial

from spa_lab.agent.codec import TokenRow
from spa_lab.agent.models import copy_policy
from spa_lab.credit.methods import Cost, critic_td
from spa_lab.learn.ensemble_critic import EnsembleCriticConfig, fit_ensemble_critic
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod, check_gae
from spa_lab.learn.ppo import ppo
from spa_lab.learn.settings_read import CRITIC, FITTED, PLAYED, UPDATE
from spa_lab.learn.step_rewards import fused
from spa_lab.types import Credit, Trajectory


def make(inputs: TrainingInputs) -> Learner:
    """PPO on c_t = V(h_{t+1}) - V(h_t) with the critic's V.

    Raises:
        ValueError: there are no explorations.
    """
    if not inputs.explored:
        raise ValueError("method 'critic' needs explored trajectories")
    cloned = copy_policy(inputs.policy, name="cloned")
    config = EnsembleCriticConfig(heads=min(5, len({trajectory.task_id for trajectory in inputs.explored})))
    explored, sampled = inputs.explored, inputs.explored_rows
    critic = fit_ensemble_critic(cloned, explored, config, rng=inputs.stream("critic"), rows=sampled)

    def credits(
        trajectories: Sequence[Trajectory], *, rows: Sequence[TokenRow] | None = None
    ) -> list[Credit]:
        return critic_td(partial(critic.values, rows=rows), fitting=Cost(), source="critic")(trajectories)

    return ppo(inputs, fused(inputs.preset.reward, credits, explored=explored, rows=sampled))


METHOD = TrainingMethod(
    name="critic",
    title="critic's TD errors",
    origin="ours",
    make=make,
    needs=frozenset({"explored"}),
    check=check_gae,
    reads=PLAYED | UPDATE | CRITIC | FITTED,
)
