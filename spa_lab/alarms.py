"""Signs that a policy has left what its fitted credit knows, their limits, and what an alarm says.

The numbers come from `learn.drift`, one row for each iteration of training; reports, the training monitor and
"what the gradient saw" all judge them here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

LARGE_ERROR = 0.5
"""Outcome units: an episode whose credit misses its outcome by more counts as missed."""
PAID = 0.1
"""Outcome units: a step with a larger contribution counts as paid."""


@dataclass(frozen=True)
class DriftSign:
    """One sign: a share between 0 and 1, and the limit above which it raises an alarm."""

    metric: str
    limit: float
    finding: str
    """What the share is a share of, as the end of "3.0 % of "."""


SIGNS = (
    DriftSign(
        "credit_missed",
        0.05,
        f"the episodes had contributions that miss the outcome by more than {LARGE_ERROR:g}",
    ),
    DriftSign("paid_beyond", 0.02, "the later steps were paid more than any later step of the explorations"),
    DriftSign(
        "paid_repeats",
        0.02,
        f"the later steps repeated a text of their episode and were paid more than {PAID:g} for it",
    ),
)


class DriftAlarm(NamedTuple):
    """What one sign says about some iterations."""

    metric: str
    raised: bool
    share: float
    """The largest share of an iteration, in [0, 1]."""
    first: int | None
    """Index of the first iteration above the limit; None if there is none."""
    text: str
    """The finding in words, with numbers."""


def drift_alarms(rows: Sequence[Mapping[str, Any]]) -> list[DriftAlarm]:
    """One alarm for each sign that was measured, raised or not.

    Args:
        rows: metrics of the iterations of one method, in order; where a sign is missing or None, it was not
            measured.
    """
    alarms = []
    for sign in SIGNS:
        known = {i: float(row[sign.metric]) for i, row in enumerate(rows) if row.get(sign.metric) is not None}
        if known:
            alarms.append(_judged(sign, known, len(rows)))
    return alarms


def _judged(sign: DriftSign, shares: Mapping[int, float], n: int) -> DriftAlarm:
    worst = max(shares, key=lambda i: shares[i])
    above = [i for i, share in shares.items() if share > sign.limit]
    text = f"{shares[worst]:.1%} of {sign.finding} (limit {sign.limit:.0%})"
    if n > 1:
        where = f"in iteration {worst + 1} of {n}," if above else "at most"
        beyond = f"; above the limit in {len(above)} of {n}, first in {above[0] + 1}" if above else ""
        text = f"{where} {text}{beyond}"
    return DriftAlarm(sign.metric, bool(above), shares[worst], above[0] if above else None, text)
