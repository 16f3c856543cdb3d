"""What the released code of SPA-RL trains on: the outcome relative to the task's other rollouts, offline.

r_t = (T - t - 1) * (alpha * (R - mean R of the task's other explorations) + beta * g_t)

The estimator's output never reaches the released trainer: prm/rl_data_org.py:25-73 pays every step the
leave-one-out outcome, and grounding by the text "Nothing happens", and ppo/step_ppotrainer.py:396 multiplies
by T - t - 1, so that the last step is paid nothing. GAE runs over all tokens, observations included, with
0.99 and 0.95 (trl 0.10.1); log-probabilities are those of the policy of the update, see `learn.recorded`.

alpha, beta and the form of the grounding are those of `preset.reward`, as in every method; the released ones
are 1, 0.5 and "bonus". Departs from the released code, which leaves out trajectories of 35 turns and more and
all but the first 1,596, and where the constant first reply "OK" is a step, with the largest weight.

Cost: no episode is played and nothing is fitted; the explorations are read once.

Fails where steps differ: all of an episode have one sign, early ones the largest weight, the last one none.
Tasks of which all explorations ended alike teach the grounding alone.
"""

from collections.abc import Sequence
from dataclasses import replace

from spa_lab import rewards
from spa_lab.agent.codec import TokenRow
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod
from spa_lab.learn.ppo import ppo, with_ppo
from spa_lab.learn.recorded import check_explorations, recorded_explorations
from spa_lab.learn.settings_read import UPDATE
from spa_lab.learn.step_rewards import FusedReward
from spa_lab.types import Credit, Trajectory


def released_reward(inputs: TrainingInputs) -> FusedReward:
    """The released step rewards; trajectories are compared with all explorations of their task."""
    explored = {trajectory.id for trajectory in inputs.explored}

    def credits(
        trajectories: Sequence[Trajectory], *, rows: Sequence[TokenRow] | None = None
    ) -> list[Credit]:
        others = [trajectory for trajectory in trajectories if trajectory.id not in explored]
        compared = rewards.leave_one_out([*inputs.explored, *others])
        known = {credit.trajectory_id: credit for credit in compared}
        return [known[trajectory.id] for trajectory in trajectories]

    config = replace(
        inputs.preset.reward,
        residual="kept",
        clip=False,
        step_weight="remaining",
        grounding_rule="substring",
    )
    return FusedReward(config, credits)


def make(inputs: TrainingInputs) -> Learner:
    """One pass over the explorations.

    Raises:
        ValueError: there are fewer explorations than iterations.
    """
    inputs = with_ppo(inputs, gae_level="token", gae_over="all_tokens", gamma=0.99, lam=0.95, gamma_step=None)
    return ppo(inputs, released_reward(inputs), recorded=recorded_explorations(inputs))


METHOD = TrainingMethod(
    name="spa_released",
    title="SPA-RL, released rule",
    origin="WangHanLinHenry/SPA-RL-Agent at ed20087",
    make=make,
    needs=frozenset({"explored"}),
    check=check_explorations,
    reads=UPDATE | {"ppo.vf_coef", "reward.alpha", "reward.beta", "reward.grounding_form"},
)
