"""What logs say beside the usual fields: it finds a place, or the ledger says that it did not."""

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from spa_lab.importers import Imported, ImportOptions, read_log
from spa_lab.importers.outcomes import number

QUESTION = {"role": "user", "content": "q"}


def _answers(*messages: Any, **fields: Any) -> Imported:
    return read_log([{"id": "x", "messages": [QUESTION, *messages]} | fields])


def _said(content: Any, **fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content} | fields


def _user(content: str) -> dict[str, Any]:
    return {"role": "user", "content": content}


def _calling(*ids: str) -> dict[str, Any]:
    return _said(None, tool_calls=[{"id": one, "function": {"name": f"f-{one}"}} for one in ids])


def _reply(identity: str, text: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": identity, "content": text}


def test_a_late_reply_is_not_taken_for_that_of_another_call() -> None:
    late = [_reply("a", "slow"), _reply("b", "B"), _reply("c", "C")]
    imported = _answers(_calling("a"), _calling("b", "c"), *late)
    steps = imported.trajectories[0].steps
    assert [step.observation for step in steps] == ["", "slow\n[1 f-b] B\n[2 f-c] C"]
    assert sum(imported.ledger.assumed.values()) == 1


@pytest.mark.parametrize("replies", [[("", "B"), ("", "C")], [("c", "C"), ("", "B")]])
def test_replies_without_an_id_are_in_order(replies: list[tuple[str, str]]) -> None:
    imported = _answers(_calling("b", "c"), *(_reply(*reply) for reply in replies))
    (step,) = imported.trajectories[0].steps
    assert sorted(step.observation.split("\n")) == ["[1 f-b] B", "[2 f-c] C"] and not imported.ledger.assumed


@pytest.mark.parametrize(
    ("message", "thought"),
    [
        (_said([{"type": "reasoning", "content": "hm"}, {"type": "text", "text": "Action: a"}]), "hm"),
        (_said([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, "Action: a"]), "hm"),
        (_said("Action: a", reasoning=[{"type": "text", "text": "hm"}]), "hm"),
    ],
)
def test_thoughts_in_other_shapes(message: dict[str, Any], thought: str) -> None:
    imported = _answers(message)
    assert imported.trajectories[0].steps[0].thought == thought and not imported.meta


def test_fields_in_a_shape_that_is_not_read_are_kept() -> None:
    function = {"name": "f", "arguments": "{}", "output": "o"}
    call = {"id": "c", "function": function}
    kept = {"reasoning": {"text": "t"}, "function_call": {"name": "g"}}
    content = ["hi", {"type": "thinking", "thinking": {"a": 1}}]
    imported = _answers(_said(content, tool_calls=[call], value=0.5, **kept), outcome=1)
    more = {"calls": [{"function": {"output": "o"}}], "parts": [{"thinking": {"a": 1}}]}
    assert imported.meta["x"]["steps"]["0"] == kept | more
    (credit,) = imported.credits
    assert (credit.source, credit.base_value) == ("logged value", 0.5)


def test_steps_of_swe_agents_form_may_hold_objects_and_rewards() -> None:
    step = {"thought": "t", "action": {"name": "click"}, "observation": {"html": "x"}, "reward": 0.5}
    imported = read_log([{"id": "k", "reward": 1, "trajectory": [step]}])
    (read,) = imported.trajectories[0].steps
    assert (read.action, read.observation) == ('{"name": "click"}', '{"html": "x"}')
    assert imported.credits[0].contributions.tolist() == [0.5] and not imported.meta


@pytest.mark.parametrize("holder", ["history", "query"])
@pytest.mark.parametrize("is_marked", [True, False])
def test_the_issue_of_swe_agent_stands_after_its_demonstration(holder: str, is_marked: bool) -> None:
    demo: dict[str, Any] = {"is_demo": True} if is_marked else {}
    shown = [_user("an example") | demo, _said("its action") | demo] if is_marked or holder == "query" else []
    told = [{"role": "system", "content": "S"}, *shown, _user("the issue")]
    step: dict[str, Any] = {"thought": "t", "action": "ls", "observation": "a.py"}
    record = {"trajectory": [step], "info": {}}
    record |= {"history": [*told, _said("t"), _user("a.py")]} if holder == "history" else {}
    step |= {"query": told} if holder == "query" else {}
    imported = read_log([record])
    (trajectory,) = imported.trajectories
    assert trajectory.initial_observation == (
        "the issue" if is_marked or not shown else "an example\nthe issue"
    )
    assert imported.ledger.system_prompts == 1 and len(trajectory) == 1
    lost = {what.partition(":")[0]: n for what, n in imported.ledger.dropped.items()}
    assert lost == {holder: 1} | ({"demonstration": 2} if shown and holder == "history" else {})


def test_a_demonstration_in_a_history_of_swe_agent_is_no_step() -> None:
    shown = [_user("an example"), _said("its action")]
    history = [one | {"is_demo": True, "agent": "main"} for one in shown] + [QUESTION, _said("a")]
    (trajectory,) = read_log([{"history": history}]).trajectories
    assert trajectory.initial_observation == "q" and [step.text for step in trajectory.steps] == ["a"]


def test_a_redacted_thought_is_told_by_its_summary() -> None:
    part = {"type": "reasoning", "reasoning": "gAAAA", "redacted": True}
    imported = _answers(_said([part | {"summary": "I list."}, "a"]), QUESTION, _said([part, "b"]))
    assert [step.thought for step in imported.trajectories[0].steps] == ["I list.", ""]
    assert imported.ledger.dropped == {"reasoning: encrypted": 2}
    assert imported.meta["x"]["steps"]["0"] == {"parts": [{"redacted": True}]}


def test_what_a_message_says_may_have_another_name() -> None:
    """As in SWE-agent trajectories on the Hub; a critic's number is not what is said."""
    told = [
        {"role": "system", "system_prompt": "S", "text": None},
        {"role": "user", "system_prompt": None, "text": "the issue"},
        {"role": "ai", "text": "Action: ls", "mask": False},
        {"role": "user", "text": "a.py"},
        {"role": "ai", "content": None, "tool_calls": [{"name": "f"}], "value": 0.5},
    ]
    imported = read_log([{"id": "x", "trajectory": told, "target": True}])
    (trajectory,) = imported.trajectories
    assert trajectory.initial_observation == "the issue" and imported.meta["x"]["system_prompt"] == "S"
    assert [(step.action, step.observation) for step in trajectory.steps] == [("ls", "a.py"), ("f", "")]
    assert imported.ledger.carried == {"message.mask": 1, "step.value": 1, "target": 1}
    with pytest.raises(ValueError, match="message 1: 'content' must be text or parts, got 3"):
        read_log([{"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": 3}]}])


@pytest.mark.parametrize(
    ("fields", "reply"), [({"result": "r"}, "r"), ({"result": "", "error": "late"}, "late")]
)
def test_a_call_may_hold_its_reply(fields: dict[str, Any], reply: str) -> None:
    part = {"type": "tool_use", "id": "t", "name": "search", "arguments": '{"q": "x"}', "tool_type": "web"}
    imported = _answers(_said([part | fields, "Done."]))
    (step,) = imported.trajectories[0].steps
    assert (step.action, step.observation) == ('search {"q": "x"}', reply)
    assert imported.meta["x"]["steps"]["0"] == {"calls": [{"tool_type": "web"}]}


def test_instructions_of_pydantic_ai() -> None:
    request = {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": "q"}], "run_id": "r"}
    response = {"kind": "response", "parts": [{"part_kind": "text", "content": "Action: a"}]}
    imported = read_log([{"id": "x", "messages": [request | {"instructions": "Be kind."}, response] * 2}])
    assert imported.meta["x"]["system_prompt"] == "Be kind."
    assert imported.meta["x"]["messages"]["1"] == {"run_id": "r"}
    assert imported.trajectories[0].steps[0].observation == "q", "the same instructions again are told once"


def test_a_last_thought_of_autogen() -> None:
    spoken = {"source": "bot", "type": "TextMessage", "content": "Action: a"}
    imported = read_log([spoken | {"source": "user"}, spoken, spoken | {"type": "ThoughtEvent"}])
    assert [step.thought for step in imported.trajectories[0].steps] == ["", "Action: a"]


def test_text_between_and_after_chat_markers() -> None:
    text = "<|im_start|>user\nq<|im_end|>\nmore<|im_start|>assistant\nAction: a<|im_end|>\nseen<|endoftext|>"
    (trajectory,) = read_log([{"text": text, "reward": 1}]).trajectories
    assert trajectory.initial_observation == "q\nmore" and trajectory.steps[0].observation == "seen"


@pytest.mark.parametrize("role", ["user", "tool", "system"])
def test_the_name_of_a_role_in_an_answer_is_the_agents_word(role: str) -> None:
    said = f"I looked up:\n{role}\nThe account is root.\nAction: stop"
    trl = {"step": 1, "prompt": "q", "completion": said, "reward": 1, "advantage": 0.1}
    for record in (
        trl,
        {"input": "q", "output": said, "score": 1},
        {"prompt": "q", "response": said, "reward": 1},
    ):
        (step,) = read_log([record]).trajectories[0].steps
        assert (step.text, step.action, step.observation) == (said, "stop", "")
    first, second = read_log([trl | {"completion": f"{said}\nassistant\nAction: go"}]).trajectories[0].steps
    assert (first.text, second.action) == ("I looked up:", "go"), "markers that were skipped in decoding"


@pytest.mark.parametrize("step", ["0", "7", "?"])
def test_a_mistake_at_none_of_the_steps(step: str) -> None:
    record = {"id": "x", "history": [QUESTION, _said("a")], "mistake_step": step}
    imported = read_log([record])
    assert imported.meta["x"]["mistake_step"] == step and imported.labels == ()


@pytest.mark.parametrize(
    ("columns", "outcome"),
    [
        ({"a_reward": None, "b_reward": None}, None),
        ({"a_reward": 0.25, "b_reward": None, "reward_std": 0.5}, 0.25),
        ({"a_reward": 0.25, "b_reward": 0.5, "reward_mean": 0.5}, 0.75),
    ],
)
def test_rewards_of_trl(columns: dict[str, Any], outcome: float | None) -> None:
    imported = read_log([{"step": 1, "prompt": "q", "completion": "Action: a"} | columns])
    assert imported.trajectories[0].outcome == outcome
    assert sum(imported.ledger.assumed.values()) == (outcome == 0.75)


@pytest.mark.parametrize(("success", "known"), [(1, True), (False, False), (0.25, None), ("true", True)])
def test_success_is_known_at_zero_and_one_only(success: Any, known: bool | None) -> None:
    (trajectory,) = _answers(_said("a"), success=success).trajectories
    assert (trajectory.outcome, trajectory.success) == (number(success), known)


@pytest.mark.parametrize("said", [0, False, "False", "0"])
@pytest.mark.parametrize("outcome", [1.0, 0.4])
def test_the_success_that_a_log_says_counts_more_than_its_outcome(said: Any, outcome: float) -> None:
    imported = _answers(_said("a"), reward=outcome, success=said)
    (trajectory,) = imported.trajectories
    assert (trajectory.outcome, trajectory.success) == (outcome, False) and not imported.meta
    step = {"source": "agent", "message": "Action: a"}
    atif = {"schema_version": "ATIF-v1.7", "steps": [step], "extra": {"reward": outcome, "success": said}}
    (trajectory,) = read_log([atif]).trajectories
    assert (trajectory.outcome, trajectory.success) == (outcome, False)


@pytest.mark.parametrize(("outcome", "said"), [("Infinity", "inf"), ("1" + "0" * 400, "1000000000")])
def test_an_outcome_without_limit_is_refused(tmp_path: Path, outcome: str, said: str) -> None:
    (tmp_path / "a.json").write_text(f'{{"outcome": {outcome}, "steps": [{{"action": "a"}}]}}')
    with pytest.raises(ValueError, match=rf"a\.json: expected a finite outcome, got {said}"):
        read_log(tmp_path / "a.json")


def test_a_mapping_leaves_the_rows_as_they_are() -> None:
    rows = [{"scores": [{"value": 0.5}], "steps": [{"action": "a"}]}]
    for _ in range(2):
        imported = read_log(rows, ImportOptions(map={"outcome": "scores.0.value"}))
        assert imported.trajectories[0].outcome == 0.5
    assert rows[0]["scores"] == [{"value": 0.5}]


def test_members_of_an_archive_that_cannot_be_read_hide_no_others(tmp_path: Path) -> None:
    row = json.dumps({"outcome": 1, "steps": [{"action": "look"}]})
    with zipfile.ZipFile(tmp_path / "logs.zip", "w") as archive:
        archive.writestr("__MACOSX/._a.json", b"\x00\x80")
        archive.writestr("a.json", b"\x80\x81")
        archive.writestr("b.json", row)
        archive.writestr("c.json.gz", gzip.compress(row.encode()))
    imported = read_log(tmp_path / "logs.zip")
    assert [trajectory.id for trajectory in imported.trajectories] == ["b", "c"]
    assert imported.ledger.files[1]["form"] == "zip, gzip, JSON"
    (skipped,) = imported.ledger.skipped
    assert "logs.zip/a.json: neither text" in skipped


@pytest.mark.parametrize("first", [0, 1, 25])
@pytest.mark.parametrize("empty", [[], None])
def test_an_episode_that_failed_before_its_first_step_is_left_out(first: int, empty: Any) -> None:
    """Such as those of tau-bench whose API failed; the others of the file are read."""
    good = [{"task_id": i, "reward": 1.0, "traj": [QUESTION, _said("a")], "info": {}} for i in range(26)]
    good.insert(first, {"task_id": 99, "reward": 0.0, "traj": empty, "info": {"error": "timeout"}})
    for records in (good, [{"id": str(one["task_id"]), "messages": one["traj"]} for one in good]):
        imported = read_log(records)
        assert len(imported.trajectories) == 26
        (lost,) = [what for what in imported.ledger.dropped if "record" in str(what)]
        assert imported.ledger.dropped[lost] == 1


def test_tau_bench_says_what_its_failures_without_a_step_count() -> None:
    """They have no step that could have credit, however many come first; a file of them alone says why."""
    failed = [{"task_id": i, "reward": 0.0, "traj": [], "info": {"error": "timeout"}} for i in range(25)]
    good = {"task_id": 25, "reward": 1.0, "traj": [QUESTION, _said("a")], "info": {}}
    said = "record: no step of the agent, reward 0.0 in the log; shares of successes are those of the others"
    imported = read_log([*failed, good])
    assert len(imported.trajectories) == 1 and imported.ledger.dropped == {said: 25}
    with pytest.raises(ValueError, match="τ-bench, holds no trajectory: record: no step of the agent"):
        read_log(failed)


def test_simulations_of_tau2_bench_end_as_they_did() -> None:
    ended = {
        "user_stop": "done", "max_steps": "step_limit", "too_many_errors": "error", "agent_error": "error",
    }  # fmt: skip
    simulations: list[dict[str, Any]] = [
        {"id": reason, "task_id": "3", "trial": i, "termination_reason": reason, "messages": [_said("a")]}
        for i, reason in enumerate(ended)
    ]
    simulations[1]["reward_info"] = {"reward": 0.0}
    simulations.append({"id": "x", "task_id": "3", "trial": 9, "messages": None, "reward_info": None})
    imported = read_log([{"simulations": simulations}])
    assert [trajectory.ended for trajectory in imported.trajectories] == list(ended.values())
    assert [trajectory.outcome for trajectory in imported.trajectories] == [None, 0.0, None, None]
    (lost,) = imported.ledger.dropped
    assert lost.startswith("simulation: no step of the agent, reward unknown in the log")


def test_an_episode_without_transitions_is_left_out() -> None:
    good = {"data_idx": 1, "total_reward": 1.0, "steps": [{"action": "a", "observation": "b", "reward": 1.0}]}
    failed = {"data_idx": 2, "total_reward": 0.0, "steps": []}
    imported = read_log([{"episodes": [failed, good, failed]}])
    assert len(imported.trajectories) == 1
    assert imported.ledger.dropped == {
        "episode: empty, as of an episode that failed before its first step": 2
    }
    with pytest.raises(ValueError, match="no known format fits"):
        read_log([{"episodes": [failed]}])


def test_an_empty_response_of_nemo_gym_is_left_out() -> None:
    good = {"output": [{"type": "message", **_said([{"type": "output_text", "text": "a"}])}]}
    asked = {"input": [QUESTION]}
    records = [
        {"responses_create_params": asked, "response": response, "reward": 1.0}
        for response in (good, {"output": []}, good)
    ]
    imported = read_log(records)
    assert len(imported.trajectories) == 2 and sum(imported.ledger.dropped.values()) == 1


def test_a_refusal_is_what_the_agent_said() -> None:
    imported = _answers(_said(None, refusal="I cannot do this."))
    assert imported.trajectories[0].steps[0].text == "I cannot do this."
    assert imported.ledger.carried["message.refusal"] == 1


def test_errors_that_claude_code_puts_in_the_models_place_are_no_steps() -> None:
    said = [_said([{"type": "text", "text": "Done"}], model="claude")]
    said += [_said([{"type": "text", "text": "API Error: 500"}], model="<synthetic>")]
    entries = [{"type": "user", "sessionId": "s", "message": QUESTION}]
    entries += [{"type": "assistant", "sessionId": "s", "message": message} for message in said]
    imported = read_log(entries, ImportOptions(format="claude-code"))
    (step,) = imported.trajectories[0].steps
    assert step.text == "Done" and sum(imported.ledger.dropped.values()) == 1


@pytest.mark.parametrize(
    "told",
    [
        {"turn": {"info": {"success": True}}, "metrics": {}},
        {"turn": {"info": {}}, "metrics": {"Sokoban/success": 1.0}},
    ],
)
def test_ragens_word_on_success_counts_more_than_the_sum_of_rewards(told: dict[str, Any]) -> None:
    turns = [{"state": "s", "llm_response": "a", "reward": -1.0}]
    turns += [{"state": "s", "llm_response": "a", "reward": 0.5} | told["turn"], {"state": "end"}]
    lost = [{"state": "s", "llm_response": "a", "reward": 2.0, "info": {"success": False}}, {"state": "e"}]
    imported = read_log(
        [{"env_id": 0, "history": turns, "metrics": told["metrics"]}, {"env_id": 1, "history": lost}]
    )
    assert [one.success for one in imported.trajectories] == [True, False]


def test_a_whole_langsmith_trace_is_one_episode() -> None:
    """As the client lists it: the graph, its nodes, the calls of model and tool, and a run that failed."""
    asked, called, answer = QUESTION, _calling("a"), _said("Action: stop")
    graph = {"messages": [asked, called, _reply("a", "A"), answer]}
    runs: list[dict[str, Any]] = [
        {"id": "graph", "run_type": "chain", "outputs": graph, "feedback_stats": {"ok": {"avg": 1.0}}},
        {"id": "node", "parent_run_id": "graph", "run_type": "chain", "outputs": {"messages": [called]}},
        {"id": "model", "parent_run_id": "node", "run_type": "llm", "outputs": {"generations": [[]]}},
        {"id": "tool", "parent_run_id": "graph", "run_type": "tool", "outputs": {"output": "A"}},
        {"id": "failed", "run_type": "chain", "outputs": None, "error": "Timeout"},
    ]
    for order in (runs, runs[::-1]):
        imported = read_log([run | {"inputs": {"messages": [asked]}} for run in order])
        (trajectory,) = imported.trajectories
        assert len(trajectory) == 2 and trajectory.outcome == 1
        assert sum(imported.ledger.dropped.values()) == 4
