"""What became of sibling rollouts: other rollouts of the same task that reached a similar point.

A task that is played many times says more about a history than a model of one text does: where others stood
at the same point, their outcomes are samples of its value. How similar two points are is read from the
policy's own hidden states, which hold what the agent believes as well as what the world shows: after a task
was misread the world is as before, and the value is not.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from spa_lab.types import FloatArray

BANDWIDTHS = (0.05, 0.1, 0.2)
"""Of the kernel, in units of cosine distance; from siblings at the same point to siblings nearby."""
N_STATISTICS = 1 + 2 * len(BANDWIDTHS) + 3
"""Numbers for each history."""
N_HINDSIGHT = 2
"""Further ones, where log-ratios in hindsight are known."""
PRIOR_STRENGTH = 1.0
"""Siblings that the estimate of the whole task counts for at each point."""
_SMALLEST = 0.01
"""Rates are kept this far from 0 and 1 before their log odds are taken."""
_LARGEST_RATIO = 3.0
"""Log-ratios of a step are cut off here, nats: a ratio of 20 is beyond doubt."""
_LOWEST_STEP, _LOWEST_TOKEN = -10.0, -8.0
"""Log-probabilities are cut off here, nats: below, a text is surprising, and how much is noise."""


@dataclass(frozen=True, eq=False)
class Histories:
    """The histories h_0, ..., h_{T-1} of one trajectory as a policy reads them; see `learn.histories`."""

    task: Hashable
    """Trajectories of the same task are siblings."""
    outcome: float
    """R, in [0, 1]."""
    states: FloatArray
    """(T, d) hidden state before each step."""
    logprobs: FloatArray
    """(T, 2) of each step's text: its log-probability, and that of its least probable token, nats."""
    ratios: FloatArray | None = None
    """(T,) log-ratio of each step in hindsight (`learn.hindsight`), nats; None: not known."""

    def __len__(self) -> int:
        """T."""
        return len(self.states)


def sibling_statistics(histories: Sequence[Histories]) -> list[FloatArray]:
    """Outcomes of siblings at each history, and how surprising the agent's own text was.

    For sibling j with outcome R_j, and the cosine s_j of the history and the closest history of j (states are
    standardised over all histories first):

    w_j = exp((s_j - 1) / bandwidth)
    p = (sum of w_j R_j + k p_0) / (sum of w_j + k),  k = PRIOR_STRENGTH

    p_0 is the same with w_j = 1 and the mean outcome of all trajectories as prior. A trajectory is no sibling
    of itself: beyond that mean its statistics do not depend on its outcome.

    Args:
        histories: of N rollouts, several of each task, read by one policy.

    Returns:
        For each (T, `N_STATISTICS`): log odds of p_0; for each of `BANDWIDTHS` the log odds of p and
        log(1 + sum of w_j); then of the last step's text its log-probability / 5, its smallest token's / 4,
        and the smallest so far / 4 (0 before the first step). Where all have log-ratios in hindsight,
        `N_HINDSIGHT` more: that of the last step, and the sum of all so far / 2.
    """
    if not histories:
        return []
    ratios = [entry.ratios for entry in histories if entry.ratios is not None]
    known = len(ratios) == len(histories)
    mean = float(np.mean([entry.outcome for entry in histories]))
    unit = _standardised([entry.states for entry in histories])
    by_task: dict[Hashable, list[int]] = defaultdict(list)
    for i, entry in enumerate(histories):
        by_task[entry.task].append(i)
    tables: list[FloatArray] = [np.empty(0)] * len(histories)
    for group in by_task.values():
        outcomes = np.array([histories[i].outcome for i in group])  # (G,)
        lengths = [len(histories[i]) for i in group]
        closest = _closest([unit[i] for i in group])  # (n, G), n histories of the task
        first = np.cumsum([0, *lengths])
        for k, i in enumerate(group):
            others = np.arange(len(group)) != k
            cosine = closest[first[k] : first[k + 1], others]  # (T, G - 1)
            table = _outcomes_nearby(cosine, outcomes[others], mean)
            own = [_surprise(histories[i].logprobs)] + ([_in_hindsight(ratios[i])] if known else [])
            tables[i] = np.concatenate([table, *own], axis=1)
    return tables


def _standardised(states: Sequence[FloatArray]) -> list[FloatArray]:
    """Each dimension with mean 0 and deviation 1 over all histories, each history then of length 1."""
    joined = np.concatenate(states).astype(np.float64)  # (n, d)
    joined = (joined - joined.mean(axis=0)) / (joined.std(axis=0) + 1e-6)
    joined /= np.maximum(np.linalg.norm(joined, axis=1, keepdims=True), 1e-6)
    return np.split(joined, np.cumsum([len(entry) for entry in states])[:-1])


def _closest(unit: Sequence[FloatArray]) -> FloatArray:
    """(n, G) cosine of each history of a task and the closest history of each of its G trajectories."""
    joined = np.concatenate(unit)  # (n, d)
    return np.stack([(joined @ entry.T).max(axis=1) for entry in unit], axis=1)


def _outcomes_nearby(cosine: FloatArray, outcomes: FloatArray, mean: float) -> FloatArray:
    """(T, 1 + 2 B) from the cosines (T, G - 1) and the outcomes (G - 1,) of the siblings."""
    task = (outcomes.sum() + PRIOR_STRENGTH * mean) / (len(outcomes) + PRIOR_STRENGTH)
    columns = [np.full(len(cosine), _log_odds(task))]
    for bandwidth in BANDWIDTHS:
        weight = np.exp((cosine - 1) / bandwidth)  # (T, G - 1)
        total = weight.sum(axis=1)  # (T,)
        columns.append(_log_odds((weight @ outcomes + PRIOR_STRENGTH * task) / (total + PRIOR_STRENGTH)))
        columns.append(np.log1p(total))
    return np.stack(columns, axis=1)


def _surprise(logprobs: FloatArray) -> FloatArray:
    """(T, 3) before each step: the last text's log-probability, its smallest token's, the smallest so far."""
    step = np.maximum(logprobs[:-1, 0], _LOWEST_STEP) / 5
    token = np.maximum(logprobs[:-1, 1], _LOWEST_TOKEN) / 4
    so_far = np.minimum.accumulate(token)
    return np.concatenate([np.zeros((1, 3)), np.stack([step, token, so_far], axis=1)])


def _in_hindsight(ratios: FloatArray) -> FloatArray:
    """(T, 2) before each step: log-ratio of the last step, and of all steps so far, cut off."""
    before = np.concatenate([[0.0], ratios[:-1]])
    limited = np.clip(before, -_LARGEST_RATIO, _LARGEST_RATIO)
    return np.stack([limited, np.cumsum(limited) / 2], axis=1)


def _log_odds(p: float | FloatArray) -> FloatArray:
    clipped = np.clip(p, _SMALLEST, 1 - _SMALLEST)
    return np.asarray(np.log(clipped / (1 - clipped)))
