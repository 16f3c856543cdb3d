"""How well advantages serve a policy-gradient update, from the episodes of one policy, before any training.

Two views. Over steps: an advantage A_t is compared with the true progress D_t = V(h_{t+1}) - V(h_t) of the
sampling policy, which is the exact advantage where the world is deterministic. Over episodes: their gradients
g_A = sum_t A_t grad log pi(a_t | h_t) are compared with g_D, whose expectation is the policy gradient.

D is measured in two independent halves of h continuations, D1 and D2. Their errors are independent of each
other and of A, so E[D1 D2] = E[D^2] and E[A (D1 + D2) / 2] = E[A D] hold without any assumption about the
errors. Monte Carlo credit with N continuations is D plus an error of variance proportional to 1 / N, so that
h E[(D1 - D2)^2] / (2 N) is the error's second moment for every N, more continuations than were played
included; the same holds for the gradient that it adds.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spa_lab.stats.cross_groups import cross_group_mean, resampled_deviations
from spa_lab.types import FloatArray

EXACT = "exact"
"""Name of the exact credit, A = D: what all others are compared with."""
FIRST, SECOND = "first half", "second half"
"""Names of the gradients of D1 and D2."""
MONTE_CARLO = (2, 4, 8, 16, 64)
"""Continuations per history of the Monte Carlo rows."""
OUTCOMES = ("both", "failure", "success")
"""Episodes that statistics over steps are taken over."""


@dataclass(frozen=True)
class Metric:
    """One column of the table."""

    title: str
    """Short, for axes."""
    meaning: str
    best: float | None
    """Value of exact credit; None if it depends on the data."""


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "correlation": Metric(
            "correlation with progress", "of A_t and true progress over steps, corrected for its noise", 1.0
        ),
        "second_moment": Metric("E[A²]", "over steps, A centred as in the update, squared units of A", None),
        "noise": Metric("noise in E[A²]", "second moment that true progress does not explain", 0.0),
        "share": Metric(
            "signal share", "E[A D]² / (E[A²] E[D²]), part of E[A²] that is progress; < 0 if E[A D] is", 1.0
        ),
        "episodes": Metric(
            "episodes, by steps", "episodes for the precision of one with exact credit: 1 / signal share", 1.0
        ),
        "gradient_snr": Metric("gradient SNR", "|E g|² / variance of g, of one episode", None),
        "gradient_cosine": Metric("gradient cosine", "angle between E g and the policy gradient", 1.0),
        "gradient_scale": Metric("gradient scale", "E g along the policy gradient; 1 without bias", 1.0),
        "gradient_noise": Metric("E|g|², relative", "second moment of g over that of exact credit", 1.0),
        "gradient_episodes": Metric(
            "episodes, by gradients", "variance of g / scale over that of g with exact credit", 1.0
        ),
    }
)
"""All metrics, in the order of the columns."""

SIGNED = frozenset({"correlation", "share", "gradient_snr", "gradient_cosine", "gradient_scale"})
"""Metrics that are 0 for an advantage without any signal."""


@dataclass(frozen=True, eq=False)
class Steps:
    """The measured progress of all n steps."""

    task: NDArray[np.int64]
    """(n,) task index of each step, 0 ... M - 1."""
    success: NDArray[np.bool_]
    """(n,) whether the step's episode succeeded."""
    first: FloatArray
    """(n,) D1, outcome units."""
    second: FloatArray
    """(n,) D2."""
    half: int
    """h, continuations behind each value of each half."""

    def of(self, outcome: str) -> NDArray[np.bool_]:
        """(n,) whether the step is of an episode with this outcome; all are of "both"."""
        return np.full(len(self.task), True) if outcome == "both" else self.success == (outcome == "success")


@dataclass(frozen=True, eq=False)
class TaskGradients:
    """Gradients of the episodes of M tasks, for K advantages; `FIRST` and `SECOND` are among them."""

    names: Sequence[str]
    products: FloatArray
    """(M, K, K) mean over the task's episodes of the products g_a . g_b of one episode's gradients."""
    means: NDArray[np.floating]
    """(M, K, k) mean gradient of the task's episodes, or a sketch of it that keeps inner products."""


def gradient_table(
    steps: Steps,
    advantages: Mapping[str, FloatArray],
    gradients: TaskGradients,
    *,
    unbiased: Collection[str] = (),
    monte_carlo: Sequence[int] = MONTE_CARLO,
    rng: np.random.Generator,
    resamples: int = 2000,
    level: float = 0.95,
) -> pd.DataFrame:
    """All metrics of all advantages, of exact credit and of Monte Carlo credit.

    Columns:
        advantage: str; "exact" and "monte_carlo_N" beside the given names.
        outcome: "both", "failure" or "success"; metrics of gradients have "both" alone.
        metric: key of `METRICS`.
        value, low, high: float64, with the percentile bootstrap interval over tasks. NaN where undefined: a
            ratio has no interval if its denominator is not above 0 in nearly all resamples.
        resolved: bool, whether there is an interval, and for metrics in `SIGNED` whether it excludes 0.
        n_tasks, n_steps: int64.
        title: of the metric.

    Args:
        steps: measured progress.
        advantages: name -> (n,) advantage of each step, centred as in its update.
        gradients: of the same advantages and of both halves of the measured progress.
        unbiased: names whose expected gradient is the policy gradient by construction: their efficiency is
            known without a resolved signal. Their scale and cosine are estimated all the same: where these
            exclude 1, the measured values are not those of the policy that played.
        monte_carlo: numbers N of continuations.
        rng: draws the resamples, the same for all rows.
        resamples: number of bootstrap samples.
        level: confidence of the intervals, in (0, 1).

    Raises:
        ValueError: fewer than 4 tasks, or an advantage without a gradient or with another number of steps.
    """
    _check(steps, advantages, gradients)
    n_tasks = len(gradients.products)
    deviations = resampled_deviations(n_tasks, resamples, rng)
    groups = [(o, _step_metrics(steps, advantages, o, monte_carlo, deviations)) for o in OUTCOMES]
    names = list(advantages)
    groups.append(
        ("both", _gradient_metrics(gradients, names, unbiased, monte_carlo, steps.half, deviations))
    )
    table = pd.DataFrame([row for outcome, found in groups for row in _rows(found, steps, outcome, level)])
    order = {name: i for i, name in enumerate(table["advantage"].unique())}
    table = table.sort_values("advantage", key=lambda names: names.map(order), kind="stable")
    return table.assign(title=[METRICS[name].title for name in table["metric"]]).reset_index(drop=True)


Replicates = dict[str, FloatArray]
"""Metric -> (1 + B,) its value, and in every resample."""


def _step_metrics(
    steps: Steps,
    advantages: Mapping[str, FloatArray],
    outcome: str,
    monte_carlo: Sequence[int],
    deviations: FloatArray,
) -> dict[str, Replicates]:
    """Metrics over the steps of episodes of one outcome, from sums per task; empty if there are none."""
    chosen = steps.of(outcome)
    if not chosen.any():
        return {}
    task, first, second = steps.task[chosen], steps.first[chosen], steps.second[chosen]
    progress = (first + second) / 2

    def mean(values: FloatArray) -> FloatArray:
        """(1 + B,) mean over steps in every resample of the tasks."""
        sums = np.stack(
            [np.bincount(task, weights, deviations.shape[1]) for weights in (values, ones)], axis=1
        )
        total = (1 + deviations) @ sums  # (1 + B, 2)
        return np.divide(total[:, 0], total[:, 1], out=np.full(len(total), np.nan), where=total[:, 1] > 0)

    ones = np.ones(len(task))
    truth, truth_mean = mean(first * second), mean(progress)
    variance = truth - mean(first) * mean(second)
    result = {}
    for name, values in advantages.items():
        a = values[chosen]
        square, product, a_mean = mean(a * a), mean(a * progress), mean(a)
        covariance = product - a_mean * truth_mean
        result[name] = _of_moments(square, product, truth, covariance, square - a_mean**2, variance)
    error = steps.half * mean((first - second) ** 2) / 2  # of N = 1
    for name, noise in _exact_and_monte_carlo(monte_carlo, error).items():
        result[name] = _of_moments(truth + noise, truth, truth, variance, variance + noise, variance)
    return result


def _of_moments(
    square: FloatArray,
    product: FloatArray,
    truth: FloatArray,
    covariance: FloatArray,
    variance: FloatArray,
    truth_variance: FloatArray,
) -> Replicates:
    """The metrics of E[A^2], E[A D], E[D^2] and the central moments.

    With a parameter of its own for each history and action, E[A D] is the inner product of the expected
    gradients of A and D in the Fisher metric (Kakade 2001), and the share E[A D]^2 / (E[A^2] E[D^2]) the
    signal-to-noise ratio of A relative to that of D. It has the sign of E[A D]: no number of episodes makes
    an advantage useful that points the other way.
    """
    share = _ratio(product * np.abs(product), square * truth)
    return {
        "correlation": _ratio(covariance, _root(variance) * _root(truth_variance)),
        "second_moment": square,
        "noise": square * (1 - np.abs(share)),
        "share": share,
        "episodes": _ratio(np.ones_like(share), share),
    }


def _gradient_metrics(
    gradients: TaskGradients,
    names: Sequence[str],
    unbiased: Collection[str],
    monte_carlo: Sequence[int],
    half: int,
    deviations: FloatArray,
) -> dict[str, Replicates]:
    """Metrics over episodes.

    With s_AB the mean product of different tasks' mean gradients, unbiased for E g_A . E g_B, and q_A the
    second moment of one episode's gradient: SNR = s_AA / (q_A - s_AA), cosine = s_AD / sqrt(s_AA s_DD),
    scale = s_AD / s_DD. The error of the measured progress only adds noise to s; q_D is E[g_D1 . g_D2].
    """
    index = {name: i for i, name in enumerate(gradients.names)}
    means = np.asarray(gradients.means, dtype=np.float64)  # (M, K, k)
    truth = (means[:, index[FIRST]] + means[:, index[SECOND]]) / 2  # (M, k)

    def second_moment(a: str, b: str) -> FloatArray:
        products = gradients.products[:, index[a], index[b]]  # (M,)
        return products.mean() + deviations @ products / len(products)

    signal = cross_group_mean(truth @ truth.T, deviations)
    exact = second_moment(FIRST, SECOND)
    result = {}
    for name in names:
        mean, q = means[:, index[name]], second_moment(name, name)
        own, along = (cross_group_mean(mean @ other.T, deviations) for other in (mean, truth))
        result[name] = _of_signal(q, exact, own, signal, along)
        if name in unbiased:
            result[name]["gradient_episodes"] = _relative_variance(q, exact, signal)
    pair = second_moment(FIRST, FIRST) + second_moment(SECOND, SECOND) - 2 * exact  # E|g_D1 - g_D2|^2
    for name, noise in _exact_and_monte_carlo(monte_carlo, half * pair / 2).items():
        result[name] = _of_signal(exact + noise, exact, signal, signal)
    return result


def _of_signal(
    q: FloatArray, exact: FloatArray, own: FloatArray, signal: FloatArray, along: FloatArray | None = None
) -> Replicates:
    """Metrics of q_A, q_D, s_AA, s_DD and s_AD; without s_AD the gradient has no bias."""
    ones = np.ones_like(q)
    scale = ones if along is None else _ratio(along, signal)
    return {
        "gradient_snr": _ratio(own, q - own),
        "gradient_cosine": ones if along is None else _ratio(along, _root(own) * _root(signal)),
        "gradient_scale": scale,
        "gradient_noise": _ratio(q, exact),
        "gradient_episodes": _relative_variance(_ratio(q, scale * np.abs(scale)), exact, signal),
    }


def _relative_variance(q: FloatArray, exact: FloatArray, signal: FloatArray) -> FloatArray:
    """Variance of an episode's gradient over that with exact credit; q is scaled to a bias of 0."""
    return _ratio(q - signal, exact - signal)


def _exact_and_monte_carlo(numbers: Sequence[int], error: FloatArray) -> dict[str, FloatArray]:
    """Name -> second moment of the error, given that of a single continuation."""
    return {EXACT: np.zeros_like(error)} | {f"monte_carlo_{n}": error / n for n in numbers}


def _rows(
    by_name: Mapping[str, Replicates], steps: Steps, outcome: str, level: float
) -> list[dict[str, object]]:
    chosen = steps.of(outcome)
    counts: dict[str, object] = {"n_tasks": len(np.unique(steps.task[chosen])), "n_steps": int(chosen.sum())}
    rows: list[dict[str, object]] = []
    for name, metrics in by_name.items():
        for metric, values in metrics.items():
            low, high = _bounds(values, level)
            excludes_zero = not low <= 0 <= high or metric not in SIGNED
            resolved = bool(np.isfinite(low) and excludes_zero)
            row: dict[str, object] = {"advantage": name, "outcome": outcome, "metric": metric}
            row |= {"value": float(values[0]), "low": low, "high": high, "resolved": resolved}
            rows.append(row | counts)
    return rows


def _bounds(values: FloatArray, level: float) -> tuple[float, float]:
    """Percentile interval; NaN if more resamples are undefined than lie outside of the interval."""
    defined = values[1:][np.isfinite(values[1:])]
    tail = (1 - level) / 2
    if not np.isfinite(values[0]) or len(defined) < (1 - tail) * (len(values) - 1):
        return np.nan, np.nan
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """NaN where the denominator, a quantity that is positive, is not estimated as such."""
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)


def _root(values: FloatArray) -> FloatArray:
    return np.sqrt(np.where(values > 0, values, np.nan))


def _check(steps: Steps, advantages: Mapping[str, FloatArray], gradients: TaskGradients) -> None:
    n_tasks = len(gradients.products)
    if n_tasks < 4 or int(steps.task.max()) >= n_tasks:
        raise ValueError(
            f"needs gradients of at least 4 tasks and of every task with steps, got {n_tasks} tasks and "
            f"steps of task {int(steps.task.max())}"
        )
    for name, values in advantages.items():
        if name not in gradients.names or len(values) != len(steps.task):
            raise ValueError(
                f"advantage {name!r}: {len(values)} of {len(steps.task)} steps, "
                f"gradients: {', '.join(gradients.names)}"
            )
