"""Step rewards from continuations: the cloned policy goes on from each step, and its outcomes are paid."""

from collections.abc import Callable
from dataclasses import replace

from spa_lab.agent.models import copy_policy
from spa_lab.learn.collect import Collected
from spa_lab.learn.critic import Critic
from spa_lab.learn.estimates import Estimate
from spa_lab.learn.extra_cost import ExtraCost
from spa_lab.learn.method import Learner, TrainingInputs
from spa_lab.learn.on_policy import OnPolicyLearner
from spa_lab.learn.ppo import GAEOnRewards
from spa_lab.learn.step_rewards import CreditSource, FusedReward
from spa_lab.truth.monte_carlo import branch_outcomes
from spa_lab.types import Credit, ValueTruth


def ppo_on_continuations(
    inputs: TrainingInputs,
    formula: Callable[[ValueTruth], Credit],
    pay: Callable[[CreditSource], FusedReward],
) -> Learner:
    """PPO on credits made of the values V(h_0), ..., V(h_T) of the episodes themselves.

    V is the mean outcome of `ppo.branches` continuations of the cloned policy, which does not change, as in
    IPR (arXiv:2406.11176); the world must have snapshots.

    Args:
        inputs: of the method.
        formula: measured values of an episode -> its credit.
        pay: makes step rewards of a source of credits.
    """
    preset = inputs.preset
    config = replace(preset.explore_rollout, temperature=preset.ppo.temperature).of_continuations()
    scorer, extra = copy_policy(inputs.policy, name="cloned"), ExtraCost()
    critic = Critic(inputs.policy, seed=inputs.stream("critic head").randrange(2**31))

    def estimate(collected: Collected) -> list[Estimate]:
        measured = branch_outcomes(
            scorer, inputs.environment, [episode.trajectory for episode in collected.episodes],
            collected.tasks, config, branches=preset.ppo.branches, rng=inputs.rng,
            rows=[episode.row for episode in collected.episodes],
        )  # fmt: skip
        extra.add(rollouts=sum(int(outcomes.counts.sum()) for outcomes in measured))
        credits = [formula(outcomes.to_truth()) for outcomes in measured]
        reward = pay(lambda trajectories, *, rows=None: credits)
        return GAEOnRewards(reward, critic, preset.ppo)(collected)

    return OnPolicyLearner(inputs, estimate, critic=critic, extra=extra)
