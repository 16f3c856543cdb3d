"""The built-in credit sources that play continuations, made for one experiment."""

from collections.abc import Callable, Mapping, Sequence

from spa_lab.credit import methods
from spa_lab.credit.methods import CreditMethod
from spa_lab.credit.methods.bisection import Measure
from spa_lab.pipeline.experiment import Experiment
from spa_lab.pipeline.measurement import bisected, spare_truths
from spa_lab.pipeline.parallel import Report
from spa_lab.pipeline.source_factories import spa_progress
from spa_lab.types import Trajectory, ValueTruth


def math_shepherd_8(experiment: Experiment, report: Report) -> CreditMethod:
    """Whether any of 8 continuations succeeds.

    Cost: 8 continuations at each step; the world must have snapshots.

    Fails where the policy succeeds now and then from anywhere: nearly all steps get 1. A value, not what the
    step changed.
    """
    return methods.math_shepherd(_branch(experiment, 8), branches=8)


def ipr_5(experiment: Experiment, report: Report) -> CreditMethod:
    """The mean of 5 continuations.

    Cost: 5 continuations at each step; the world must have snapshots.

    Fails where the question is what a step changed: a value holds what earlier steps achieved.
    """
    return methods.ipr(_branch(experiment, 5), branches=5)


def mc_difference_8(experiment: Experiment, report: Report) -> CreditMethod:
    """Differences of values by 8 continuations.

    Cost: 8 continuations at each step; the world must have snapshots.

    Fails where progress is small: the standard error of a difference of two means of 8 outcomes is up to
    0.25.
    """
    return methods.monte_carlo_difference(_branch(experiment, 8), branches=8)


def mc_bisection_8(experiment: Experiment, report: Report) -> CreditMethod:
    """Values by 8 continuations at the steps that bisection finds; changes between them are divided evenly.

    c_t = (V(h_b) - V(h_a)) / (b - a)   between measured steps a <= t < b

    Cost: 8 continuations at a few steps, at most 7 of each trajectory; the world must have snapshots.

    Fails where a gain and a loss lie between two measured steps and cancel, and where progress is small: what
    changes by less than 0.1 is not looked into.
    """
    return methods.bisection(_bisect(experiment, 8, report), branches=8)


def spa_progress_bisection(experiment: Experiment, report: Report) -> CreditMethod:
    """Progress by siblings, corrected at a few measured steps.

    c_t = c_t of `spa_progress` + an equal share of what it misses between measured steps

    Cost: that of `spa_progress`, and that of `mc_bisection_8`.

    Fails where `mc_bisection_8` does and siblings tell nothing of the steps between.
    """
    progress, measure = spa_progress(experiment, report), _bisect(experiment, 8, report)
    return methods.bisection(measure, branches=8, within=progress, source="spa_progress_bisection")


def _bisect(experiment: Experiment, branches: int, report: Report) -> Measure:
    """Values by bisection, from continuations that no measurement uses."""

    def measure(trajectories: Sequence[Trajectory]) -> list[Mapping[int, float]]:
        values = bisected(experiment, trajectories, branches, lambda share: report(share, {}))
        return [of_one.values for of_one in values]

    return measure


def _branch(experiment: Experiment, branches: int) -> Callable[[Sequence[Trajectory]], Sequence[ValueTruth]]:
    """Values by continuations that were played together with the truth's, but are none of them."""
    return lambda trajectories: spare_truths(experiment, trajectories, branches)
