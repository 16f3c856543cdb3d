"""Where the next branches do the most good: Neyman allocation of a budget over the steps of trajectories."""

import heapq
from collections.abc import Sequence

from spa_lab.truth.outcomes import BranchOutcomes, smoothed_variance


def allocate(
    outcomes: Sequence[BranchOutcomes], budget: int, *, target: float = 0.0
) -> list[tuple[int, ...]]:
    """Spend a budget so that the squared errors of all progress together fall the most.

    What branches can take away is sum_t w_t v_t / n_t: v_t the variance of the outcomes from h_t (one 0 and
    one 1 put in, so that nothing is taken for certain), w_t = 2 because V(h_t) is the end of one step and
    the start of the next, w_0 = 1. Each branch goes where it lowers this sum the most, which in the limit
    is n_t ~ sqrt(w_t v_t) (Neyman 1934).

    Args:
        outcomes: N trajectories with what is known so far.
        budget: further branches for all of them together, >= 0.
        target: standard error of progress that is good enough: a history gets no more once its own error is
            below target / sqrt(2). 0 spends the whole budget.

    Returns:
        For each trajectory T counts to be reached, never below those that are there.
    """
    counts = [[int(n) for n in one.counts] for one in outcomes]
    variances = [[smoothed_variance(x) for x in one.outcomes] for one in outcomes]

    def gain(i: int, t: int) -> float:
        n, v = counts[i][t], variances[i][t]
        return 0.0 if v / n <= target**2 / 2 else (1 + (t > 0)) * v / (n * (n + 1))

    heap = [(-gain(i, t), i, t) for i, row in enumerate(counts) for t in range(len(row))]
    heapq.heapify(heap)
    for _ in range(budget):
        worth, i, t = heap[0]
        if worth == 0:
            break
        counts[i][t] += 1
        heapq.heapreplace(heap, (-gain(i, t), i, t))
    return [tuple(row) for row in counts]
