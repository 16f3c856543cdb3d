import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spa_lab.store import Run
from spa_lab.store.records import TaskRecord
from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view.tables.collection import Collection, Query

Make = Callable[..., Trajectory]


@pytest.fixture
def several(make_trajectory: Make) -> list[Trajectory]:
    """Five: odd ones fail, number i has i + 1 steps."""
    return [
        replace(
            make_trajectory(float(i % 2 == 0), [True] * (i + 1), id=f"e/{i}", task_id=f"task{i}"),
            instruction="Clean a mug" if i < 2 else "put a pan down",
        )
        for i in range(5)
    ]


@pytest.fixture
def credits(several: list[Trajectory]) -> list[Credit]:
    return [
        Credit(trajectory.id, "spa", np.full(len(trajectory), 0.1 * i))
        for i, trajectory in enumerate(several)
    ]


@pytest.fixture
def truths(several: list[Trajectory]) -> list[ValueTruth]:
    """Of the first three, no step worth anything but the last."""
    return [
        ValueTruth(
            trajectory.id,
            [*np.zeros(len(trajectory)), trajectory.outcome],
            np.zeros(len(trajectory) + 1),
            8,
            "p",
            40,
        )
        for trajectory in several[:3]
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(), [0, 1, 2, 3, 4]),
        (Query(kind="clean"), [0, 1]),
        (Query(outcome="failure"), [1, 3]),
        (Query(shortest=2, longest=4), [1, 2, 3]),
        (Query(text="REPLY 3"), [3, 4]),
        (Query(text="mug reply 1"), [1]),
        (Query(text="nowhere to be found"), []),
        (Query(order="longest"), [4, 3, 2, 1, 0]),
        (Query(order="lowest outcome"), [1, 3, 0, 2, 4]),
        (Query(source="spa", disagreement=0.2), [0, 2]),
        (Query(source="spa", order="largest disagreement"), [0, 2, 1, 3, 4]),
    ],
)
def test_queries_select_and_sort(
    several: list[Trajectory],
    credits: list[Credit],
    truths: list[ValueTruth],
    query: Query,
    expected: list[int],
) -> None:
    kinds = {task.task_id: task.instruction.split()[0].lower() for task in several}
    assert Collection.of(several, credits, truths, kinds=kinds).find(query) == expected


def test_a_saved_run_gives_the_same_collection(
    several: list[Trajectory], credits: list[Credit], truths: list[ValueTruth], tmp_path: Path
) -> None:
    run = Run.create(tmp_path / "r", {}, seed=0)
    run.save_trajectories("e", several)
    run.save_credits("c", credits)
    run.save_truths("t", truths)
    run.save_tasks("p", [TaskRecord("task1", "clean", "p", several[1].instruction, None)])
    read = Collection.read(run, "e")
    held = Collection.of(several, credits, truths, kinds={"task1": "clean"})
    assert read.index.equals(held.index)
    assert read.index["kind"].tolist() == ["unknown", "clean", "unknown", "unknown", "unknown"]
    assert [read.trajectory(i) for i in range(5)] == several
    assert read.find(Query(text="reply 3")) == held.find(Query(text="reply 3"))
    assert read.sources == ["spa", "terminal", "mean"]
    assert read.truth(1) is not None and read.truth(4) is None
    np.testing.assert_array_equal(
        read.credits(2, ["mean", "spa", "nobody"])[0].contributions, np.full(3, 1 / 3)
    )
    assert [credit.source for credit in read.credits(2, ["mean", "spa", "nobody"])] == ["mean", "spa"]


def test_an_invalid_step_is_reported_when_it_is_opened(several: list[Trajectory], tmp_path: Path) -> None:
    run = Run.create(tmp_path / "r", {}, seed=0)
    run.save_trajectories("e", several)
    file = tmp_path / "r/trajectories/e.jsonl"
    lines = file.read_text().splitlines()
    broken = json.loads(lines[4])
    broken["steps"][1]["action"] = 7
    file.write_text("\n".join([*lines[:4], json.dumps(broken), lines[5]]) + "\n")
    collection = Collection.read(run, "e")
    assert len(collection) == 5
    with pytest.raises(ValueError, match=r"r / e, trajectory 3 of 5: step 1 .* 'action' holds int 7"):
        collection.trajectory(3)
    broken["steps"][1]["grounded"] = "yes"
    file.write_text("\n".join([*lines[:4], json.dumps(broken), lines[5]]) + "\n")
    with pytest.raises(ValueError, match=r"line 5: step 1 .* 'grounded' must be true, false or null"):
        Collection.read(run, "e")


def test_a_search_finds_what_was_seen_first(several: list[Trajectory], tmp_path: Path) -> None:
    """The list shows it as the task of an episode that has no instruction."""
    first = replace(several[3], instruction="", initial_observation="A strange issue")
    run = Run.create(tmp_path / "r", {}, seed=0)
    run.save_trajectories("e", [*several[:3], first])
    for collection in (Collection.of([*several[:3], first]), Collection.read(run, "e")):
        assert collection.index["instruction"].iat[3] == "A strange issue"
        assert collection.find(Query(text="strange issue")) == [3]


def test_disagreements_are_computed_once(
    several: list[Trajectory],
    credits: list[Credit],
    truths: list[ValueTruth],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    collection, calls = Collection.of(several, credits, truths), []
    plain = Collection.credits
    monkeypatch.setattr(Collection, "credits", lambda *asked: calls.append(asked) or plain(*asked))
    once = collection.disagreements("spa")
    assert collection.disagreements("spa") is once and len(calls) == 3, "those that were measured"
    with pytest.raises(ValueError, match="read-only"):
        once[0] = 1.0
    assert np.isnan(collection.disagreements("nobody")).all()


def test_episodes_of_a_task_that_end_otherwise(several: list[Trajectory], make_trajectory: Make) -> None:
    """Of task0 both ends, of task1 a failure again, of task2 one that nobody knows; no others."""
    again = [
        make_trajectory(R, id=f"again/{task}/{R}", task_id=f"task{task}")
        for task, R in ((0, 1.0), (0, 0.0), (1, 0.0), (2, None))
    ]
    again[3] = replace(again[3], success=None)
    here, there = Collection.of(several), Collection.of(again)
    assert here.ending_otherwise(there) == {0, 2} and there.ending_otherwise(here) == {1, 3}
    assert there.ending_otherwise(there) == {0, 1} and here.ending_otherwise(here) == set()


def test_invalid_input_is_refused(several: list[Trajectory]) -> None:
    with pytest.raises(ValueError, match="there is no trajectory"):
        Collection.of([])
    with pytest.raises(ValueError, match=r"duplicate trajectory id 'e/0', at 0 and 5"):
        Collection.of([*several, several[0]])
    with pytest.raises(ValueError, match="order must be one of"):
        Query(order="by colour")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"no trajectory 'x' among 5"):
        Collection.of(several).position("x")
