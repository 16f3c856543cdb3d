"""Monte Carlo progress at the few steps that bisection finds, as the advantage of each step.

A_t = alpha * (V(h_b) - V(h_a)) / (b - a) + beta * g_t   between measured steps a <= t < b

as `rewards.fuse` pays it. V is the mean outcome of `ppo.branches` continuations of the current policy, and
V(h_T) = R; `truth.bisection` says which steps are measured. Departs from VinePPO (arXiv:2410.01679), which
measures every step, as the method `monte_carlo` does: here a change between two measured steps is divided
evenly among the steps between.

Cost: `ppo.branches` continuations at 7 steps of each episode or fewer; the world must have snapshots.

Fails where a gain and a loss between two measured steps cancel, and with few continuations: noise looks like
a change, and values are spent on it.
"""

from dataclasses import replace

import numpy as np

from spa_lab import rewards
from spa_lab.credit.methods.bisection import divided
from spa_lab.learn.collect import Collected
from spa_lab.learn.estimates import Estimate, step_credit
from spa_lab.learn.extra_cost import ExtraCost
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod
from spa_lab.learn.on_policy import OnPolicyLearner
from spa_lab.learn.settings_read import BRANCHES, PLAYED, SPLIT, UPDATE
from spa_lab.truth.bisected import bisected_values
from spa_lab.types import Credit


def make(inputs: TrainingInputs) -> Learner:
    """Progress under the current policy, measured anew in each iteration; the world must have snapshots."""
    preset, ppo = inputs.preset, inputs.preset.ppo
    config = replace(preset.explore_rollout, temperature=ppo.temperature).of_continuations()
    extra = ExtraCost()

    def estimate(collected: Collected) -> list[Estimate]:
        trajectories = [episode.trajectory for episode in collected.episodes]
        measured = bisected_values(
            inputs.policy, inputs.environment, trajectories, collected.tasks, config,
            branches=ppo.branches, rng=inputs.rng, rows=[episode.row for episode in collected.episodes],
        )  # fmt: skip
        extra.add(rollouts=sum(values.rollouts for values in measured))
        credits = []
        for trajectory, known in zip(trajectories, measured, strict=True):
            changes = divided(known.values, np.zeros(len(trajectory)))
            progress = Credit(trajectory.id, "mc_bisection", changes, known.values[0])
            paid = rewards.fuse(trajectory, progress, preset.reward)
            credits.append(Credit(trajectory.id, "mc_bisection", paid))
        return step_credit(collected, credits)

    return OnPolicyLearner(inputs, estimate, extra=extra)


METHOD = TrainingMethod(
    name="mc_bisection",
    title="Monte Carlo, bisection",
    origin="ours, after VinePPO, arXiv:2410.01679",
    make=make,
    reads=PLAYED | UPDATE | SPLIT | BRANCHES,
)
