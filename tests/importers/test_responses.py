"""Calls of a model as they were logged: requests, responses and their items."""

from typing import Any

import pytest

from spa_lab.importers import read_log

QUESTION = {"role": "user", "content": "q"}


def _said(content: Any, **fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content} | fields


def _user(content: str) -> dict[str, Any]:
    return {"role": "user", "content": content}


def test_choices_of_a_completion() -> None:
    def choice(text: str) -> dict[str, Any]:
        numbers = {"content": [{"token": text, "logprob": -0.5}]}
        return {"message": _said(text), "finish_reason": f"end {text}", "logprobs": numbers}

    first = {"messages": [QUESTION], "choices": [choice("a"), choice("b")]}
    second = {"messages": [QUESTION, _said("a"), QUESTION], "choices": [choice("c"), choice("d")]}
    imported = read_log([first, second])
    (meta,) = imported.meta.values()
    assert meta["steps"] == {"0": {"finish_reason": "end a"}, "1": {"finish_reason": "end c"}}
    assert imported.tokens[0].texts == (("a",), ("c",))
    assert (
        imported.ledger.dropped["choice: another answer to the same request; the first is the agent's"] == 1
    )


@pytest.mark.parametrize("name", ["response", "output"])
@pytest.mark.parametrize("is_body", [False, True])
@pytest.mark.parametrize("is_text", [False, True])
def test_answers_that_are_no_choices(name: str, is_body: bool, is_text: bool) -> None:
    """As Anthropic's; an agent may send its texts again as texts, and cached ones with a mark."""
    part = {"type": "text", "text": "Thought: t\nAction: a"}
    again = _said(part["text"] if is_text else [part])
    seen = {"role": "user", "content": [{"type": "text", "text": "seen", "cache_control": {"type": "e"}}]}
    asked = [[QUESTION], [QUESTION, again, seen], [QUESTION, again, _user("seen"), again, seen]]
    records = []
    for n, messages in enumerate(asked):
        answer = _said([part], id=f"m{n}", type="message", usage={"n": n})
        response = {"body": answer, "status": 200} if is_body else answer
        records.append({"request": {"model": "m", "system": "S", "messages": messages}, name: response})
    imported = read_log(records)
    (trajectory,) = imported.trajectories
    assert [step.observation for step in trajectory.steps] == ["seen", "seen", ""]
    assert (trajectory.initial_observation, trajectory.policy) == ("q", "m")
    assert imported.ledger.dropped == {"call: a later call tells its messages again": 2}
    (meta,) = imported.meta.values()
    assert meta.pop("messages") == {"4": {"parts": [{"cache_control": {"type": "e"}}]}}
    assert meta.pop("steps")["2"] == {"id": "m2", "usage": {"n": 2}}
    assert meta == {"system_prompt": "S"} | ({name: {"status": 200}} if is_body else {})


def test_an_answer_that_stands_among_the_messages_is_told_once() -> None:
    imported = read_log([{"messages": [QUESTION, _said("a")], "output": _said("a", id="m")}])
    assert len(imported.trajectories[0]) == 1 and imported.ledger.carried == {"message.id": 1}


def test_items_of_responses_keep_what_is_not_read() -> None:
    check = [{"id": "s", "message": "danger"}]
    shot = {"type": "computer_screenshot", "image_url": "data:image/png;base64,AAAA"}
    items = [
        QUESTION,
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}", "namespace": "n"},
        {"type": "computer_call", "call_id": "b", "action": {"type": "wait"}, "pending_safety_checks": check},
        {"type": "function_call_output", "call_id": "a", "output": "A", "status": "completed"},
        {"type": "computer_call_output", "call_id": "b", "output": shot, "acknowledged_safety_checks": check},
        {"type": "image_generation_call", "id": "i", "result": "AAAA", "revised_prompt": "cat"},
    ]
    imported = read_log(items)
    first, second = imported.trajectories[0].steps
    assert first.observation == "[1 f] A\n[2 computer] [image]"
    assert (second.action, second.observation) == ("image_generation", "[image]")
    (meta,) = imported.meta.values()
    assert meta["messages"] == {"2": {"status": "completed"}, "3": {"acknowledged_safety_checks": check}}
    assert [step["items"] for step in meta["steps"].values()] == [
        [{"namespace": "n"}, {"pending_safety_checks": check}], [{"id": "i", "revised_prompt": "cat"}],
    ]  # fmt: skip
    assert imported.ledger.dropped == {"image part: a step holds text; a placeholder stands for it": 2}


def test_actions_of_one_response_of_openhands_keep_their_fields() -> None:
    event = {"kind": "ActionEvent", "source": "agent", "llm_response_id": "r", "thought": []}
    events = [
        event | {"tool_call": {"id": one, "name": one}, "tool_call_id": one, "id": one, "security_risk": risk}
        for one, risk in (("a", "LOW"), ("b", "HIGH"))
    ]
    events[1]["thought"] = [{"type": "text", "text": "and b"}]
    imported = read_log(events)
    (step,) = imported.trajectories[0].steps
    assert (step.action, step.thought) == ("a\nb", "and b")
    (meta,) = imported.meta.values()
    assert meta["steps"]["0"]["actions"] == [{"id": "b", "security_risk": "HIGH"}]
