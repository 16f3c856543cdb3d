"""Logs of other people's agents: what is read, what is assumed, and how bad rows are refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spa_lab.exporters import episodes_of
from spa_lab.importers import ImportOptions, import_log, read_log
from spa_lab.importers.chat import chat_row
from spa_lab.importers.steps import read_steps
from spa_lab.store import Run, StoreError, writing
from spa_lab.types import Credit

SMALLEST = {"outcome": 1, "steps": [{"action": "look"}]}


@pytest.fixture
def log(tmp_path: Path) -> Callable[..., Path]:
    """Rows (or raw lines) -> a file of them."""

    def write(*rows: Any) -> Path:
        path = tmp_path / "log.jsonl"
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


def test_the_smallest_row(log: Callable[..., Path]) -> None:
    imported = read_steps(log(SMALLEST, "", {**SMALLEST, "outcome": 0.5}))
    first, second = imported.trajectories
    assert (first.id, first.task_id, first.env, first.policy, first.ended) == (
        "line-1",
        "line-1",
        "imported",
        "agent",
        "done",
    )
    assert (first.success, second.success, second.outcome, second.id) == (True, None, 0.5, "line-3")
    assert first.steps[0].text == "Action: look" and first.steps[0].observation == ""
    assert first.steps[0].grounded is None
    assert imported.credits == []
    assert imported.notes == [
        "2 of 2 steps: whether the world executed the action is unknown",
        "1 of 2 episodes: the success is unknown",
    ]


def test_all_that_can_be_said(log: Callable[..., Path]) -> None:
    row = {
        "id": "a", "task_id": "t", "env": "web", "split": "test", "instruction": "buy",
        "initial_observation": "hi",
        "outcome": 0.25, "success": False, "ended": "step_limit", "policy": "mine", "seed": 7,
        "steps": [
            {"text": "Thought: hm\nAction: go north", "observation": "a wall", "grounded": False},
            {"thought": "then", "action": " go south ", "grounded": True},
        ],
        "credits": {"judge": [0.5, -1], "mean": [0.125, 0.125]},
    }  # fmt: skip
    imported = read_steps(log(row))
    (trajectory,) = imported.trajectories
    assert [step.action for step in trajectory.steps] == ["go north", "go south"]
    assert [step.thought for step in trajectory.steps] == ["hm", "then"]
    assert trajectory.grounded.tolist() == [False, True] and (trajectory.seed, trajectory.ended) == (
        7,
        "step_limit",
    )
    assert [credit.source for credit in imported.credits] == ["judge", "mean"]
    np.testing.assert_array_equal(imported.credits[0].contributions, [0.5, -1.0])
    assert imported.notes == []


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ('{"outcome": 1, "steps"', r"broken JSON at column \d+"),
        ('{"outcome": ' + "9" * 5000 + "}", "Exceeds the limit"),
        ('{"outcome": 1, "steps": ' + "[" * 100_000, "maximum recursion depth"),
        ("[1]", "row: expected a JSON object, got list"),
        ({**SMALLEST, "outcome": None}, "field 'outcome' holds NoneType None"),
        ({"outcome": 1}, "field 'steps' is missing"),
        ({**SMALLEST, "outcom": 1}, "unknown field 'outcom'; did you mean 'outcome'?"),
        ({**SMALLEST, "zzz": 1}, "unknown field 'zzz'; there are: id, task_id"),
        ({**SMALLEST, "outcome": 1.5}, r"outcome must lie in \[0, 1\], got 1.5"),
        ({**SMALLEST, "outcome": True}, "field 'outcome' holds bool True"),
        ('{"outcome": NaN, "steps": [{"action": "a"}]}', r"outcome must lie in \[0, 1\], got nan"),
        ({**SMALLEST, "outcome": 10**400}, "is too large for a number"),
        ({**SMALLEST, "steps": []}, "'line-2': needs at least 1 step, got 0"),
        ({**SMALLEST, "steps": [{"observation": "x"}]}, "step 0: needs an 'action' or the 'text'"),
        ({**SMALLEST, "steps": [{"action": "a", "observaton": ""}]}, "step 0: .*did you mean 'observation'"),
        ({**SMALLEST, "steps": [{"action": "a", "grounded": 1}]}, "step 0: field 'grounded' holds int 1"),
        ({**SMALLEST, "steps": ["a"]}, "step 0: expected a JSON object, got str"),
        ({**SMALLEST, "ended": "crash"}, "ended must be one of"),
        ({**SMALLEST, "credits": {"me": [1, 2]}}, "credits of 'me' are 2 numbers, there are 1 steps"),
        ({**SMALLEST, "credits": {"me": ["1"]}}, "credits of 'me' must be a list of numbers"),
        ({**SMALLEST, "credits": {"me": 1}}, "credits of 'me' must be a list of numbers, got 1"),
        ('{"outcome": 1, "steps": [{"action": "a"}], "credits": {"me": [Infinity]}}', "value 0 of 1 is inf"),
    ],
)  # fmt: skip
def test_bad_rows_are_named(log: Callable[..., Path], bad: Any, message: str) -> None:
    path = log(SMALLEST, bad)
    with pytest.raises(ValueError, match=rf"log\.jsonl, line 2: .*{message}"):
        read_steps(path)


def test_files_without_trajectories(log: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"log\.jsonl: holds no rows"):
        read_steps(log(""))
    with pytest.raises(ValueError, match=r"log\.jsonl: duplicate trajectory 'a', at 0 and 1"):
        read_steps(log({**SMALLEST, "id": "a"}, {**SMALLEST, "id": "a"}))
    with pytest.raises(StoreError):
        read_steps(tmp_path / "nothing.jsonl")


def test_a_chat_by_hand(log: Callable[..., Path]) -> None:
    chat = [
        {"role": "system", "content": "You are an agent."},
        {"role": "user", "content": "Find the key."},
        {"role": "user", "content": "You see a box."},
        {"role": "assistant", "content": "Thought: box\nAction: open box"},
        {"role": "user", "content": [{"type": "text", "text": "It is open."}]},
        {"role": "assistant", "content": None,
         "tool_calls": [{"function": {"name": "take", "arguments": '{"what": "key"}'}}]},
        {"role": "tool", "content": "taken"},
        {"role": "assistant", "content": "Done."},
    ]  # fmt: skip
    path = log({"outcome": 1, "messages": chat, "credits": {"judge": [0, 1, 0]}})
    imported = read_log(path, ImportOptions("chat"))
    (trajectory,) = imported.trajectories
    assert trajectory.initial_observation == "Find the key.\nYou see a box."
    assert [step.action for step in trajectory.steps] == ["open box", 'take {"what": "key"}', ""]
    assert [step.observation for step in trajectory.steps] == ["It is open.", "taken", ""]
    assert trajectory.steps[0].thought == "box" and trajectory.steps[2].text == "Done."
    assert len(imported.credits) == 1


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([{"role": "user", "content": "hi"}], "none of the 1 messages is the assistant's"),
        ([{"role": "robot", "content": "hi"}], "message 0: needs a 'role' among system"),
        ([{"role": "assistant", "content": 3}], "message 0: 'content' must be text or parts, got 3"),
        ([{"role": "assistant", "content": [3]}], "message 0: 'content' has a part that is int"),
        ([{"role": "assistant", "content": "x", "tool_calls": [{}]}], "tool call without a function's name"),
    ],
)  # fmt: skip
def test_bad_chats(messages: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        chat_row({"outcome": 1, "messages": messages})


def test_an_imported_run_opens(log: Callable[..., Path], tmp_path: Path) -> None:
    path = log({**SMALLEST, "credits": {"judge": [0.5]}})
    for _ in range(2):  # a second time is no error
        run, imported = import_log("steps", path, tmp_path / "run")
    opened = Run.open(run.path)
    assert opened.load_trajectories("imported") == imported.trajectories
    assert opened.load_credits("imported")[0].source == "judge"
    assert (opened.config, opened.provenance["n"]) == ({"imported": "log.jsonl", "format": "steps"}, 1)
    with pytest.raises(ValueError, match="no format 'nothing'; there are: spa-lab, steps, atif"):
        import_log("nothing", path, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_folder_that_another_command_writes_into_is_left_alone(
    log: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    with writing(out), pytest.raises(StoreError, match="one at a time"):
        import_log("steps", log(SMALLEST), out)
    assert not list(out.iterdir())
    import_log("steps", log(SMALLEST), out)


def test_a_log_that_is_read_again_leaves_nothing_of_before(tmp_path: Path) -> None:
    """Numbers of steps that are gone would be shown beside others; a judge's are refused on the way out."""
    log, out = tmp_path / "log.jsonl", tmp_path / "run"
    steps = [{"action": "a", "token_numbers": {"logprob": [-1.0]}}, {"action": "b"}]
    more = {"credits": {"s": [1, 0]}, "labels": {"h": [1, -1]}}
    truth = {"values": [0, 0, 1], "branches": 4, "policy": "p", "step_cap": 5}
    log.write_text(json.dumps({"id": "x", "outcome": 1, "steps": steps, "truth": truth} | more))
    import_log(None, log, out)
    run = Run.open(out)
    run.save_credits("judge", [Credit("x", "judge", [1.0, 0.0])])
    assert run.labels() and run.tokens() and run.truth() and list(run.credits()) == ["s", "judge"]
    log.write_text(json.dumps({"id": "x", "outcome": 0, "steps": [*steps[1:], *steps[1:], *steps[1:]]}))
    import_log(None, log, str(out))
    assert not run.labels() and not run.tokens() and not run.truth() and list(run.credits()) == ["judge"]
    with pytest.raises(ValueError, match="'x' with 2 steps does not belong to 'x' with 3 steps"):
        list(episodes_of(run))
