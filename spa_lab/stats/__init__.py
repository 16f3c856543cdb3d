"""Statistics of few, noisy, paired results: intervals, aggregates, rank correlations, power.

Rates are fractions. Every interval carries its n and its method. An undefined statistic is NaN and stays NaN;
it is never replaced by a number.
"""

from spa_lab.stats.across_tasks import improvement_interval, performance_profile, probability_of_improvement
from spa_lab.stats.interval import Interval
from spa_lab.stats.multiple import holm
from spa_lab.stats.power import DifferenceVariance, difference_variance
from spa_lab.stats.ranks import kendall_tau_b, spearman
from spa_lab.stats.rates import (
    clustered_wilson,
    minimal_detectable_difference,
    two_proportion_power,
    two_proportion_trials,
    two_proportion_z,
    wilson,
)
from spa_lab.stats.resampling import (
    PairedDifference,
    bootstrap,
    crossed_bootstrap,
    iqm,
    paired_bootstrap,
    paired_difference,
    same_resamples,
    stratified_bootstrap,
)

__all__ = [
    "DifferenceVariance",
    "Interval",
    "PairedDifference",
    "bootstrap",
    "clustered_wilson",
    "crossed_bootstrap",
    "difference_variance",
    "holm",
    "improvement_interval",
    "iqm",
    "kendall_tau_b",
    "minimal_detectable_difference",
    "paired_bootstrap",
    "paired_difference",
    "performance_profile",
    "probability_of_improvement",
    "same_resamples",
    "spearman",
    "stratified_bootstrap",
    "two_proportion_power",
    "two_proportion_trials",
    "two_proportion_z",
    "wilson",
]
