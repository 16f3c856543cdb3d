"""One small episode as frameworks write it: thoughts, calls with arguments and replies in the right step."""

from pathlib import Path

import pytest

from spa_lab.importers import Imported, read_log

LOGS = Path(__file__).parent / "logs"
FIND, ASK = 'find {"title": "atlas"}', "Ask the catalogue."
SAID = {
    "gemini.json": [(ASK, FIND, "shelf B\n[image]"), ("On shelf B.", 'code_execution print(1)', "1")],
    "bedrock.json": [(ASK, FIND, '{"shelf": "B"}\ndusty'), ("", "", "")],
    "langchain.json": [("Ask.", FIND, "shelf B"), ("", "", "")],
    "ai-sdk.json": [
        (ASK, f'{FIND}\ngo {{"to": "B"}}', '[1 find] {"shelf": "B"}\n[2 go] closed'),
        ("", "", ""), ("", "close", "closed"), ("", "rest", "rested"),
    ],
    "responses.jsonl": [
        (ASK, FIND, "shelf B"),
        ("On shelf B.", 'go {"to": "B"}\nweb_search {"query": "atlas", "type": "search"}', "[1 go] at B"),
    ],
    "completions.jsonl": [("", FIND, "shelf B"), ("", "", "")],
    "smolagents.json": [
        ("Ask, then go.", "", ""),
        (ASK, "python_interpreter find('atlas')", "shelf B"),
        ("Done.", 'final_answer {"answer": "B"}', "too late\nB"),
    ],
    "autogen.json": [(ASK, FIND, "shelf B"), ("", "", "")],
    "pydantic-ai.json": [(ASK, FIND, '{"shelf": "B"}'), ("", "", "")],
    "browser-use.json": [
        ("none yet\nopen the catalogue", 'open {"url": "http://library"}\nwait {"seconds": 1}',
         "[1 open] opened\n[2 wait] no answer\nhttp://library Library"),
        ("the catalogue is open", 'done {"text": "B"}', "B"),
    ],
    "step-table.csv": [(ASK, "find atlas", "shelf B"), ("", "go to B, now", "at B")],
    "react-text.txt": [(ASK, "find[atlas]", "shelf B\nand C"), ("Done.", "finish B", "")],
    "prompt-response.jsonl": [(ASK, "search atlas", "shelf B"), ("", "answer B", "")],
    "gemini-cli.json": [(f"Search: {ASK}", FIND, "shelf B"), ("", "", "")],
    "chat-text.jsonl": [(ASK, f'{FIND}\ngo {{"to": "B"}}', "shelf B"), ("", "", "")],
}  # fmt: skip
"""File -> thought, action and reply of each step."""
PROMPTED = ("gemini.json", "bedrock.json", "responses.jsonl", "smolagents.json", "pydantic-ai.json")


@pytest.mark.parametrize("name", SAID)
def test_thoughts_calls_and_replies(name: str) -> None:
    imported = read_log(LOGS / name)
    first = imported.trajectories[0]
    assert [(step.thought, step.action, step.observation) for step in first.steps] == SAID[name]
    opening = f"{first.instruction} {first.initial_observation}"
    assert "atlas" in opening or opening == " about:blank"
    assert _prompt(imported) == ("You keep a library." if name in PROMPTED else None)


def _prompt(imported: Imported) -> str | None:
    return imported.meta.get(imported.trajectories[0].id, {}).get("system_prompt")


def test_what_is_told_twice_is_counted() -> None:
    dropped = {name: dict(read_log(LOGS / name).ledger.dropped) for name in SAID}
    assert dropped["completions.jsonl"] == {"call: a later call tells its messages again": 1}
    assert dropped["smolagents.json"] == {"code_action: tells the steps again": 1,
                                          "model_input_messages: tells the steps again": 1}  # fmt: skip
    assert dropped["autogen.json"] == {"ToolCallSummaryMessage: tells the tools' replies again": 1}
    assert dropped["gemini-cli.json"] == {"message 'info': said by the program": 1}
    assert dropped["gemini.json"] == {"image part: a step holds text; a placeholder stands for it": 1}


def test_models_name_the_policy_and_errors_are_kept() -> None:
    assert [read_log(LOGS / name).trajectories[0].policy for name in ("gemini.json", "bedrock.json")] == [
        "g",
        "b",
    ]
    bedrock = read_log(LOGS / "bedrock.json")
    assert bedrock.meta["bedrock"]["messages"] == {"2": {"parts": [{"status": "error"}]}}


@pytest.mark.parametrize("in_content", [{"a": 1}, {}])
def test_calls_that_langchain_tells_twice_are_read_once(in_content: dict[str, int]) -> None:
    content = [
        {"type": "text", "text": "Look."},
        {"type": "tool_use", "id": "t1", "name": "f", "input": in_content},
        {"type": "tool_use", "id": "t2", "name": "f", "input": {"a": 1}},
    ]
    calls = [{"name": "f", "args": {"a": 1}, "id": identity} for identity in ("t1", "t3")]
    messages = [
        {"type": "human", "content": "q"},
        {"type": "ai", "content": content, "tool_calls": calls[:1]},
        {"type": "tool", "content": "r", "tool_call_id": "t1"},
        {"type": "ai", "content": content[:2], "tool_calls": calls[:1]},
        {"type": "tool", "content": "r", "tool_call_id": "t1"},
        {"type": "ai", "content": content[:2], "tool_calls": calls[1:]},
    ]
    imported = read_log([{"messages": messages}])
    first, second, third = imported.trajectories[0].steps
    assert (first.action, first.observation) == ('f {"a": 1}\nf {"a": 1}', "[2 f] r")
    assert (second.action, second.observation) == ('f {"a": 1}', "r")
    assert third.action.count("f") == 2, "calls of other ids are others"
    assert imported.ledger.tool_calls == 5


def test_a_table_with_what_is_seen_before_and_after_an_action() -> None:
    rows = [
        {"t": 0, "obs": "a", "action": "x", "next_obs": "b"},
        {"t": 1, "obs": "b", "action": "y", "next_obs": "c"},
        {"t": 0, "obs": "a", "action": "z", "next_obs": "d"},
    ]
    first, second = read_log(rows).trajectories
    assert (first.initial_observation, [step.observation for step in first.steps]) == ("a", ["b", "c"])
    assert (second.id, len(second)) == ("episode-1", 1)


def test_the_right_answer_of_a_question_is_no_response() -> None:
    told = "Thought: Ask.\nAction: find\nObservation: B\nThought: Done.\nAction: finish"
    (trajectory,) = read_log([{"question": "q", "answer": "C", "traj": told, "reward": 0}]).trajectories
    assert [step.action for step in trajectory.steps] == ["find", "finish"]


def test_a_row_with_more_fields_than_the_header_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("episode,action\na,go\na,go,now\n")
    with pytest.raises(ValueError, match=r"a\.csv, line 3: more fields than the header has"):
        read_log(tmp_path / "a.csv")
