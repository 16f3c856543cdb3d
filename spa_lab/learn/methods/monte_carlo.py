"""Monte Carlo progress as the advantage of each step: the oracle of step-wise credit.

A_t = alpha * (V(h_{t+1}) - V(h_t)) + beta * g_t                              VinePPO, arXiv:2410.01679

as `rewards.fuse` pays it, on every token of step t. V is the mean outcome of `ppo.branches` continuations of
the current policy from each step of its own episodes, and V(h_T) = R. No critic, no estimator, and nothing is
summed over later steps; what a refused action does to the grounding of later steps is not measured. It plays
T * `ppo.branches` continuations for each training episode, so it says what perfect credit could give, not
what it costs.

Cost: T * `ppo.branches` continuations for each episode; the world must have snapshots.

Fails where continuations are few: the standard error of a difference of two means of n outcomes is up to
sqrt(1 / (2 n)).
"""

from dataclasses import replace

from spa_lab import rewards
from spa_lab.credit.methods.monte_carlo import difference
from spa_lab.learn.collect import Collected
from spa_lab.learn.estimates import Estimate, step_credit
from spa_lab.learn.extra_cost import ExtraCost
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod
from spa_lab.learn.on_policy import OnPolicyLearner
from spa_lab.learn.settings_read import BRANCHES, PLAYED, SPLIT, UPDATE
from spa_lab.truth.monte_carlo import branch_outcomes
from spa_lab.types import Credit


def make(inputs: TrainingInputs) -> Learner:
    """Progress under the current policy, measured anew in each iteration; the world must have snapshots."""
    preset, ppo = inputs.preset, inputs.preset.ppo
    config = replace(preset.explore_rollout, temperature=ppo.temperature).of_continuations()
    extra = ExtraCost()

    def estimate(collected: Collected) -> list[Estimate]:
        trajectories = [episode.trajectory for episode in collected.episodes]
        measured = branch_outcomes(
            inputs.policy, inputs.environment, trajectories, collected.tasks, config,
            branches=ppo.branches, rng=inputs.rng, rows=[episode.row for episode in collected.episodes],
        )  # fmt: skip
        extra.add(rollouts=sum(int(outcomes.counts.sum()) for outcomes in measured))
        credits = []
        for trajectory, outcomes in zip(trajectories, measured, strict=True):
            progress = difference(outcomes.to_truth(), "monte_carlo")
            paid = rewards.fuse(trajectory, progress, preset.reward)
            credits.append(Credit(trajectory.id, "monte_carlo", paid))
        return step_credit(collected, credits)

    return OnPolicyLearner(inputs, estimate, extra=extra)


METHOD = TrainingMethod(
    name="monte_carlo",
    title="Monte Carlo",
    origin="VinePPO, arXiv:2410.01679",
    make=make,
    reads=PLAYED | UPDATE | SPLIT | BRANCHES,
)
