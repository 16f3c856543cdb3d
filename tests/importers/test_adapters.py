"""Every format: detected from its content, read without an option, nothing lost in silence."""

import json
from pathlib import Path
from typing import Any

import pytest

from spa_lab.importers import ADAPTERS, Imported, read_log

LOGS = Path(__file__).parent / "logs"
FORMATS = {
    "openai.jsonl": "openai", "anthropic.jsonl": "anthropic", "sharegpt.json": "sharegpt",
    "spa-rl.json": "spa-rl", "spa-rl-exploration.json": "spa-rl", "spa-rl-ppo.json": "spa-rl-ppo",
    "atif.json": "atif", "swe-agent.traj": "swe-agent", "swe-agent-history.traj": "swe-agent",
    "mini-swe-agent.json": "mini-swe-agent", "tau-bench.json": "tau-bench", "tau2-bench.json": "tau-bench",
    "openhands.json": "openhands", "openhands-evaluation.jsonl": "openhands-evaluation",
    "agentgym.json": "agentgym", "verifiers.jsonl": "verifiers", "verl.jsonl": "verl", "trl.jsonl": "trl",
    "langsmith.jsonl": "langsmith", "claude-code.jsonl": "claude-code", "codex.jsonl": "codex",
    "nemo-gym.jsonl": "nemo-gym", "webshop-human.jsonl": "webshop-human", "inspect.json": "inspect",
    "agent-process-bench.jsonl": "agent-process-bench", "who-and-when.json": "who-and-when",
    "session-trace.jsonl": "session-trace", "openhands-sdk.json": "openhands-sdk", "ragen.json": "ragen",
    "gemini.json": "gemini", "bedrock.json": "bedrock", "langchain.json": "langchain",
    "ai-sdk.json": "ai-sdk",
    "responses.jsonl": "responses", "completions.jsonl": "completions", "smolagents.json": "smolagents",
    "autogen.json": "autogen", "pydantic-ai.json": "pydantic-ai", "browser-use.json": "browser-use",
    "prompt-response.jsonl": "prompt-response", "gemini-cli.json": "gemini-cli",
    "step-table.csv": "step-table", "react-text.txt": "react-text", "chat-text.jsonl": "chat-text",
    "steps.jsonl": "steps", "prime-rl.jsonl": "verifiers",
}  # fmt: skip
"""File -> format that is to be found in it."""


def _read(name: str) -> Imported:
    return read_log(LOGS / name)


def _said(imported: Imported, index: int = 0) -> list[tuple[str, str, str]]:
    """Thought, action and reply of every step."""
    return [(step.thought, step.action, step.observation) for step in imported.trajectories[index].steps]


def _credit(imported: Imported) -> tuple[str, list[float], float]:
    (credit,) = imported.credits
    return credit.source, credit.contributions.tolist(), credit.base_value


@pytest.mark.parametrize(("name", "expected"), FORMATS.items())
def test_the_format_is_found_from_the_content(name: str, expected: str) -> None:
    imported = _read(name)
    (file,) = imported.ledger.files
    assert file["format"] == expected
    assert imported.ledger.episodes == len(imported.trajectories) == file["episodes"] > 0


def test_every_format_and_every_file_is_tried() -> None:
    # exports of the package are tested in tests/exporters
    assert set(FORMATS.values()) == set(ADAPTERS) - {"spa-lab"}
    assert set(FORMATS) == {path.name for path in LOGS.iterdir()}


def test_openai_calls_of_every_kind() -> None:
    imported = _read("openai.jsonl")
    assert _said(imported) == [
        ("Look it up.", 'find {"limit": 2, "title": "atlas"}\nlist_shelves',
         "[2 list_shelves] A, B\n[1 find] shelf B"),
        ("", 'go {"to": "B"}', "You see maps.\n[image]"),
        ("", "", ""),
    ]  # fmt: skip
    assert imported.trajectories[0].steps[2].text == "It is on shelf B."
    assert _credit(imported) == ("logged reward", [0.0, 0.25, 0.0], 0.0)
    assert imported.meta["7"]["system_prompt"] == "You keep a library."
    ledger = imported.ledger
    assert (ledger.tool_calls, ledger.system_prompts, ledger.empty_actions) == (3, 1, 2)
    assert list(ledger.dropped) == ["image_url part: a step holds text; a placeholder stands for it"]


@pytest.mark.parametrize(
    ("arguments", "action"),
    [
        ({"q": "x"}, 'f {"q": "x"}'),
        ('{"q": "x"}', 'f {"q": "x"}'),
        (None, "f"),
        ("null", "f"),
        ("", "f"),
        ('"SELECT 1"', 'f "SELECT 1"'),
        ("not JSON {", "f not JSON {"),
    ],
)
@pytest.mark.parametrize("is_nested", [True, False])
def test_arguments_read_alike(arguments: Any, action: str, is_nested: bool) -> None:
    inner = {"name": "f", "arguments": arguments}
    call = {"id": "c", "function": inner} if is_nested else inner
    messages = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
    ]
    imported = read_log([{"outcome": 1, "messages": messages}])
    assert imported.trajectories[0].steps[0].action == action


def test_a_call_without_arguments_and_calls_as_text() -> None:
    calls = [{"function": {"name": "f"}}, '{"function": {"name": "g", "arguments": {"a": 1}}}']
    messages = [{"role": "assistant", "content": "", "tool_calls": calls}]
    imported = read_log([{"outcome": 1, "messages": messages}])
    assert imported.trajectories[0].steps[0].action == 'f\ng {"a": 1}'


def test_anthropic_blocks() -> None:
    imported = _read("anthropic.jsonl")
    thought, action, reply = _said(imported)[0]
    assert (thought, action) == ("Look it up.\nOne moment.", 'find {"title": "atlas"}\nclock')
    assert reply == "[2 clock] noon\n[1 find] shelf B"
    assert imported.meta["a"]["steps"]["0"]["parts"] == [{"signature": "s"}]


@pytest.mark.parametrize(
    "name", ["sharegpt.json", "spa-rl.json", "spa-rl-exploration.json", "spa-rl-ppo.json"]
)
def test_the_acknowledgement_of_the_manual_is_no_step(name: str) -> None:
    imported = _read(name)
    trajectory = imported.trajectories[0]
    assert [step.action for step in trajectory.steps] == ["go to shelf B", "take atlas"]
    assert trajectory.initial_observation.endswith("and an action.\nYou are at the desk. Find the atlas.")
    assert any(what.startswith("first turn 'OK'") for what in imported.ledger.dropped)


def test_spa_rl_values_of_turns_are_a_credit() -> None:
    imported = _read("spa-rl.json")
    assert _credit(imported) == ("turn_values", [0.5, 0.25], 0.1)
    assert (imported.trajectories[0].outcome, imported.trajectories[0].success) == (1.0, True)
    assert _credit(_read("spa-rl-ppo.json")) == ("logged reward", [0.5, 0.25], 0.1)


def test_spa_rl_explorations_of_a_task_are_a_group() -> None:
    failed, solved = _read("spa-rl-exploration.json").trajectories
    assert (failed.id, failed.task_id, failed.outcome) == ("lib_0", "lib_0", 0.0)
    assert (solved.id, solved.task_id, solved.outcome) == ("lib_0#2", "lib_0", 1.0)


def test_values_that_miss_a_turn_are_kept_and_said() -> None:
    chat = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "Action: a"}]
    imported = read_log([{"id": "x", "ground_truth": 1, "turn_values": [1, 2], "conversations": chat}])
    assert imported.credits == [] and imported.meta["x"]["turn_values"] == [1, 2]
    assert imported.ledger.dropped == {"turn_values: not one number for every turn; kept in meta": 1}


def test_atif() -> None:
    imported = _read("atif.json")
    assert _said(imported)[0] == ("Use the catalogue.\nI look it up.", 'find {"title": "atlas"}', "shelf B")
    trajectory = imported.trajectories[0]
    assert (trajectory.id, trajectory.policy, trajectory.success) == ("s1", "m", True)
    assert imported.meta["s1"]["steps"]["0"] == {"step_id": 3, "metrics": {"prompt_tokens": 9}}


@pytest.mark.parametrize(("name", "text"), [("reward.txt", "0.75\n"), ("reward.json", '{"reward": 0.75}')])
def test_the_verdict_of_a_harbor_trial_lies_beside_its_trajectory(
    tmp_path: Path, name: str, text: str
) -> None:
    log = json.loads((LOGS / "atif.json").read_text())
    del log["extra"]
    for folder, file, content in (("agent", "trajectory.json", json.dumps(log)), ("verifier", name, text)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).write_text(content)
    imported = read_log(tmp_path)
    assert imported.trajectories[0].outcome == 0.75 and not imported.ledger.assumed
    assert any(f"verifier/{name}" in note for note in imported.notes)


def test_swe_agent() -> None:
    imported = _read("swe-agent.traj")
    assert _said(imported) == [("I list the files.", "ls", "a.py\n"), ("Done.", "submit", "")]
    assert imported.trajectories[0].initial_observation == "Fix a.py."
    assert imported.meta["swe-agent"]["info"]["submission"] == "diff"
    assert [what.partition(":")[0] for what in imported.ledger.dropped] == ["history", "query"]
    assert _said(_read("swe-agent-history.traj")) == [("I open it.", 'open "a.py"', "x = 1")]


def test_mini_swe_agent() -> None:
    imported = _read("mini-swe-agent.json")
    assert [action for _, action, _ in _said(imported)] == ["ls\npwd", "echo done"]
    assert imported.trajectories[0].steps[0].thought == "I look."
    assert (imported.trajectories[0].id, imported.trajectories[0].ended) == ("proj__1", "step_limit")
    assert imported.meta["proj__1"]["exit"] == {"extra": {"exit_status": "LimitsExceeded"}}


def test_tau_bench_trials_of_a_task() -> None:
    imported = _read("tau-bench.json")
    assert [(t.id, t.task_id, t.outcome) for t in imported.trajectories] == [
        ("3/trial-0", "3", 1.0), ("3/trial-1", "3", 0.0),
    ]  # fmt: skip
    assert imported.trajectories[0].instruction == "You are a reader."
    assert imported.ledger.empty_actions == 2
    (simulated,) = _read("tau2-bench.json").trajectories
    assert (simulated.steps[0].action, simulated.outcome) == ('get_user {"id": "u1"}', 1.0)


def test_openhands() -> None:
    imported = _read("openhands.json")
    assert _said(imported) == [("I make it.", 'run {"command": "mkdir b"}', "(no output)"), ("", "", "")]
    assert imported.trajectories[0].initial_observation == "Make a folder."
    assert imported.meta["openhands"]["system_prompt"] == "You write programs."
    assert imported.trajectories[0].outcome is None and not imported.ledger.assumed
    (evaluated,) = _read("openhands-evaluation.jsonl").trajectories
    assert (evaluated.id, evaluated.outcome) == ("proj__1", 1.0)


def test_openhands_shows_the_call_as_the_model_wrote_it() -> None:
    call = {"id": "c1", "function": {"name": "edit_file", "arguments": '{"path": "a"}'}}
    response = {"choices": [{"message": {"role": "assistant", "tool_calls": [call]}}]}
    kept = {"function_name": "edit_file", "tool_call_id": "c1", "model_response": response}
    event = {
        "source": "agent",
        "action": "edit",
        "args": {"path": "a", "start": 1},
        "tool_call_metadata": kept,
    }
    imported = read_log([event, {"source": "agent", "observation": "edit", "content": "done"}])
    assert _said(imported) == [("", 'edit_file {"path": "a"}', "done")]
    (meta,) = imported.meta.values()
    assert meta["steps"]["0"]["start"] == 1


def test_openhands_sdk_calls_of_one_response_are_one_step() -> None:
    imported = _read("openhands-sdk.json")
    calls = 'terminal {"command": "mkdir b"}\nterminal {"command": "ls"}'
    assert _said(imported) == [("I make it.", calls, "[1 terminal] made\n[2 terminal] b"), ("", "", "")]
    assert imported.ledger.system_prompts == 1


def test_ragen_turns_and_groups() -> None:
    imported = _read("ragen.json")
    first, second = imported.trajectories
    assert [step.observation for step in first.steps] == ["#_PG", "#__P"]
    assert [step.thought for step in first.steps] == ["right", "again"]
    assert first.initial_observation == "#P_G" and first.task_id == second.task_id == "0"
    assert imported.credits[0].contributions.tolist() == [-0.1, 1.0]
    assert first.outcome == 0.9 and list(imported.ledger.assumed) == [
        "no outcome in the log: the sum of its rewards"
    ]


def test_transitions() -> None:
    imported = _read("agentgym.json")
    assert _credit(imported) == ("logged reward", [0.25, 0.5], 0.0)
    (trajectory,) = imported.trajectories
    assert (trajectory.task_id, trajectory.outcome, trajectory.success) == ("5", 0.75, True)


def test_verifiers_rewards_outside_of_the_unit_range() -> None:
    imported = _read("verifiers.jsonl")
    assert [t.outcome for t in imported.trajectories] == pytest.approx([1.0, 1 / 3])
    assert [t.success for t in imported.trajectories] == [True, None]
    assert _said(imported)[1] == ("Then", "C", "")
    assert imported.ledger.dropped == {"record: none of the 1 messages is the assistant's": 1}
    assert any("scaled from [0, 1.5] to [0, 1]" in note for note in imported.notes)


def test_calls_of_prime_rl_give_numbers_of_steps_and_tokens() -> None:
    imported = _read("prime-rl.jsonl")
    assert [(t.id, t.task_id, len(t), t.ended) for t in imported.trajectories] == [
        ("3", "3", 2, "done"), ("3#2", "3", 1, "step_limit"),
    ]  # fmt: skip
    by_source = {(one.source, one.trajectory_id): one.contributions.tolist() for one in imported.credits}
    assert by_source == {
        ("logged reward", "3"): [0.25, 0.75],
        ("logged advantage", "3"): [0.5, 0.5],
        ("logged advantage", "3#2"): [-0.5],
    }
    logprobs = [[step.tolist() for step in one.numbers] for one in imported.tokens]
    assert logprobs == [[[-0.5, -0.25], [-1.0]], [[-2.0]]]
    assert imported.trajectories[0].outcome == 1.0 and imported.trajectories[1].outcome == 0.0


def test_verl_texts_are_split_at_chat_markers() -> None:
    imported = _read("verl.jsonl")
    assert _said(imported) == [("", "go north", "a wall"), ("", "stop", "")]
    assert _said(imported, 1) == [("", "stop", "")]
    assert [t.outcome for t in imported.trajectories] == [0.0, 1.0]
    assert imported.ledger.system_prompts == 2


def test_trl_rewards_are_summed() -> None:
    imported = _read("trl.jsonl")
    assert imported.trajectories[0].outcome == 0.75
    (advantage,) = imported.credits
    assert advantage.source == "logged advantage" and set(advantage.contributions) == {-0.1}


def test_langsmith() -> None:
    imported = _read("langsmith.jsonl")
    assert _said(imported)[0] == ("", 'search {"q": "x"}', "found")
    assert (imported.trajectories[0].initial_observation, imported.trajectories[0].outcome) == (
        "Buy it.",
        1.0,
    )


def test_sessions_of_programming_agents() -> None:
    for name in ("claude-code.jsonl", "codex.jsonl", "session-trace.jsonl"):
        imported = _read(name)
        thought, action, reply = _said(imported)[0]
        assert (thought, reply, imported.trajectories[0].id) == ("Use mkdir.", "ok", "s1")
        assert "mkdir" in action and imported.trajectories[0].steps[1].text == "It is there."


def test_nemo_gym() -> None:
    assert _said(_read("nemo-gym.jsonl"))[0] == ("", "go", "gone")


def test_webshop_pages() -> None:
    imported = _read("webshop-human.jsonl")
    assert [action for _, action, _ in _said(imported)] == ["search[red lamp]", "click[B1]", "click[buy now]"]
    assert (imported.trajectories[0].instruction, imported.trajectories[0].outcome) == ("a red lamp", 0.5)


@pytest.mark.parametrize(
    ("name", "source", "values"),
    [
        ("agent-process-bench.jsonl", "step label", [1.0, -1.0]),
        ("who-and-when.json", "mistake", [0.0, -1.0]),
    ],
)
def test_labels(name: str, source: str, values: list[float]) -> None:
    imported = _read(name)
    (labels,) = imported.labels
    assert (labels.source, labels.values.tolist(), imported.credits) == (source, values, [])


def test_calls_of_custom_tools_and_of_haystack() -> None:
    call = {"id": "c", "type": "custom", "custom": {"name": "grep", "input": "x y"}}
    origin = {"tool_name": "find", "arguments": {"title": "atlas"}, "id": "h"}
    messages = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "line 1"},
        {"role": "assistant", "content": [{"text": "t"}, {"tool_call": origin}]},
        {"role": "tool", "content": [{"tool_call_result": {"result": "r", "origin": origin, "error": True}}]},
    ]
    imported = read_log([{"id": "a", "messages": messages}])
    assert _said(imported) == [("", "grep x y", "line 1"), ("t", 'find {"title": "atlas"}', "r")]
    assert imported.meta["a"]["messages"]["4"] == {"parts": [{"status": "error"}]}


def test_inspect_attachments_and_errors_of_tools() -> None:
    messages = [
        {"role": "user", "content": "go"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "1", "function": "bash", "arguments": {}}],
        },
        {"role": "tool", "tool_call_id": "1", "content": "", "error": {"type": "timeout", "message": "late"}},
        {"role": "assistant", "content": "attachment://abc"},
    ]
    sample = {"id": 1, "messages": messages, "attachments": {"abc": "a long text"}}
    (trajectory,) = read_log({"eval": {"model": "m"}, "samples": [sample]}).trajectories
    assert trajectory.steps[0].observation == "late" and trajectory.steps[1].text == "a long text"


def test_rows_of_one_step_that_verl_agent_dumps_are_said() -> None:
    row = {"input": "You have already taken 2 step(s).", "output": "<action>go</action>", "score": 1}
    notes = read_log([row, row]).notes
    assert sum("the dump does not say which rows are of one episode" in note for note in notes) == 1


def test_replies_of_tools_that_run_at_the_provider() -> None:
    content = [
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
        {"type": "web_search_tool_result", "tool_use_id": "s1",
         "content": [{"type": "web_search_result", "title": "T", "url": "http://u"}]},
        {"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "Found."},
    ]  # fmt: skip
    system = [{"type": "text", "text": "You seek."}]
    chat = [{"role": "user", "content": "q"}, {"role": "assistant", "content": content}]
    imported = read_log({"id": "a", "system": system, "messages": chat})
    assert _said(imported) == [("[redacted_thinking]\nFound.", 'web_search {"query": "q"}', "T\nhttp://u")]
    assert imported.meta["a"]["system_prompt"] == "You seek."


def test_inspect_epochs() -> None:
    imported = _read("inspect.json")
    assert [(t.id, t.task_id, t.outcome) for t in imported.trajectories] == [
        ("1/epoch-1", "1", 1.0), ("1/epoch-2", "1", 0.0),
    ]  # fmt: skip
    assert _said(imported)[0] == ("I look.", 'find {"title": "atlas"}', "B")
