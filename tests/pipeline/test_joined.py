"""Comparisons of several machines in one."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from spa_lab.pipeline.comparison import Comparison, Outcomes
from spa_lab.pipeline.grid.report import write_report
from spa_lab.pipeline.joined import joined, joined_notes
from tests.pipeline.test_grid_report import made_up


def of(whole: Comparison, *, policies: list[str], seeds: list[int]) -> Comparison:
    """What a machine that trained these policies on these seeds would report; the base is always there."""

    def rows(table: pd.DataFrame) -> pd.DataFrame:
        chosen = table["policy"].isin([*policies, "base"]) & table["run_seed"].isin(seeds)
        return table[chosen].reset_index(drop=True)

    made = whole.outcomes
    outcomes = Outcomes(rows(made.episodes), rows(made.costs), rows(made.curves), made.cells)
    return Comparison({**whole.facts, "policies": policies, "seeds": seeds}, outcomes)


def test_arms_and_seeds_of_two_machines_are_the_whole() -> None:
    whole = made_up()
    cloned, terminal, spa = whole.facts["policies"]
    parts = [
        of(whole, policies=[cloned, terminal], seeds=[0, 1, 2]),
        of(whole, policies=[cloned, spa], seeds=[1, 2]),
        of(whole, policies=[spa], seeds=[0]),
    ]
    made = joined(parts)
    assert made.facts["seeds"] == [0, 1, 2] and made.facts["policies"] == [cloned, terminal, spa]
    assert made.reference == "terminal reward"
    names = ["env", "run_seed", "panel", "policy", "task_id"]
    for table, again in (
        (whole.outcomes.episodes, made.outcomes.episodes),
        (whole.outcomes.costs, made.outcomes.costs),
        (whole.outcomes.curves, made.outcomes.curves),
    ):
        by = [name for name in (*names, "iteration") if name in table]
        pd.testing.assert_frame_equal(
            table.sort_values(by, ignore_index=True), again.sort_values(by, ignore_index=True)
        )
    assert made.outcomes.cells["cell"].tolist() == whole.outcomes.cells["cell"].tolist()
    # of seeds 1 and 2 the base on one panel and the clone on two, of seed 0 the base, 12 tasks each
    assert made.facts["shared_episodes"] == 2 * 3 * 12 + 12 and made.facts["shared_otherwise"] == 0


def test_what_two_have_is_the_earlier_ones_and_differences_are_counted() -> None:
    first = made_up()
    episodes = first.outcomes.episodes.copy()
    episodes.loc[[3, 40], "n_steps"] = 11
    later = replace(first, outcomes=replace(first.outcomes, episodes=episodes))
    made = joined([first, later])
    pd.testing.assert_frame_equal(made.outcomes.episodes, first.outcomes.episodes)
    assert made.facts["shared_episodes"] == len(episodes) and made.facts["shared_otherwise"] == 2
    (note,) = joined_notes(made)
    assert f"has: {len(episodes)}; of these, 2 ended otherwise" in note
    assert joined_notes(first) == []
    again = joined([made, later])
    assert again.facts["shared_episodes"] == 2 * len(episodes) and again.facts["shared_otherwise"] == 4


def test_a_saved_report_differs_in_no_episode(tmp_path: Path) -> None:
    first = made_up()
    episodes = first.outcomes.episodes.assign(outcome=2 / 3)
    here = replace(first, outcomes=replace(first.outcomes, episodes=episodes))
    here.save(tmp_path)
    made = joined([here, Comparison.read(tmp_path)])
    assert made.facts["shared_episodes"] == len(episodes) and made.facts["shared_otherwise"] == 0


def test_an_arm_of_several_settings_is_told() -> None:
    first = made_up()
    cells = first.outcomes.cells.assign(cell=["runs/toy/a-1-seed-0", "runs/toy/b-1-seed-0"])
    others = cells.assign(cell=["runs/toy/a-2-seed-1", "runs/toy/b-1-seed-1"])
    parts = [replace(first, outcomes=replace(first.outcomes, cells=table)) for table in (cells, others)]
    assert joined_notes(parts[0]) == []
    _, note = joined_notes(joined(parts))
    assert "runs/toy/a-1 and runs/toy/a-2" in note and "different settings" in note and "b-1" not in note


def test_a_cell_that_failed_here_may_be_done_elsewhere() -> None:
    first = made_up()
    cells = first.outcomes.cells.assign(state="done", error="")
    made = joined([first, replace(first, outcomes=replace(first.outcomes, cells=cells))])
    assert made.failed.empty and len(made.outcomes.cells) == len(cells)


def test_other_tasks_are_refused() -> None:
    first = made_up()
    episodes = first.outcomes.episodes.copy()
    episodes["task_id"] = episodes["task_id"].replace({"unseen-3": "unseen-99"})
    other = replace(first, outcomes=replace(first.outcomes, episodes=episodes))
    with pytest.raises(ValueError, match=r"'unseen' of toy has 12 tasks in one .* 12 in another, 11 of them"):
        joined([first, other])
    with pytest.raises(ValueError, match="at least 1 comparison, got 0"):
        joined([])


def test_a_joined_comparison_is_reported_and_read_again(tmp_path: Path) -> None:
    whole = made_up()
    made = joined([whole, whole])
    report, *_ = write_report(made, tmp_path)
    assert joined_notes(made)[0] in report.read_text()
    assert Comparison.read(tmp_path).facts == made.facts
