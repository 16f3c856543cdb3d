"""Statistics of few, noisy, paired results: intervals, aggregates, rank correlations, power.

Rates are fractions. Every interval carries its n and its method. An undefined statistic is NaN and stays NaN;
it is never replaced by a number.
"""

from spa_lab.stats.interval import Interval
from spa_lab.stats.ranks import kendall_tau_b, spearman
from spa_lab.stats.rates import minimal_detectable_difference, two_proportion_power, two_proportion_z, wilson
from spa_lab.stats.resampling import bootstrap, crossed_bootstrap, iqm, paired_bootstrap, stratified_bootstrap

__all__ = [
    "Interval",
    "bootstrap",
    "crossed_bootstrap",
    "iqm",
    "kendall_tau_b",
    "minimal_detectable_difference",
    "paired_bootstrap",
    "spearman",
    "stratified_bootstrap",
    "two_proportion_power",
    "two_proportion_z",
    "wilson",
]
