"""Inner products between independent groups: squared norms and products of mean vectors without bias.

The mean product of *different* groups' vectors is unbiased for the product of their expectations, however
noisy a single vector is: a U-statistic of order 2 (Hoeffding 1948). If the expectation is 0 it is degenerate,
and the plain bootstrap of the groups then triples its variance; `cross_group_mean` scales the linear part of
each resample, so that the variance is right with and without a signal.

Symbols: M groups, B resamples.
"""

import numpy as np

from spa_lab.types import FloatArray


def resampled_deviations(n_groups: int, resamples: int, rng: np.random.Generator) -> FloatArray:
    """(1 + B, M) float64: how much more often than once each group occurs; row 0, the sample itself, is 0.

    Args:
        n_groups: M >= 2.
        resamples: B >= 1.
        rng: draws the resamples.

    Raises:
        ValueError: a count is too small.
    """
    if n_groups < 2 or resamples < 1:
        raise ValueError(
            f"needs at least 2 groups and 1 resample, got {n_groups} groups and {resamples} resamples"
        )
    drawn = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=resamples) - 1.0
    return np.concatenate([np.zeros((1, n_groups)), drawn])


def cross_group_mean(gram: FloatArray, deviations: FloatArray) -> FloatArray:
    """Mean of the off-diagonal entries of a matrix of products, and its bootstrap replicates.

    U = sum over g != h of K_gh / (M (M - 1)); with a_g the mean of row g, its effect
    e_g = (a_g - U) (M - 1) / (M - 2) and r_gh = K_gh - e_g - e_h - U,
    U* = U + 2/M sum_g d_g k e_g + sum over g != h of d_g d_h r_gh / (M (M - 1))

    Var(U) = 4 z1 / M + 2 z2 / (M (M - 1)) with z1 the variance of the expected product given one group and
    z2 that of r (Hoeffding 1948). The effects have variance z1 + z2 / (M - 2), so k^2 = z1 over that
    variance, 0 where the estimate of z1 is negative. Intervals from few groups are too narrow, as those of
    any bootstrap: with a signal, 95 % intervals held in about 75, 85 and 92 % of samples of 4, 8 and 16.

    Args:
        gram: (M, M) products of the groups' vectors; of two kinds of vectors if not symmetric.
        deviations: (1 + B, M) of `resampled_deviations`; the same for statistics that are compared.

    Returns:
        (1 + B,) float64: U, then U* of each resample.

    Raises:
        ValueError: the shapes do not belong together, or there are fewer than 4 groups.
    """
    n = len(gram)
    if gram.shape != (n, n) or deviations.shape[1:] != (n,) or n < 4:
        raise ValueError(
            f"needs a square matrix of at least 4 groups and deviations of as many, "
            f"got {gram.shape} and {deviations.shape}"
        )
    products = (gram + gram.T) / 2
    np.fill_diagonal(products, 0.0)
    mean = products.sum() / (n * (n - 1))
    # least squares from off-diagonal entries, of which a row's mean has each other row's effect, too
    effect = (products.sum(axis=1) / (n - 1) - mean) * (n - 1) / (n - 2)  # (M,)
    residual = products - effect[:, None] - effect[None, :] - mean
    np.fill_diagonal(residual, 0.0)
    z2 = (residual**2).sum() / (n * (n - 3))  # n (n - 3) / 2 degrees of freedom in n (n - 1) / 2 pairs
    spread = (effect**2).sum() / (n - 1)
    shrink = np.sqrt(max(1.0 - z2 / (n - 2) / spread, 0.0)) if spread > 0 else 0.0
    quadratic = ((deviations @ residual) * deviations).sum(axis=1) / (n * (n - 1))
    return mean + 2 * shrink / n * (deviations @ effect) + quadratic
