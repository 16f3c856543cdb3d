"""Runs of steps that a figure shows as one row, since all sources say the same of each of them."""

from collections.abc import Sequence

import numpy as np

from spa_lab.types import Credit, ValueTruth
from spa_lab.view.tables.frames import progress_error
from spa_lab.view.text import decimal_places, signed

LEAST = 3
"""Steps of a run that is folded; it keeps its first one as an example, so one row fewer would be gained."""
NOISE = 2
"""Standard errors within which measured progress counts as equal."""


def folded(credits: Sequence[Credit], truth: ValueTruth | None = None) -> list[range]:
    """The steps 0 to T - 1 as rows: single steps, and runs of at least `LEAST` steps that are equal.

    Steps are equal where every source gives them the same number as it is printed, and their measured
    progress does not differ from the mean of the run by more than `NOISE` standard errors. The first step of
    a run stays a row of its own and shows what the agent did.

    Args:
        credits: at least one, all of one trajectory.
        truth: a measurement of that trajectory.
    """
    n_steps = len(credits[0])
    printed = [_printed(credit) for credit in credits]
    rows: list[range] = []
    start = 0
    while start < n_steps:
        end = start + 1
        while end < n_steps and all(words[end] == words[start] for words in printed):
            end += 1
        end = min(end, _alike(truth, start, end))
        if end - start > LEAST:
            rows += [range(start, start + 1), range(start + 1, end)]
        else:
            rows += [range(step, step + 1) for step in range(start, end)]
        start = end
    return rows


def _printed(credit: Credit) -> list[str]:
    """(T,) the contributions as they are printed."""
    places = decimal_places(credit.contributions)
    return [signed(value, places) for value in credit.contributions]


def _alike(truth: ValueTruth | None, start: int, end: int) -> int:
    """The end of the longest run from `start` whose measured progress is equal."""
    if truth is None:
        return end
    error = progress_error(truth)
    for last in range(end, start + 1, -1):
        progress = truth.progress[start:last]
        if (np.abs(progress - progress.mean()) <= NOISE * error[start:last] + 1e-12).all():
            return last
    return start + 1
