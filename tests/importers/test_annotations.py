"""What a log says of its steps: values, labels, advantages and log-probabilities, and files of scores."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spa_lab
from spa_lab.importers import Imported, import_log, read_log
from spa_lab.importers.scores import read_scores
from spa_lab.pipeline.labels import annotate, labels, recorded_scores
from spa_lab.pipeline.sources import find_source
from spa_lab.store import Run
from spa_lab.truth.outcomes import BranchOutcomes
from spa_lab.types import Labels, TokenNumbers

STEPS = [{"action": "a"}, {"action": "b"}]


def _with(*steps: dict[str, Any], **fields: Any) -> Imported:
    row = {"id": "x", "outcome": 1, "steps": [one | step for one, step in zip(STEPS, steps, strict=True)]}
    return read_log([row | fields])


def test_a_measured_truth() -> None:
    truth = {"values": [0.5, 0.25, 1], "standard_error": [0.1, 0.2, 0], "branches": 16, "step_cap": 9}
    (found,) = _with({}, {}, truth=truth).truths
    assert (found.values.tolist(), found.standard_error.tolist()) == ([0.5, 0.25, 1.0], [0.1, 0.2, 0.0])
    assert (found.branches, found.policy, found.step_cap) == (16, "agent", 9)
    for wrong, message in (
        ({"values": [1], "branches": 1}, "are 1 numbers, there are 3 values before, between and after"),
        ({"values": [1, 1, 1]}, "truth: field 'branches' is missing"),
    ):
        with pytest.raises(ValueError, match=message):
            _with({}, {}, truth=wrong)


def test_what_a_row_leaves_out_is_assumed_or_refused() -> None:
    paid = _with({"reward": 0.5}, {})
    assert paid.ledger.assumed == {"steps without a reward, beside others with one: 0": 1}
    measured = _with({}, {}, truth={"values": [0.0, 0.5, 1], "branches": 16})
    outcomes = [np.zeros(16), np.repeat([0.0, 1.0], 8)]
    known = BranchOutcomes("x", 1.0, tuple(outcomes), "agent", 9).standard_error
    np.testing.assert_allclose(measured.truths[0].standard_error, known)
    assert sum(measured.ledger.assumed.values()) == 1
    for wrong in ({"base_values": {"judge": 0.5}}, {"standard_errors": {"judge": [0.1, 0.1]}}):
        with pytest.raises(ValueError, match=r"of 'judge', which has no credits; .*: 'me'"):
            _with({}, {}, credits={"me": [0, 1]}, **wrong)
    with pytest.raises(ValueError, match=r"truth of 4 branches, value 1 is 1\.5: needs a 'standard_error'"):
        _with({}, {}, truth={"values": [0.5, 1.5, 1], "branches": 4})


def test_values_of_a_critic_are_a_forecast_and_no_truth() -> None:
    imported = _with({"value": 0.5}, {"value": 0.25})
    (credit,) = imported.credits
    assert (credit.source, credit.contributions.tolist(), credit.base_value) == (
        "logged value", [-0.25, 0.75], 0.5,
    )  # fmt: skip
    assert credit.predicted_outcome == 1.0 and imported.truths == ()
    unknown = _with({"value": 0.5}, {"value": 0.25}, outcome=None)
    assert unknown.credits == [] and unknown.meta["x"]["steps"]["1"] == {"value": 0.25}
    partly = _with({"value": 0.5}, {})
    assert partly.credits == [] and partly.meta["x"]["steps"] == {"0": {"value": 0.5}}


def test_values_are_scaled_with_the_outcomes() -> None:
    rows = [
        {"outcome": -1, "steps": [{"action": "a"}]},
        {"outcome": 3, "steps": [{"action": "a", "value": 1, "advantage": 2}]},
    ]
    value, advantage = read_log(rows).credits
    assert (value.base_value, value.predicted_outcome) == (0.5, 1.0)
    assert advantage.contributions.tolist() == [0.5]


def test_numbers_of_tokens() -> None:
    chat = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "go on", "logprobs": {"content": [
            {"token": "go", "logprob": -0.5, "top_logprobs": []},
            {"token": " on", "logprob": -0.25, "top_logprobs": [{"token": " on", "logprob": -0.25}]},
        ]}},
        {"role": "assistant", "content": "stop", "advantages": [0.5], "tokens": ["stop"]},
    ]  # fmt: skip
    imported = read_log([{"outcome": 1, "messages": chat}])
    logprob, advantage = imported.tokens
    assert (logprob.name, advantage.name) == ("logprob", "advantage")
    assert [step.tolist() for step in logprob.numbers] == [[-0.5, -0.25], []]
    assert logprob.texts == (("go", " on"), ()) and advantage.texts == ((), ("stop",))
    assert imported.meta == {} and imported.ledger.carried == {}
    assert sum(imported.ledger.dropped.values()) == 1, "the other candidates of a token"


def test_lists_of_a_record_are_shared_among_its_steps() -> None:
    lists: dict[str, Any] = {"advantages": [0.5, -0.5], "logprobs": [[-1, -2], [-3]], "values": [1]}
    lists["step_labels"] = [True, None]
    imported = _with({}, {}, **lists)
    (credit,), (tokens,), (given,) = imported.credits, imported.tokens, imported.labels
    assert (credit.source, credit.contributions.tolist()) == ("logged advantage", [0.5, -0.5])
    assert tokens.texts is None and [step.tolist() for step in tokens.numbers] == [[-1, -2], [-3]]
    assert given.values.tolist()[0] == 1.0 and np.isnan(given.values[1])
    assert imported.meta == {"x": {"values": [1]}}, "not one for every step"


def test_all_of_it_is_kept_in_the_run_and_shown(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    numbers = {"logprob": [-0.5, -4.0]}
    row = {
        "id": "x", "outcome": 1, "labels": {"<me>": [-1, 0]},
        "truth": {"values": [0.5, 0.25, 1], "branches": 0},
        "steps": [{"action": "a", "tokens": ["<b>", "c"], "token_numbers": numbers}, {"action": "b"}],
    }  # fmt: skip
    log.write_text(json.dumps(row))
    run, imported = import_log(None, log, tmp_path / "run")
    opened = Run.open(run.path)
    (given,), (tokens,) = opened.labels(), opened.tokens()
    assert given.values.tolist() == [-1.0, 0.0] and tokens.texts == imported.tokens[0].texts
    assert opened.truth()["x"].values.tolist() == [0.5, 0.25, 1.0]
    for view in (spa_lab.inspect(run), spa_lab.inspect(log)):
        assert "&lt;me&gt;: harmful (-1)" in view.steps and "&lt;me&gt;: neutral (+0)" in view.steps
        assert "logprob of 2 tokens, mean -2.25" in view.steps
        assert 'style="--share:1.00" title="-4">c</span>' in view.steps and "&lt;b&gt;</span>" in view.steps


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Labels("x", "me", np.array([np.nan])), "at least one label"),
        (lambda: TokenNumbers("x", "n", ()), "at least 1 step"),
        (lambda: TokenNumbers("x", "n", ([np.inf],)), "step 0 needs a vector of finite numbers"),
        (lambda: TokenNumbers("x", "n", ([1.0],), (("a", "b"),)), r"\[2\] texts for \[1\] numbers"),
    ],
)
def test_types_refuse(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def _run(folder: Path) -> Run:
    rows = [{"id": name, "task_id": name[0], "outcome": 1, "steps": STEPS} for name in ("a1", "a2", "b1")]
    (folder / "log.json").write_text(json.dumps(rows))
    return import_log(None, folder / "log.json", folder / "run")[0]


def test_the_numbers_of_a_judge_become_credit(tmp_path: Path) -> None:
    run, file = _run(tmp_path), tmp_path / "judge v1.jsonl"
    scores = [{"trajectory_id": name, "scores": [0.5, -1]} for name in ("b1", "a1", "elsewhere")]
    steps = [{"id": "a2", "step": step, "score": 0.5 * step} for step in (1, 0)]
    file.write_text("\n".join(map(json.dumps, [*scores, *steps])))
    assert annotate(run, file) == f"credit by judge v1: 3 of 3 trajectories of {run.path}"
    credits = run.credits()["judge v1"]
    assert [credits[name].contributions.tolist() for name in ("a1", "a2", "b1")] == [
        [0.5, -1.0], [0.0, 0.5], [0.5, -1.0],
    ]  # fmt: skip
    method = find_source(f"file:{file}")(None, None)  # type: ignore[arg-type]
    trajectories = run.load_trajectories("imported")
    assert [credit.source for credit in method(trajectories)] == ["judge v1"] * 3
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / file.name
    other.write_text(file.read_text())
    annotate(run, other, source="another judge")
    assert {"judge v1", "another judge"} <= run.credits().keys(), "files of one name replace each other"
    other.write_text(json.dumps(scores[0]))
    told = annotate(run, other, source="another judge")
    assert told.endswith("; it replaces an earlier judge v1.jsonl, whose numbers of 2 more are gone")
    assert annotate(run, other, source="another judge").endswith(f"trajectories of {run.path}")
    with pytest.raises(ValueError, match=r"nowhere\.jsonl: no such file of scores"):
        find_source("file:nowhere.jsonl")
    file.write_text(json.dumps(scores[0]))
    with pytest.raises(ValueError, match=r"no scores for 2 of 3 trajectories, the first is 'a1'"):
        recorded_scores(str(file))(trajectories)


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([{"scores": [1]}], "record 0: no 'trajectory_id'; fields: scores"),
        ([{"id": "a"}], "record 0: neither a list under scores, .* nor a 'step'"),
        ([{"id": "a", "scores": [1]}], "record 0: 1 scores of 'a', which has 2 steps"),
        ([{"id": "a", "scores": [1, "x"]}], "record 0: expected a number, got 'x'"),
        ([{"id": "a", "scores": [1, False]}], "record 0: False has no size: write numbers"),
        ([{"id": "a", "step": 0, "score": "true"}], "record 0: 'true' has no size"),
        ([{"id": "a", "step": 2, "score": 1}], "record 0: step 2 of 'a', which has 2 steps"),
        ([{"id": "a", "step": True, "score": 1}], "record 0: expected a whole number as 'step', got True"),
        ([{"id": "a", "step": 0, "score": 1}] * 2, "record 1: step 0 of 'a' twice"),
        ([{"id": "a", "scores": [1, 2]}] * 2, "record 1: scores of 'a' by 'f' twice"),
        ([{"id": "z", "scores": [1]}], "none of 1 records is of one of the 1 trajectories, such as 'a'"),
    ],
)
def test_bad_scores_are_named(tmp_path: Path, records: Any, message: str) -> None:
    (tmp_path / "f.json").write_text(json.dumps(records))
    with pytest.raises(ValueError, match=message):
        read_scores(tmp_path / "f.json", {"a": 2})


def test_scores_in_a_table_and_a_line_that_is_cut_off(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("id,step,score\na,1,0.5\na,0,-0.5\n")
    assert read_scores(tmp_path / "f.csv", {"a": 2})[0].values.tolist() == [-0.5, 0.5]
    (tmp_path / "f.jsonl").write_text('{"id": "a", "scores": [1]}\n{"id": "b", "sco')
    with pytest.raises(ValueError, match=r"f\.jsonl: line 2, the last one, is cut off"):
        read_scores(tmp_path / "f.jsonl", {"a": 1, "b": 1})


def test_a_score_that_is_missing_is_no_zero(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text(json.dumps([{"id": "a", "step": 1, "label": -1}]))
    (scores,) = read_scores(tmp_path / "f.json", {"a": 2}, "me")
    assert np.isnan(scores.labels().values[0]) and scores.labels().source == "me"
    with pytest.raises(ValueError, match="scores of 'a' by 'me': step 0 of 2 has none"):
        scores.credit()


def test_credit_in_a_run_is_scored_against_its_labels(tmp_path: Path) -> None:
    run, file = _run(tmp_path), tmp_path / "human.jsonl"
    with pytest.raises(ValueError, match="no labels; add them with: spa-lab annotate RUN FILE --labels"):
        labels(run)
    file.write_text("\n".join(json.dumps({"id": name, "labels": [-1, 1]}) for name in ("a1", "a2", "b1")))
    annotate(run, file, as_labels=True)
    text = labels(run)
    assert text.startswith("labels: human; 3 trajectories of 2 tasks")
    shown = [["1.00", f"n={n},", "chance", "0.50"] for n in (6, 3, 6)]  # steps, episodes, steps
    assert text.splitlines()[3].split() == ["terminal", *shown[0], *shown[1], *shown[2]]
    (rows,) = [run.results("labels")]
    assert rows is not None and {row["source"] for row in rows} == {"terminal", "mean"}
