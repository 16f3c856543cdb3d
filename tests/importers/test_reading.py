"""Reading a log: forms of files, styles of actions, outcomes, ids, the ledger, and the errors."""

import gzip
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import spa_lab
from spa_lab.credit.methods.gigpo import gigpo
from spa_lab.importers import ImportOptions, LossError, UnknownFormat, import_log, read_log, styles
from spa_lab.store import Run, StoreError

ROW = {"outcome": 1, "steps": [{"action": "look"}]}
LOGS = Path(__file__).parent / "logs"


def _chat(text: str, **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": text}]
    return {"outcome": 1, "messages": messages} | fields


@pytest.mark.parametrize(
    ("content", "form", "n"),
    [
        (json.dumps(ROW, indent=2).encode(), "JSON", 1),
        (json.dumps([ROW, ROW | {"id": "b"}]).encode(), "JSON list", 2),
        (b"\n" + json.dumps(ROW).encode() + b"\r\n\n" + json.dumps(ROW).encode(), "JSON lines", 2),
        (b"\xef\xbb\xbf" + json.dumps(ROW).encode(), "JSON", 1),
        (json.dumps(ROW).encode("utf-16"), "JSON", 1),
        (gzip.compress(json.dumps([ROW]).encode(), mtime=0), "gzip, JSON list", 1),
        (json.dumps(ROW).encode() + b"\n" + json.dumps(ROW).encode()[:-4], "JSON lines", 1),
    ],
    ids=["JSON", "list", "lines", "BOM", "UTF-16", "gzip", "cut off"],
)
def test_forms(tmp_path: Path, content: bytes, form: str, n: int) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(content)
    imported = read_log(path)
    assert imported.ledger.files[0]["form"] == form and len(imported.trajectories) == n


def test_a_last_line_that_is_cut_off_is_said(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(ROW) + "\n" + json.dumps(ROW)[:-4])
    assert read_log(path).ledger.dropped == {"line: line 2, the last one, is cut off": 1}
    with pytest.raises(LossError, match="line 2, the last one, is cut off"):
        read_log(path, ImportOptions(strict=True))


def test_archives(tmp_path: Path) -> None:
    log = json.loads((LOGS / "inspect.json").read_text())
    samples = log.pop("samples")
    with zipfile.ZipFile(tmp_path / "log.eval", "w") as archive:
        archive.writestr("header.json", json.dumps(log))
        for index, sample in enumerate(samples):
            archive.writestr(f"samples/{index}.json", json.dumps(sample))
    assert len(read_log(tmp_path / "log.eval").trajectories) == 2
    with zipfile.ZipFile(tmp_path / "logs.zip", "w") as archive:
        archive.writestr("a.jsonl", json.dumps(ROW))
        archive.writestr("b.jsonl", json.dumps(ROW))
    assert [t.id for t in read_log(tmp_path / "logs.zip").trajectories] == ["a", "b"]


def test_folders_and_several_files(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.json").write_text(json.dumps(ROW))
    (tmp_path / "deep/b.jsonl").write_text(json.dumps(ROW) + "\n" + json.dumps(ROW))
    (tmp_path / "result.json").write_text('{"passed": 3}')
    (tmp_path / "readme.md").write_text("no log")
    imported = read_log(tmp_path)
    assert [t.id for t in imported.trajectories] == ["a", "b/line-1", "b/line-2"]
    (skipped,) = imported.ledger.skipped
    assert "result.json" in skipped and "no known format fits" in skipped
    assert len(read_log([tmp_path / "a.json", str(tmp_path / "deep/b.jsonl")]).trajectories) == 3
    with pytest.raises(LossError, match="skipped"):
        read_log(tmp_path, ImportOptions(strict=True))


def test_rows_in_memory() -> None:
    assert len(read_log([ROW, ROW]).trajectories) == len(read_log(pd.DataFrame([ROW, ROW])).trajectories) == 2
    with pytest.raises(ValueError, match="expected paths, a list of dicts or a table, got list"):
        read_log([1])


def test_lists_of_a_table_may_be_arrays() -> None:
    """As pandas.read_parquet gives them."""
    said = {"role": "assistant", "content": np.array([{"type": "text", "text": "Action: go"}], dtype=object)}
    messages = np.array([{"role": "user", "content": "q"}, said], dtype=object)
    row = {"id": "a", "messages": messages, "reward": np.float64(1), "step_rewards": np.array([0.5])}
    for rows in (pd.DataFrame([row]), [row]):
        imported = read_log(rows)
        assert [step.action for step in imported.trajectories[0].steps] == ["go"]
        assert imported.credits[0].contributions.tolist() == [0.5]
    assert row["messages"] is messages


@pytest.mark.parametrize(
    ("log", "form", "ids"),
    [
        ({"config": {"k": 1}, "results": [_chat("a", id="x")]}, "list 'results'", ["x"]),
        ({"x": _chat("a"), "y": _chat("b")}, "by id", ["x", "y"]),
        ([{"index": 3, "output": _chat("a", id="x")}], "in 'output'", ["x"]),
        ([_chat("a")["messages"], _chat("b")["messages"]], "lists", ["record-0", "record-1"]),
        (_chat("a")["messages"], "JSON list", ["log"]),
    ],
)
def test_episodes_one_level_deeper(tmp_path: Path, log: Any, form: str, ids: list[str]) -> None:
    (tmp_path / "log.json").write_text(json.dumps(log))
    imported = read_log(tmp_path / "log.json")
    assert imported.ledger.files[0]["form"].endswith(form)
    assert [trajectory.id for trajectory in imported.trajectories] == ids
    if form == "list 'results'":
        assert imported.meta["x"]["file"] == {"config": {"k": 1}}
    if form == "in 'output'":
        assert imported.meta["x"] == {"index": 3}


def test_where_nothing_fits_the_message_says_what_was_tried(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text('{"turns": [{"agent": "go"}]}')
    with pytest.raises(UnknownFormat) as caught:
        read_log(path)
    message = str(caught.value)
    assert "JSON of 1 records, the first with the fields turns" in message
    assert all(f"\n  {name} " in message for name in ("steps", "atif", "openai"))
    assert "no 'schema_version'" in message or "no 'steps'" in message
    assert "def episode(record):" in message and "--format my_log:episode" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"{", "as JSON lines: line 1: broken JSON at line 1, column 2"),
        (b'{"a": 1}\nnothing\n{}', "as JSON lines: line 2: broken JSON"),
        (b"\x80\x81", "neither text .* nor gzip, zip or parquet"),
        (b"\x1f\x8b\x00", "broken or unknown compression"),
        (b"PK\x03\x04zz", "broken or unknown compression"),
        (b"PAR1zz", "broken parquet|needs pyarrow"),
        (b"\xff\xff\xff\xffzz", "broken Arrow|needs pyarrow"),
        (b"[" * 100_000, "recursion"),
        (b'{"outcome": ' + b"9" * 5000 + b"}", "Exceeds the limit"),
        (b"3", "no known format fits .*JSON of 1 records"),
    ],
)
def test_broken_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "log"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_log(path)


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such file or folder"):
        read_log(tmp_path / "nothing")
    with pytest.raises(ValueError, match="no files named"):
        read_log(tmp_path)


def test_a_format_by_name_and_by_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_own_log.py").write_text(
        "def episode(record):\n"
        "    steps = [{'text': turn} for turn in record['turns']]\n"
        "    return {'id': record['n'], 'outcome': record['won'], 'steps': steps} if steps else None\n"
    )
    monkeypatch.chdir(tmp_path)
    rows = [{"n": 3, "won": True, "turns": ["Action: go"]}, {"n": 4, "won": False, "turns": []}]
    imported = read_log(rows, ImportOptions("my_own_log:episode"))
    (trajectory,) = imported.trajectories
    assert (trajectory.id, trajectory.outcome, trajectory.steps[0].action) == ("3", 1.0, "go")
    assert imported.ledger.dropped == {"record: holds no episode": 1}
    with pytest.raises(ValueError, match="not of the format atif: no 'steps'"):
        read_log([{"messages": []}], ImportOptions("atif"))
    with pytest.raises(ValueError, match="no format 'nothing'; there are: spa-lab, steps, atif"):
        read_log([ROW], ImportOptions("nothing"))
    with pytest.raises(ValueError, match="not as in a log of this format: KeyError"):
        read_log([{"n": 1}], ImportOptions("my_own_log:episode"))


def test_a_mapping_renames_fields_at_any_depth() -> None:
    record = {
        "n": 3,
        "outcome": "kept",
        "verdict": {"reward": 0.5, "by": "me"},
        "trajectory": {"turns": [{"said": "go", "seen": "a wall"}], "model": "m"},
    }
    maps = {
        "outcome": "verdict.reward", "id": "n", "steps": "trajectory.turns",
        "step.action": "said", "step.observation": "seen",
    }  # fmt: skip
    imported = read_log([record], ImportOptions(map=maps))
    (trajectory,) = imported.trajectories
    assert (trajectory.id, trajectory.outcome, len(trajectory)) == ("3", 0.5, 1)
    assert (trajectory.steps[0].action, trajectory.steps[0].observation) == ("go", "a wall")
    meta = {"logged outcome": "kept", "verdict": {"by": "me"}, "trajectory": {"model": "m"}}
    assert imported.meta == {"3": meta} and record["verdict"] == {"reward": 0.5, "by": "me"}
    assert "outcome is the field verdict.reward of the log (1 of 1)" in imported.notes
    assert read_log({"runs": [record]}, ImportOptions(map=maps)).trajectories[0].id == "3"


def test_mapped_steps_may_be_texts_or_messages() -> None:
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "Action: go"}]
    for record in ({"data": [{"turns": turns}]}, {"data": [{"turns": ["Action: go"]}]}):
        imported = read_log([record], ImportOptions(map={"steps": "data.0.turns"}))
        assert [step.action for step in imported.trajectories[0].steps] == ["go"]


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        ({"outcom": "a"}, "map: no field 'outcom'; there are: id, "),
        ({"outcome": "x.y"}, "map outcome=x.y: none of 1 records has 'x.y'; fields of the first: steps"),
        ({"step.text": "x"}, "map step.text=x: none of 1 steps has 'x'; fields of the first: action"),
    ],
)
def test_a_mapping_that_finds_nothing_is_an_error(maps: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_log([{"steps": [{"action": "a"}]}], ImportOptions(map=maps))


@pytest.mark.parametrize(
    ("text", "thought", "action"),
    [
        ("Thought: t\nAction: go", "t", "go"),
        ("Thought 1: t\nAction 1: go", "t", "go"),
        ("Thought: t\nAct: go", "t", "go"),
        ("<think>t</think><action>go</action>", "t", "go"),
        ('t <tool_call>\n{"name": "go"}\n</tool_call>', "t", "go"),
        (
            '<tool_call>{"name": "a", "arguments": {"x": 1}}</tool_call><tool_call>b</tool_call>',
            "",
            'a {"x": 1}\nb',
        ),
        (
            "I look.\n<function=bash>\n<parameter=command>\nls\n</parameter>\n</function>",
            "I look.",
            'bash {"command": "ls"}',
        ),
        ("<think>t</think><answer>B</answer>", "t", "answer B"),
        ("t</think>\n<action>go</action>", "t", "go"),
        ("Thought: t\nAction: find\nAction Input: x\ny\nObservation: z", "t", "find x\ny"),
        ("Act: bash\n\n```bash\nls\n```", "", "bash\nls"),
        ("THOUGHT: t\n\n```bash\nls\npwd\n```", "t", "ls\npwd"),
        ("Thought: t\nAction:\n```bash\nls\npwd\n```", "t", "ls\npwd"),
        ("Thought: t", "t", ""),
        ("plainly said", "", ""),
    ],
)
def test_styles(text: str, thought: str, action: str) -> None:
    _, parser, _ = styles.detect([text])
    assert styles.parse(text, parser) == (thought, action)


def test_the_style_is_said_and_can_be_given() -> None:
    imported = read_log([_chat("<action>go</action>"), _chat("nothing")])
    assert (
        "rows in memory: actions of plain texts read by tags such as <action> (1 of 2 texts)"
        in imported.notes
    )
    assert imported.ledger.empty_actions == 1
    given = read_log([_chat("I choose [go].")], ImportOptions(action=r"\[(.*?)\]"))
    assert given.trajectories[0].steps[0].action == "go"
    with pytest.raises(ValueError, match="action pattern '\\('"):
        read_log([_chat("x")], ImportOptions(action="("))


def test_outcomes() -> None:
    rows = [_chat("a", outcome=3, step_rewards=[2]), _chat("a", outcome=-1)]
    scaled = read_log(rows)
    assert [t.outcome for t in scaled.trajectories] == [1.0, 0.0]
    assert scaled.credits[0].contributions.tolist() == [0.5], "in units of the outcome"
    given = read_log(rows, ImportOptions(scale=(-1, 9)))
    assert [t.outcome for t in given.trajectories] == pytest.approx([0.4, 0.0])
    with pytest.raises(ValueError, match=r"record 0: the outcome 3 lies outside of the scale \[0, 2\]"):
        read_log(rows, ImportOptions(scale=(0, 2)))
    with pytest.raises(ValueError, match="the low end must lie below"):
        read_log(rows, ImportOptions(scale=(1, 1)))
    named = read_log([_chat("a", info={"judge": 0.25})], ImportOptions(outcome="info.judge"))
    assert named.trajectories[0].outcome == 0.25
    with pytest.raises(ValueError, match="no number in the field 'judge' for the outcome; fields: none"):
        read_log([_chat("a")], ImportOptions(outcome="judge"))


def test_success_of_outcomes_in_another_range_is_unknown_between_its_ends() -> None:
    rows = [_chat("a", outcome=outcome) for outcome in (1, 7, 10)]
    found = read_log(rows)
    assert [t.success for t in found.trajectories] == [None, None, True]
    assert list(found.ledger.assumed) == [
        "success: the ends of the range of the outcomes are failure and success"
    ]
    given = read_log(rows, ImportOptions(scale=(1, 10)))
    assert [t.success for t in given.trajectories] == [False, None, True] and not given.ledger.assumed
    said = read_log([_chat("a", outcome=7, success=True), _chat("a", outcome=0, success=False)])
    assert [t.success for t in said.trajectories] == [True, False] and not said.ledger.assumed


def test_fields_that_may_hold_the_outcome_are_named() -> None:
    row = {"messages": _chat("a")["messages"], "info": {"judge": {"score": 0.5}, "steps": {"score": 1}}}
    imported = read_log([row])
    assert "fields that may hold it, for --outcome: info.judge.score (1)" in imported.notes
    assert read_log([row], ImportOptions(outcome="info.judge.score")).trajectories[0].outcome == 0.5


def test_the_own_format_is_strict_if_asked_for() -> None:
    rows = [ROW | {"id": "a"}, ROW | {"id": "a", "outcome": 4}]
    detected = read_log(rows).trajectories
    assert [(t.id, t.outcome) for t in detected] == [("a", 0.25), ("a#2", 1.0)]
    with pytest.raises(ValueError, match="record 1: duplicate trajectory 'a'"):
        read_log(rows, ImportOptions("steps"))
    with pytest.raises(ValueError, match=r"record 0: trajectory 'b': outcome must lie in \[0, 1\], got 4"):
        read_log([rows[1] | {"id": "b"}], ImportOptions("steps"))


def test_what_nobody_knows_is_unknown_and_said() -> None:
    messages = _chat("a")["messages"]
    imported = read_log([{"messages": messages}], ImportOptions(strict=True))
    (trajectory,) = imported.trajectories
    assert (trajectory.outcome, trajectory.success, trajectory.steps[0].grounded) == (None, None, None)
    assert imported.notes[:3] == [
        "1 of 1 steps: whether the world executed the action is unknown",
        "1 of 1 episodes: the outcome is unknown",
        "1 of 1 episodes: the success is unknown",
    ]
    rewarded = [{"id": "a", "steps": [{"action": "x", "reward": 0.5}]}]
    with pytest.raises(LossError, match=r"no outcome in the log: the sum of its rewards \(1\)"):
        read_log(rewarded, ImportOptions(strict=True))
    unscaled = read_log([{"messages": messages, "step_rewards": [2]}, _chat("a", outcome=4)])
    assert unscaled.credits[0].contributions.tolist() == [0.5], "in units of the other outcomes"


def test_trials_of_a_task_are_a_group() -> None:
    rows = [
        {"id": 7, "outcome": won, "initial_observation": "o", "steps": [{"action": said, "observation": "p"}]}
        for won, said in ((1, "a"), (0, "b"), (1, "a"))
    ]
    trajectories = read_log(rows).trajectories
    assert [(t.id, t.task_id) for t in trajectories] == [("7", "7"), ("7#2", "7"), ("7#3", "7")]
    won, lost, _ = gigpo([])(trajectories)
    assert won.contributions[0] > 0 > lost.contributions[0]
    with pytest.raises(ValueError, match="trajectory 'x': its outcome is unknown"):
        gigpo([])([*trajectories, replace(trajectories[0], id="x", outcome=None)])


def test_an_id_that_repeats_with_another_beginning_is_another_task() -> None:
    rows = [_chat("a", id=3), _chat("b", id=3)]
    rows[1]["messages"] = [{"role": "user", "content": "another question"}, rows[1]["messages"][-1]]
    imported = read_log([*rows, rows[0]])
    assert [(t.id, t.task_id) for t in imported.trajectories] == [("3", "3"), ("3#2", "3#2"), ("3#3", "3")]
    assert any("1 begin unlike it: another task" in note for note in imported.notes)
    named = [row | {"task_id": "t"} for row in rows]
    assert {t.task_id for t in read_log(named).trajectories} == {"t"}


def test_a_folder_for_every_episode(tmp_path: Path) -> None:
    for name, reward in (("one", 1), ("two", 0.5)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "messages.json").write_text(json.dumps(_chat("a")["messages"]))
        (tmp_path / name / "result.json").write_text(json.dumps({"reward": reward}))
    trajectories = read_log(tmp_path).trajectories
    assert [(t.id, t.outcome) for t in trajectories] == [("one/messages", 1.0), ("two/messages", 0.5)]
    (tmp_path / "two" / "other.json").write_text(json.dumps(_chat("b")["messages"]))
    assert [t.outcome for t in read_log(tmp_path / "two").trajectories] == [None, None], "whose is it?"


def test_episodes_that_begin_alike_and_have_no_name_are_one_task() -> None:
    rows = [{"input": f"user\n{asked}\n", "output": "Action: go", "score": 1, "step": 1} for asked in "aab"]
    imported = read_log(rows)
    assert [t.task_id for t in imported.trajectories] == ["record-0", "record-0", "record-2"]
    assert "1 episodes without a name begin as an earlier one: taken for its task" in imported.notes


def test_unknown_fields_are_carried_and_misspelt_ones_refused(tmp_path: Path) -> None:
    imported = read_log([ROW | {"id": "a", "model": "m", "steps": [{"action": "x", "logprob": -1.0}]}])
    assert imported.meta == {"a": {"model": "m", "steps": {"0": {"logprob": -1.0}}}}
    assert imported.ledger.carried == {"model": 1, "step.logprob": 1}
    for wrong, hint in (
        ({"outcom": 1}, "outcome"),
        ({"steps": [{"action": "a", "observaton": ""}]}, "observation"),
    ):
        with pytest.raises(ValueError, match=f"did you mean '{hint}'"):
            read_log([ROW | wrong])


def test_what_is_no_text_is_read_as_json_and_null_as_not_said() -> None:
    row = {
        "id": None,
        "outcome": "0.5",
        "steps": [{"action": {"y": 2, "x": 1}, "observation": None}, {"action": 3}],
    }
    (trajectory,) = read_log([row]).trajectories
    assert (trajectory.id, trajectory.outcome) == ("record-0", 0.5)
    assert [step.action for step in trajectory.steps] == ['{"x": 1, "y": 2}', "3"]


def test_messages_of_langchain_and_a_system_prompt_beside_the_messages() -> None:
    messages = [{"type": "human", "content": "q"}, {"type": "ai", "content": "Action: go"}]
    imported = read_log([{"id": "a", "reward": 1, "system": "You walk.", "messages": messages}])
    assert imported.trajectories[0].steps[0].action == "go"
    assert imported.meta == {"a": {"system_prompt": "You walk."}} and imported.ledger.system_prompts == 1


def test_the_ledger_is_kept_in_the_run(tmp_path: Path) -> None:
    run, imported = import_log(None, LOGS / "openai.jsonl", tmp_path / "run")
    ledger, meta = Run.open(run.path).load_import("imported")
    assert ledger == json.loads(json.dumps(imported.ledger.record()))
    assert (ledger["episodes"], ledger["tool_calls"]) == (2, 3) and meta == imported.meta
    assert imported.ledger.line().startswith(
        "2 episodes, 4 steps, 2 actions empty, 1 thoughts, 3 tool calls, 1"
    )


def test_what_has_no_json_form_is_kept_as_text(tmp_path: Path) -> None:
    row = ROW | {"id": "a", "when": pd.Timestamp("2026-01-01"), "score_2": float("nan")}
    imported = read_log([row])
    run = Run.create(tmp_path / "run", {}, seed=0)
    run.save_import("imported", imported.ledger.record(), imported.meta)
    assert run.load_import("imported")[1] == {"a": {"when": "2026-01-01 00:00:00", "score_2": None}}


def test_inspecting_a_log_needs_no_torch() -> None:
    program = (
        "import sys, spa_lab\n"
        f"spa_lab.inspect({str(LOGS / 'atif.json')!r})\n"
        "assert not {'torch', 'transformers', 'pyarrow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=LOGS.parents[2], check=True, capture_output=True)


def test_inspect_opens_a_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    view = spa_lab.inspect(LOGS / "spa-rl.json")
    assert view.sources == ["turn_values"] and view.collection.name == "spa-rl.json"
    assert "SPA-RL exploration, JSON list, 1 episodes" in capsys.readouterr().out
    assert len(spa_lab.inspect([ROW, ROW]).collection) == 2
    (tmp_path / "a.json").write_text(json.dumps(ROW))
    assert len(spa_lab.inspect(tmp_path).collection) == 1
    view = spa_lab.inspect([{"won": 1, "said": ["do go"]}], map={"outcome": "won", "steps": "said"},
                           action="do (.*)")  # fmt: skip
    assert view.trajectory.steps[0].action == "go"
    with pytest.raises(TypeError, match="scale: an option of a log, which"):
        spa_lab.inspect(view.trajectory, scale=(0, 1))


@pytest.mark.parametrize("wrong", [{"base_values": {"me": {}}}, {"credits": {"me": ["2"]}}])
def test_what_is_no_number_is_refused_where_outcomes_are_scaled(wrong: dict[str, Any]) -> None:
    row = {"outcome": 3, "credits": {"me": [2]}, "steps": [{"action": "a"}]} | wrong
    with pytest.raises(ValueError, match="'me' must be a"):
        read_log([row])
