"""Signs of drift: by hand, in the metrics of training, and judged."""

from collections.abc import Callable

import numpy as np
import pytest

from spa_lab.alarms import SIGNS, drift_alarms
from spa_lab.credit.contribution_range import ContributionRange
from spa_lab.credit.gaming import GamingCounts, gaming_counts
from spa_lab.learn.drift import drift_metrics
from spa_lab.types import Credit, Step, Trajectory

Make = Callable[..., Trajectory]
EXPLORED = ContributionRange(first=(0.0, 1.0), later=(-0.25, 0.25))


@pytest.fixture
def played(make_trajectory: Make) -> list[Trajectory]:
    """A success of two steps, and a failure of one line three times, refused the last two times."""
    won = make_trajectory(1.0, (True, True), id="won")
    line = Step("Action: go to shelf 1 Action: go", "", "go to shelf 1 Action: go", "ok", True)
    refused = Step(line.text, "", line.action, "Nothing happens.", False)
    lost = make_trajectory(0.0, (True,) * 3, id="lost")
    object.__setattr__(lost, "steps", (line, refused, refused))
    return [won, lost]


@pytest.fixture
def credits() -> list[Credit]:
    """The success is predicted as 0.75; the failure as 2.0, by a line that was never paid so much."""
    return [
        Credit("won", "spa", [0.5, 0.125], base_value=0.125),
        Credit("lost", "spa", [0.75, 1.0, 0.25]),
    ]


def test_signs_by_hand(played: list[Trajectory], credits: list[Credit]) -> None:
    """Errors 0.25 and 2; of three later steps one is beyond 0.25, and two repeat a text for more than 0.1."""
    assert drift_metrics(played, credits, EXPLORED) == pytest.approx(
        {"credit_error": 1.125, "credit_missed": 0.5, "paid_beyond": 1 / 3, "paid_repeats": 2 / 3}
    )
    short = [Credit("won", "spa", [1.0])]
    one = drift_metrics([played[0]], [Credit("won", "spa", [0.5, 0.5])], EXPLORED)
    assert one["credit_error"] == 0.0 and one["paid_beyond"] == 1.0
    assert ContributionRange.of(short) == ContributionRange((1.0, 1.0), (0.0, 0.0))


def test_gaming_counts_by_hand(played: list[Trajectory], credits: list[Credit]) -> None:
    assert gaming_counts(played, credits) == GamingCounts(
        n=2, n_failures=1, later_steps=3, later_paid=1, paid_refused=1, paid_repeats=2,
        gamed_failures=0, largest_sum_of_failures=2.0,
    )  # fmt: skip
    loud = Credit("lost", "spa", [0.0, 0.75, 0.75])
    assert gaming_counts(played[1:], [loud]).gamed_failures == 0
    assert gaming_counts(played[:1], credits[:1]).largest_sum_of_failures is None
    with pytest.raises(ValueError, match="'won' with 2 steps does not belong to 'lost' with 3 steps"):
        gaming_counts(played[1:], credits[:1])


def test_a_failure_with_three_steps_paid_like_a_success_is_gamed(make_trajectory: Make) -> None:
    lost = make_trajectory(0.0, (True, False, False, False), id="lost")
    counts = gaming_counts([lost], [Credit("lost", "spa", [0.0, 0.75, 0.75, 0.75])])
    assert (counts.later_paid, counts.paid_refused, counts.gamed_failures) == (3, 3, 1)
    assert counts.refused_share == 1.0


def test_the_range_clips_first_and_later_steps_apart() -> None:
    seen = [Credit("a", "spa", [1.0, 0.25, -0.25]), Credit("b", "spa", [0.5])]
    explored = ContributionRange.of(seen)
    assert explored == ContributionRange((0.5, 1.0), (-0.25, 0.25))
    wild = Credit("c", "spa", [2.0, 2.0, -2.0, 0.125], base_value=0.5, standard_error=np.ones(4))
    clipped = explored.clip(wild)
    assert clipped.contributions.tolist() == [1.0, 0.25, -0.25, 0.125]
    assert clipped.base_value == 0.5 and clipped.standard_error is not None
    assert explored.exceeded_by(wild) == 1
    with pytest.raises(ValueError, match="at least 1 credit, got 0"):
        ContributionRange.of([])


def test_alarms_name_the_worst_and_the_first_iteration() -> None:
    rows = [{"credit_missed": share, "success": 0.5} for share in (0.01, 0.10, 0.43, 0.2)]
    rows[0]["paid_beyond"] = 0.01
    missed, beyond = drift_alarms(rows)
    assert (missed.metric, missed.raised, missed.share, missed.first) == ("credit_missed", True, 0.43, 1)
    assert missed.text.startswith("in iteration 3 of 4, 43.0% of the episodes")
    assert missed.text.endswith("(limit 5%); above the limit in 3 of 4, first in 2")
    assert (beyond.raised, beyond.first) == (False, None) and beyond.text.startswith("at most 1.0% of")
    assert drift_alarms([{"success": 1.0}]) == [] and drift_alarms([]) == []


@pytest.mark.parametrize("sign", SIGNS)
def test_a_sign_at_its_limit_is_fine(sign: object) -> None:
    for share, raised in ((sign.limit, False), (sign.limit + 0.001, True)):  # type: ignore[attr-defined]
        (alarm,) = drift_alarms([{sign.metric: share}])  # type: ignore[attr-defined]
        assert alarm.raised is raised and "iteration" not in alarm.text
