"""Tables with a row a step: which rows are one episode, blank cells, and the outcome."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from spa_lab.importers import Imported, ImportOptions, LossError, read_log


def _rows(*steps: Any, **fields: Any) -> list[dict[str, Any]]:
    """A row a step; the action tells which."""
    return [{"step": step, "action": f"a{n}", "observation": "o"} | fields for n, step in enumerate(steps)]


def _actions(imported: Imported) -> list[list[str]]:
    return [[step.action for step in trajectory.steps] for trajectory in imported.trajectories]


def test_rollouts_of_a_task_are_episodes() -> None:
    imported = read_log(_rows(0, 1, 2, 0, 1, 2, task_id="T"))
    assert _actions(imported) == [["a0", "a1", "a2"], ["a3", "a4", "a5"]]
    assert [t.task_id for t in imported.trajectories] == ["T", "T"] and not imported.ledger.assumed


def test_one_name_for_several_episodes_is_an_assumption() -> None:
    rows = [*_rows(0, 1, episode=0, task="T"), *_rows(0, 1, episode=0, task="U")]
    imported = read_log(rows)
    assert [(t.id, t.task_id, len(t)) for t in imported.trajectories] == [("0", "T", 2), ("0#2", "U", 2)]
    assert imported.ledger.assumed == {"step: where it starts anew, another episode begins": 1}
    with pytest.raises(LossError, match="starts anew"):
        read_log(rows, ImportOptions(strict=True))
    mixed = [row | {"task_id": task} for row in _rows(0, 1, episode=0) for task in "TU"]
    imported = read_log(mixed)
    assert _actions(imported) == [["a0", "a1"]] * 2
    assert sum(imported.ledger.assumed.values()) == 1, "tasks tell them apart, though their rows are mixed"


@pytest.mark.parametrize(("fields", "who"), [({"episode": "e"}, " of episode 'e'"), ({}, "")])
def test_rows_that_are_mixed_are_refused(fields: dict[str, str], who: str) -> None:
    with pytest.raises(ValueError, match=f"record 3: step 1{who} does not follow the row before"):
        read_log(_rows(0, 0, 1, 1, **fields))


def test_a_step_of_training_counts_no_steps() -> None:
    rows = [row | {"step": 100, "turn": row["step"]} for row in _rows(1, 0, episode="e")]
    assert _actions(read_log(rows)) == [["a1", "a0"]]


def test_rows_without_the_name_of_an_episode_are_refused() -> None:
    with pytest.raises(ValueError, match="record 1: nothing in the column 'episode'"):
        read_log([{"episode": "a", "action": "x"}, {"episode": "", "action": "y"}])


def test_a_blank_cell_is_an_empty_text(tmp_path: Path) -> None:
    table = "episode_id,step,action,observation,success\ne,0,look,a box,\ne,1,take key,,1\n"
    (tmp_path / "a.csv").write_text(table)
    for what in (tmp_path / "a.csv", pd.read_csv(tmp_path / "a.csv")):
        (trajectory,) = read_log(what).trajectories
        assert [step.observation for step in trajectory.steps] == ["a box", ""]
        assert trajectory.outcome == 1.0


@pytest.mark.parametrize("values", [[0, 1], [1], ["False", "True"]])
def test_the_last_outcome_counts(values: list[Any]) -> None:
    rows = _rows(*range(len(values)), episode="e")
    rows = [row | {"success": value} for row, value in zip(rows, values, strict=True)]
    imported = read_log([*rows, *_rows(0, episode="another")])
    assert (imported.trajectories[0].outcome, imported.trajectories[0].success) == (1.0, True)
    assert imported.trajectories[1].outcome is None
    assert sum(imported.ledger.assumed.values()) == len(values) - 1


@pytest.mark.parametrize("said", [["False"], ["False", "False"], ["True", "False"], [1, 0]])
def test_the_success_of_a_table_counts_more_than_its_score(said: list[Any]) -> None:
    rows = _rows(*range(len(said)), episode="e", score=1.0)
    rows = [row | {"success": value} for row, value in zip(rows, said, strict=True)]
    imported = read_log([*rows, *_rows(0, episode="another")])
    assert (imported.trajectories[0].outcome, imported.trajectories[0].success) == (1.0, False)
    varies = len({*said}) - 1
    assert sum(imported.ledger.assumed.values()) == varies == sum(imported.ledger.carried.values())


@pytest.mark.parametrize("name", ["obs", "state"])
def test_what_a_state_shows_stands_before_the_action(name: str) -> None:
    rows = [{"episode": who, "t": t, name: f"{who}{t}", "action": "go"} for who in "xy" for t in range(2)]
    imported = read_log(rows)
    first, second = imported.trajectories
    assert (first.initial_observation, [step.observation for step in first.steps]) == ("x0", ["x1", ""])
    assert (second.initial_observation, [step.observation for step in second.steps]) == ("y0", ["y1", ""])
    assert imported.ledger.assumed == {f"{name}: taken for what is seen before the action of its row": 2}
    assert not imported.ledger.carried


def test_how_an_observation_is_read_is_said() -> None:
    imported = read_log(_rows(0, 1, episode="e"))
    (trajectory,) = imported.trajectories
    assert (trajectory.initial_observation, [step.observation for step in trajectory.steps]) == (
        "",
        ["o", "o"],
    )
    assert "observation: read as what follows the action of its row" in imported.notes
    assert not imported.ledger.assumed


def test_cells_that_have_no_place_in_a_step_are_kept() -> None:
    rows = [
        {"episode": "a", "t": 0, "obs": "s0", "action": "x", "next_obs": "s1", "reward": "high"},
        {"episode": "a", "t": "?", "obs": "other", "action": "y", "next_obs": "s2", "reward": 1},
        {"episode": "a", "t": 2, "obs": "s2", "action": "z", "thought": {"plan": "p"}, "response": "r"},
    ]
    imported = read_log(rows)
    (trajectory,) = imported.trajectories
    assert [step.observation for step in trajectory.steps] == ["s1", "s2", ""]
    assert imported.meta["a"]["steps"] == {
        "0": {"reward": "high"}, "1": {"t": "?", "obs": "other"}, "2": {"thought": {"plan": "p"}},
    }  # fmt: skip
    assert trajectory.steps[2].thought == "r"


def test_a_row_with_fewer_fields_than_the_header_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("episode,step,action,reward\na,0,look,0.5\na,1,take k")
    imported = read_log(tmp_path / "a.csv")
    assert [step.action for step in imported.trajectories[0].steps] == ["look", "take k"]
    said = "1 of 2 rows, the first on line 3, have fewer fields than the header: their other cells are blank"
    assert imported.ledger.dropped == {f"line: {said}": 1}
    with pytest.raises(LossError, match="the first on line 3"):
        read_log(tmp_path / "a.csv", ImportOptions(strict=True))


def test_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("episode,action,reward,reward\na,look,0.5,9\n")
    with pytest.raises(ValueError, match=r"a\.csv: 2 columns named 'reward'"):
        read_log(tmp_path / "a.csv")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("index", [True, False])
def test_tables_as_pandas_writes_them(tmp_path: Path, separator: str, index: bool) -> None:
    rows = [row | {"reward (env)": 0.5} for row in _rows(0, 1, episode="e")]
    path = tmp_path / "a.csv"
    pd.DataFrame(rows).to_csv(path, sep=separator, index=index)
    for _ in range(2):
        imported = read_log(path)
        assert _actions(imported) == [["a0", "a1"]] and imported.ledger.files[0]["form"] == "CSV"
        assert imported.meta["e"]["reward (env)"] == "0.5"
        assert imported.ledger.carried["step.unnamed"] == 2 * index
        pd.read_csv(path, sep=separator).to_csv(path, sep=separator, index=index)  # "Unnamed: 0"
