"""Balanced panels: the first of each length, in turn."""

import itertools

import pytest

from spa_lab.envs.base import Reply, Task
from spa_lab.envs.panels import ListedPanels, balanced_by_length, expert_length, length_bin

BINS = ((1, 2), (3, 3), (4, 9))


class Counting:
    """World and expert in one: done after four steps, with the outcome that it was made with."""

    def __init__(self, outcome: float) -> None:
        self.outcome, self.n, self.observed = outcome, 0, []

    def step(self, action: str) -> Reply:
        self.n += 1
        return Reply(f"{self.n}", True, self.n == 4, self.outcome if self.n == 4 else 0.0)

    def act(self) -> tuple[str, str]:
        return "", f"say {self.n}"

    def observe(self, action: str, observation: str) -> None:
        self.observed.append((action, observation))


@pytest.mark.parametrize(
    ("outcome", "step_limit", "length"), [(1.0, 4, 4), (1.0, 9, 4), (1.0, 3, None), (0.5, 9, None)]
)
def test_the_experts_length_is_that_of_its_success(
    outcome: float, step_limit: int, length: int | None
) -> None:
    both = Counting(outcome)
    assert expert_length(both, both, step_limit) == length
    assert both.observed[:2] == [("say 0", "1"), ("say 1", "2")]
    assert both.n == min(4, step_limit)


def test_the_first_of_each_bin_in_turn() -> None:
    lengths = {"a": 9, "b": 1, "c": 2, "d": 2, "e": 5, "f": 3, "g": 4, "h": 3}
    assert balanced_by_length(lengths.items(), BINS, 2) == ["b", "f", "a", "c", "h", "e"]
    assert balanced_by_length(lengths.items(), BINS, 1) == ["b", "f", "a"]


def test_no_more_is_looked_at_than_needed() -> None:
    endless = ((i, 1 + i % 4) for i in itertools.count())
    assert balanced_by_length(endless, BINS, 2) == [0, 2, 3, 1, 6, 7]
    assert next(endless)[0] == 8


def test_bins_that_stay_empty() -> None:
    with pytest.raises(ValueError, match=r"bins hold \[2, 0, 1\] tasks after 4, need 2 each"):
        balanced_by_length(zip("abcd", (1, 5, 2, 1), strict=True), BINS, 2)


def test_every_length_has_one_bin() -> None:
    assert [length_bin(length, BINS) for length in (1, 2, 3, 4, 9)] == [0, 0, 1, 2, 2]
    for length in (0, 10):
        with pytest.raises(ValueError, match=rf"\[1, 9\], got {length}"):
            length_bin(length, BINS)


@pytest.mark.parametrize(
    ("panel", "hint"),
    [
        ("train", r"; lower demonstrations, explore_tasks or ppo\.iterations \* ppo\.episodes$"),
        ("seen", r"; lower by_length_tasks \("),
        ("unseen", r"; lower evaluation_tasks$"),
        ("attic", r"panels are: train \(1 tasks\), seen \(1 tasks\), unseen \(1 tasks\)$"),
    ],
)
def test_a_panel_with_too_few_tasks_names_the_settings_to_lower(panel: str, hint: str) -> None:
    task = Task("t", "listed", "", "", "")
    panels = ListedPanels("listed", {name: [task] for name in ("train", "seen", "unseen")})
    with pytest.raises(ValueError, match=hint):
        panels(panel, 2)
