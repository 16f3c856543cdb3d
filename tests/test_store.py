import json
import math
import os
import pickle
import signal
import subprocess
import sys
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spa_lab.store import Run, StoreError, TaskRecord, lines, provenance, records, replacing
from spa_lab.store import files as files_module
from spa_lab.types import Credit, Step, Trajectory, ValueTruth

CONFIG = {"preset": "tiny", "ppo": {"lr": 0.001, "epochs": 4}}


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "run", CONFIG, seed=3)


def _hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob(".*"))


def _dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


# --- round trips ---------------------------------------------------------------------------------


def test_trajectories_come_back_equal(run, make_trajectory):
    saved = [make_trajectory(id="a"), make_trajectory(1 / 3, (True,), id="b")]
    run.save_trajectories("explore", saved)
    assert run.load_trajectories("explore") == saved
    assert Run.open(run.path).load_trajectories("explore") == saved


_text = st.text(st.characters(), max_size=30)  # lone surrogates and every line separator included
_steps = st.builds(Step, _text, _text, _text, _text, st.booleans())
_trajectories = st.builds(
    Trajectory,
    *[_text] * 6,
    steps=st.lists(_steps, min_size=1, max_size=3),
    outcome=st.floats(0, 1),
    success=st.booleans(),
    ended=st.sampled_from(["done", "step_limit", "error"]),
    policy=_text,
    seed=st.integers(-(2**70), 2**70),
)


@given(_trajectories)
def test_any_trajectory_is_one_ascii_line(trajectory):
    line = lines.dump(records.encode_trajectory(trajectory))
    assert line.isascii() and len(line.splitlines()) == 1
    assert records.decode_trajectory(json.loads(line)) == trajectory


def test_numpy_scalars_become_plain(run, trajectory):
    odd = replace(trajectory, outcome=np.float32(0.5), success=np.bool_(False), seed=np.int64(4))
    run.save_trajectories("odd", [odd])
    (loaded,) = run.load_trajectories("odd")
    assert (loaded.outcome, loaded.success, loaded.seed) == (0.5, False, 4)
    assert type(loaded.success) is bool


def test_credits_come_back_exactly(run):
    values = np.random.default_rng(0).normal(size=5)
    saved = [
        Credit("a", "spa@run-3", values, base_value=0.1, standard_error=np.abs(values)),
        Credit("b", "mean", [0.5]),
    ]
    run.save_credits("spa@run-3", saved)
    for ours, theirs in zip(saved, run.load_credits("spa@run-3"), strict=True):
        assert (ours.trajectory_id, ours.source, ours.base_value) == (
            theirs.trajectory_id,
            theirs.source,
            theirs.base_value,
        )
        assert ours.contributions.tolist() == theirs.contributions.tolist()
        assert (ours.standard_error is None) == (theirs.standard_error is None)
    assert run.load_credits("spa@run-3")[0].standard_error.tolist() == np.abs(values).tolist()


def test_truths_come_back_exactly(run):
    run.save_truths("exact", [ValueTruth("a", [1 / 3, 0.1, 1], [0.1, 0.2, 0], 64, "clone", 20)])
    (truth,) = run.load_truths("exact")
    assert truth.values.tolist() == [1 / 3, 0.1, 1.0]
    assert truth.standard_error.tolist() == [0.1, 0.2, 0.0]
    assert (truth.trajectory_id, truth.branches, truth.policy, truth.step_cap) == ("a", 64, "clone", 20)


def test_tasks_come_back_by_id(run):
    unseen = [
        TaskRecord("u1", "heat", "unseen", "heat an egg", 12),
        TaskRecord("u2", "look", "unseen", "", None),
    ]
    run.save_tasks("unseen", unseen)
    run.save_tasks("train", [TaskRecord("t1", "heat", "train", "heat a mug", 9)])
    assert run.tasks() == {"t1": TaskRecord("t1", "heat", "train", "heat a mug", 9)} | {
        t.id: t for t in unseen
    }
    with pytest.raises(ValueError, match="task: field 'expert_length' holds str '9'"):
        run.save_tasks("odd", [replace(unseen[0], expert_length="9")])


def test_metrics_come_back_plain(run):
    rows = [{"loss": np.float32(0.5), "epoch": np.int64(1), "stage": "ppo", "best": True}, {"loss": None}]
    run.save_metrics("ppo", rows)
    loaded = run.load_metrics("ppo")
    assert loaded == [{"loss": 0.5, "epoch": 1, "stage": "ppo", "best": True}, {"loss": None}]
    assert isinstance(loaded[0]["epoch"], int)


def test_undefined_metrics_are_none_and_the_file_is_real_json(run):
    run.save_metrics("m", [{"a": math.nan, "b": np.float64("inf"), "c": 1.0}])
    assert run.load_metrics("m") == [{"a": None, "b": None, "c": 1.0}]
    assert "NaN" not in (run.path / "metrics" / "m.jsonl").read_text()


@pytest.mark.parametrize(
    ("row", "message"),
    [({"loss": [1.0]}, "'loss'.*list"), ({"loss": 1j}, "'loss'.*complex")],
)
def test_bad_metrics_are_refused(run, row, message):
    with pytest.raises(ValueError, match=message):
        run.save_metrics("m", [row])
    assert run.names("metrics") == []


def test_saving_again_replaces(run, make_trajectory):
    run.save_trajectories("x", [make_trajectory(id="a"), make_trajectory(id="b")])
    run.save_trajectories("x", [make_trajectory(id="c")])
    assert [t.id for t in run.load_trajectories("x")] == ["c"]


def test_nothing_saved_is_an_empty_list(run):
    run.save_trajectories("none", [])
    assert run.load_trajectories("none") == []


def test_every_file_says_its_schema_and_what_it_holds(run, make_trajectory):
    run.save_trajectories("x", [make_trajectory(id="a"), make_trajectory(id="b")])
    run.save_credits("x", [Credit("a", "s", [1])])
    run.save_truths("x", [])
    for kind in ("trajectories", "credits", "truths"):
        header = json.loads((run.path / kind / "x.jsonl").read_text().splitlines()[0])
        assert list(header.items())[:2] == [("schema", 2), ("holds", kind)]
    assert next(iter(json.loads(run._file.read_text()).items())) == ("schema", 2)


# --- what cannot be read or written --------------------------------------------------------------


def _lines(run, make_trajectory) -> tuple[Path, list[str]]:
    run.save_trajectories("x", [make_trajectory(id="a"), make_trajectory(id="b")])
    path = run.path / "trajectories" / "x.jsonl"
    return path, path.read_text().splitlines()


def test_a_truncated_file_names_file_and_line(run, make_trajectory):
    path, lines = _lines(run, make_trajectory)
    path.write_text("\n".join([*lines[:2], lines[2][:-20]]))
    with pytest.raises(ValueError, match=r"x\.jsonl, line 3: truncated or broken JSON"):
        run.load_trajectories("x")


def _changed(line: str, change: dict) -> str:
    record = json.loads(line) | change
    return json.dumps({key: value for key, value in record.items() if value != "REMOVE"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"outcome": "REMOVE"}, r"missing \['outcome'\], unknown \[\]"),
        ({"colour": "red"}, r"missing \[\], unknown \['colour'\]"),
        ({"outcome": "0.5"}, "'outcome' holds str '0.5'"),
        ({"outcome": True}, "'outcome' holds bool True"),
        ({"success": 1}, "'success' holds int 1"),
        ({"seed": 1.5}, "'seed' holds float 1.5"),
        ({"outcome": 2}, r"outcome must lie in \[0, 1\], got 2"),
        ({"steps": []}, "at least 1 step, got 0"),
        ({"steps": [{}]}, "step 0 of trajectory 'b'"),
        ({"steps": ["look"]}, "step 0 of trajectory 'b': expected a JSON object, found str"),
        ({"ended": "bored"}, "got 'bored'"),
    ],
)
def test_a_bad_record_names_file_line_and_fault(run, make_trajectory, change, message):
    path, lines = _lines(run, make_trajectory)
    path.write_text("\n".join([*lines[:2], _changed(lines[2], change)]))
    with pytest.raises(ValueError, match=message) as caught:
        run.load_trajectories("x")
    assert f"{path}, line 3: " in str(caught.value)


@pytest.mark.parametrize("line", ["[1]", "", "null"])
def test_a_line_that_is_no_object(run, make_trajectory, line):
    path, lines = _lines(run, make_trajectory)
    path.write_text(f"{lines[0]}\n{lines[1]}\n{line}\n{lines[2]}\n")
    with pytest.raises(ValueError, match=r"x\.jsonl, line 3"):
        run.load_trajectories("x")


def test_a_file_of_another_kind_is_refused(run, make_trajectory):
    path, _ = _lines(run, make_trajectory)
    (run.path / "credits").mkdir()
    path.rename(run.path / "credits" / "x.jsonl")
    with pytest.raises(ValueError, match=r"line 1: the file holds trajectories, credits expected"):
        run.load_credits("x")


@pytest.mark.parametrize("value", ["0.5", True, None, [1.0]])
def test_contributions_are_numbers(run, value):
    run.save_credits("x", [Credit("a", "s", [1.0])])
    path = run.path / "credits" / "x.jsonl"
    header, line = path.read_text().splitlines()
    path.write_text(f"{header}\n{_changed(line, {'contributions': [0.5, value]})}")
    with pytest.raises(ValueError, match=r"line 2: field 'contributions', value 1: expected a number"):
        run.load_credits("x")


def test_bytes_that_are_no_text(run, make_trajectory):
    path, _ = _lines(run, make_trajectory)
    path.write_bytes(b'{"schema": 1, \xff')
    with pytest.raises(ValueError, match=r"x\.jsonl: not UTF-8, byte 14 of 15"):
        run.load_trajectories("x")


def test_what_could_not_be_read_is_not_written(run, trajectory):
    broken = replace(trajectory, steps=(replace(trajectory.steps[0], observation=None),))
    with pytest.raises(ValueError, match="step 0 of trajectory 't1': field 'observation' holds NoneType"):
        run.save_trajectories("x", [broken])
    assert run.names("trajectories") == [] and _hidden(run.path) == []


def test_twin_ids_are_refused(run, make_trajectory):
    with pytest.raises(ValueError, match="duplicate trajectory 'a', at 0 and 2"):
        run.save_trajectories("x", [make_trajectory(id=name) for name in "aba"])
    run.save_trajectories("x", [make_trajectory(id=name) for name in "ab"])
    file = run.path / "trajectories" / "x.jsonl"
    file.write_text(file.read_text() + file.read_text().splitlines()[1] + "\n")
    with pytest.raises(ValueError, match=r"x\.jsonl: duplicate trajectory 'a', at 0 and 2"):
        run.load_trajectories("x")


def test_what_is_missing_says_what_is_there(run, make_trajectory):
    with pytest.raises(StoreError, match="no trajectories called 'y'; there are: none"):
        run.load_trajectories("y")
    run.save_trajectories("b", [])
    run.save_trajectories("a", [])
    with pytest.raises(StoreError, match="there are: a, b"):
        run.load_trajectories("y")


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "-x", "a b", "a\n"])
def test_names_stay_inside_the_folder(run, name):
    for call in (
        lambda: run.save_trajectories(name, []),
        lambda: run.load_credits(name),
        lambda: run.model(name),
        lambda: run.stage(name).__enter__(),
    ):
        with pytest.raises(ValueError, match="a name holds"):
            call()


# --- run.json ------------------------------------------------------------------------------------


def test_run_json_says_where_it_comes_from(run):
    facts = json.loads((run.path / "run.json").read_text())
    assert facts["config"] == CONFIG and facts["seed"] == 3
    assert facts["versions"]["numpy"] == np.__version__
    assert facts["versions"]["python"].count(".") == 2
    assert {"git_commit", "begun", "device", "n", "n_seeds", "stages"} <= facts.keys()
    assert run.provenance == facts


def test_notes_are_kept(run):
    run.note(device="cpu", n=134)
    run.note(n_seeds=5)
    facts = Run.open(run.path).provenance
    assert (facts["device"], facts["n"], facts["n_seeds"]) == ("cpu", 134, 5)


def test_create_takes_up_the_same_run(run, make_trajectory):
    run.save_trajectories("x", [make_trajectory()])
    with run.stage("explore"):
        pass
    before = run._file.read_text()
    again = Run.create(run.path, {"ppo": {"epochs": 4, "lr": 0.001}, "preset": "tiny"}, seed=3)
    assert again.finished("explore") and len(again.load_trajectories("x")) == 1
    assert again._file.read_text() == before


def test_tuples_in_a_config_survive_a_resume(tmp_path):
    config = {"sizes": (1, 2), "empty": {}, "none": None}
    Run.create(tmp_path / "run", config, seed=0)
    assert Run.create(tmp_path / "run", config, seed=0).config == {"sizes": [1, 2], "empty": {}, "none": None}


def test_another_config_or_seed_is_named_with_both_values(run):
    other = {"preset": "tiny", "ppo": {"lr": 0.01, "clip": 0.2}, "extra": {}}
    with pytest.raises(ValueError) as caught:
        Run.create(run.path, other, seed=4)
    message = str(caught.value)
    assert message.startswith(f"{run._file}: ")
    for part in (
        "seed is 3, asked 4",
        "config.ppo.lr is 0.001, asked 0.01",
        "config.ppo.epochs is 4, asked absent",
        "config.ppo.clip is absent, asked 0.2",
        "config.extra is absent, asked {}",
    ):
        assert part in message
    assert "preset" not in message
    assert run.config == CONFIG


def test_a_config_may_have_its_own_seed(tmp_path):
    Run.create(tmp_path / "run", {"seed": 1}, seed=0)
    with pytest.raises(ValueError, match=r"settings: seed is 0, asked 1$"):
        Run.create(tmp_path / "run", {"seed": 1}, seed=1)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"data": {"folder": Path("x")}}, r"config\.data\.folder = .*Path"),
        ({"lr": math.nan}, r"config\.lr = nan"),
        ({"lr": np.float32(1)}, r"config\.lr = "),
    ],
)
def test_a_config_without_json_form_names_the_key(tmp_path, config, message):
    with pytest.raises(ValueError, match=message):
        Run.create(tmp_path / "run", config, seed=0)
    assert not (tmp_path / "run").exists()


def test_going_on_under_other_versions_is_written_down(run, monkeypatch):
    monkeypatch.setattr("spa_lab.store.folder.versions", lambda: {"python": "9.9"})
    monkeypatch.setattr("spa_lab.store.folder.git_commit", lambda: "b" * 40)
    for _ in range(2):
        Run.create(run.path, CONFIG, seed=3)
    facts = run.provenance
    assert facts["versions"]["numpy"] == np.__version__
    assert facts["resumed_with"] == [{"git_commit": "b" * 40, "versions": {"python": "9.9"}}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema": 7}', r"run\.json: schema 7 found, 2 or 1 expected"),
        ('{"schema": 2, "con', r"run\.json: truncated or broken JSON"),
        ('{"schema": 2, "config": {}, "seed": 1}', r"run\.json: 'stages' must be a dict, found None"),
    ],
)
def test_a_bad_run_json_is_refused_by_both_doors(run, text, message):
    (run.path / "run.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        Run.open(run.path)
    with pytest.raises(ValueError, match=message):
        Run.create(run.path, CONFIG, seed=3)
    assert (run.path / "run.json").read_text() == text


def test_open_needs_a_run(tmp_path):
    with pytest.raises(StoreError, match=r"no run folder"):
        Run.open(tmp_path)
    with pytest.raises(StoreError, match=r"missing: no such folder"):
        Run.open(tmp_path / "missing")
    with pytest.raises(ValueError, match="seed: expected a whole number >= 0, got -1"):
        Run.create(tmp_path / "missing", {}, seed=-1)


def test_create_leaves_foreign_folders_alone(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(StoreError, match=r"holds thesis\.tex but no run\.json"):
        Run.create(tmp_path, {}, seed=0)
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot make the folder"):
        Run.create(tmp_path / "file", {}, seed=0)


def test_names_of_what_is_saved(run):
    run.save_credits("spa@v1.5", [])
    for name in ("b", "v1.5"):
        with run.saving_model(name) as folder:
            folder.mkdir()
    (run.path / "models" / f".c.{os.getpid()}.partial").mkdir()
    for backup in ("spa@v1.5.jsonl~", "spa@v1.5.jsonl.bak"):  # of an editor
        (run.path / "credits" / backup).write_text("")
    assert run.names("credits") == ["spa@v1.5"]
    assert run.names("models") == ["b", "v1.5"]
    assert run.names("truths") == []


# --- stages --------------------------------------------------------------------------------------


def test_a_stage_is_finished_after_it_succeeded(run):
    assert not run.finished("clone")
    with run.stage("clone"):
        time.sleep(0.02)
        assert not run.finished("clone")
    assert run.finished("clone") and not run.finished("ppo")
    assert 0.02 <= run.provenance["stages"]["clone"]["seconds"] < 5


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_stage_that_failed_is_not_finished(run, error):
    with pytest.raises(error), run.stage("clone"):
        raise error
    assert not run.finished("clone")
    with run.stage("clone"):
        pass
    assert run.finished("clone")


def test_a_finished_stage_is_not_done_again(run):
    with run.stage("clone"):
        pass
    with pytest.raises(ValueError, match="'clone' is finished already"), run.stage("clone"):
        raise AssertionError("entered")


def test_parts_of_one_label_add_up(run):
    """An interrupted stage divides what is left among as many parts of the same names."""
    for seconds in (2.0, 0.5):
        run.record("explore", "explore 1/2", seconds)
    run.finish("explore")
    assert run.provenance["stages"]["explore"] == {"seconds": 2.5, "tasks": {"explore 1/2": 2.5}}


def test_what_a_stage_notes_survives_its_end(run):
    with run.stage("clone"):
        run.note(n=20)
    assert run.provenance["n"] == 20 and run.finished("clone")


def test_a_checkpoint_is_replaced_whole_and_removed(run):
    checkpoint = run.checkpoint("clone")
    assert checkpoint.facts() is None and checkpoint.folder is None
    for epoch in (1, 2):
        with checkpoint.saving({"epoch": epoch}) as folder:
            (folder / "tensors").write_text(f"epoch {epoch}")
    with pytest.raises(RuntimeError), checkpoint.saving({"epoch": 3}):
        raise RuntimeError
    again = Run.open(run.path).checkpoint("clone")
    assert again.facts() == {"epoch": 2} and (again.folder / "tensors").read_text() == "epoch 2"
    os.rename(again.path, again.path.with_name(".clone.previous"))  # killed between the two moves
    assert again.facts() == {"epoch": 2}
    again.remove()
    assert again.facts() is None and _hidden(run.path) == []


def test_shards_add_up(run, make_trajectory):
    shards = run.shards("explore")
    assert shards.indices() == []
    for index in (3, 0):
        shards.save(index, [make_trajectory(id=f"wave {index}")])
    (shards.path / f".00001.jsonl.{_dead_process()}.partial").touch()
    assert shards.indices() == [0, 3]
    assert [trajectory.id for index in shards.indices() for trajectory in shards.load(index)] == [
        "wave 0",
        "wave 3",
    ]
    with pytest.raises(StoreError, match="00001"):
        shards.load(1)
    Run.create(run.path, CONFIG, seed=3)
    assert _hidden(run.path) == [], "a resumed run removes what was half written"
    with run.checkpoint("gradient-cloned").saving({}):
        pass
    run.remove_checkpoints(("clone", "explore"))
    assert shards.indices() == [] and run.names("checkpoints") == ["gradient-cloned"]
    run.remove_checkpoints(("gradient-",))
    assert not (run.path / "checkpoints").exists()
    run.remove_checkpoints(("gradient-",))


def test_tasks_of_a_stage_are_timed_one_by_one(run):
    run.record("clone", "clone", 2.0)
    run.record("clone", "evaluate base", 0.5)
    run.record("explore", "explore 1/2", 4.0)
    assert not run.finished("clone")
    run.finish("clone")
    facts = run.provenance
    assert facts["stages"] == {"clone": {"seconds": 2.5, "tasks": {"clone": 2.0, "evaluate base": 0.5}}}
    assert facts["running"] == {"explore": {"explore 1/2": 4.0}}
    run.finish("explore")
    assert "running" not in run.provenance


# --- replacing -----------------------------------------------------------------------------------


def _folder(path: Path, text: str) -> None:
    path.mkdir()
    (path / "weights").write_text(text)
    (path / "deeper").mkdir()
    (path / "deeper" / "config").write_text(text)


def _texts(path: Path) -> list[str]:
    return [(path / name).read_text() for name in ("weights", "deeper/config")]


def test_replacing_makes_and_replaces_a_file(tmp_path):
    target = tmp_path / "a" / "b" / "x.txt"
    for text in ("one", "two"):
        with replacing(target) as partial:
            partial.write_text(text)
            assert not target.exists() or target.read_text() != text
        assert target.read_text() == text
    assert _hidden(tmp_path) == []


def test_replacing_makes_and_replaces_a_folder(tmp_path):
    target = tmp_path / "model"
    for text in ("one", "two"):
        with replacing(target) as partial:
            _folder(partial, text)
        assert _texts(target) == [text, text]
    assert _hidden(tmp_path) == []


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt()])
def test_a_failed_replacement_changes_nothing(tmp_path, error):
    target = tmp_path / "model"
    _folder(target, "old")
    with pytest.raises(type(error)), replacing(target) as partial:
        _folder(partial, "new")
        raise error
    assert _texts(target) == ["old", "old"] and _hidden(tmp_path) == []


def test_writing_nothing_is_an_error(tmp_path):
    with pytest.raises(StoreError, match="nothing was written"), replacing(tmp_path / "x"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_file_does_not_take_the_place_of_a_folder(tmp_path):
    _folder(tmp_path / "x", "old")
    with pytest.raises(StoreError, match="x: is a folder"), replacing(tmp_path / "x") as partial:
        partial.write_text("new")
    assert _texts(tmp_path / "x") == ["old", "old"] and _hidden(tmp_path) == []


def test_a_folder_does_not_take_the_place_of_a_file(tmp_path):
    (tmp_path / "x").write_text("old")
    with pytest.raises(StoreError, match="cannot write"), replacing(tmp_path / "x") as partial:
        _folder(partial, "new")
    assert (tmp_path / "x").read_text() == "old" and _hidden(tmp_path) == []


def test_everything_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    events = []

    def sync(descriptor):
        events.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)

    real = os.rename

    def rename(source, target):
        events.append(f"rename to {Path(target).name}")
        real(source, target)

    _folder(tmp_path / "model", "old")
    monkeypatch.setattr(files_module.os, "fsync", sync)
    monkeypatch.setattr(files_module.os, "rename", rename)
    with replacing(tmp_path / "model") as partial:
        _folder(partial, "new")
    placed = events.index("rename to model")
    assert {"weights", "config", "deeper", partial.name} <= set(events[:placed])
    assert tmp_path.name in events[placed:]


# --- full and read-only disks --------------------------------------------------------------------


def _refuse(code: int):
    def refuse(*_args, **_keywords):
        raise OSError(code, os.strerror(code))

    return refuse


@pytest.mark.parametrize("code", [28, 30, 122, 5], ids=["full", "read-only", "quota", "broken"])
@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_refusing_disk_loses_nothing(run, make_trajectory, monkeypatch, code, function):
    run.save_trajectories("x", [make_trajectory(id="old")])
    with monkeypatch.context() as patch:
        patch.setattr(files_module.os, function, _refuse(code))
        with pytest.raises(StoreError) as caught:
            run.save_trajectories("x", [make_trajectory(id="new")])
    assert caught.value.path == run.path / "trajectories" / "x.jsonl"
    assert os.strerror(code) in caught.value.reason
    assert [t.id for t in run.load_trajectories("x")] == ["old"]
    assert _hidden(run.path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_really_full_disk(tmp_path):
    target = tmp_path / "x"
    target.write_text("old")
    with pytest.raises(StoreError, match="No space left"), replacing(target) as partial:
        partial.symlink_to("/dev/full")
        partial.write_text("new")
    assert target.read_text() == "old" and _hidden(tmp_path) == []


def test_a_disk_that_even_refuses_to_clean_up(run, monkeypatch):
    run.save_metrics("x", [{"a": 1}])

    def unlink(path, missing_ok=False):
        if path.exists():
            _refuse(30)()

    with monkeypatch.context() as patch:
        patch.setattr(files_module.os, "fsync", _refuse(5))
        patch.setattr(Path, "unlink", unlink)
        with pytest.raises(StoreError, match="Input/output error"):
            run.save_metrics("x", [{"a": 2}])
    assert run.load_metrics("x") == [{"a": 1}] and run.names("metrics") == ["x"]


def test_a_full_disk_does_not_finish_a_stage(run, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(StoreError, match="No space left"), run.stage("clone"):
        patch.setattr(files_module.os, "fsync", _refuse(28))
    assert not run.finished("clone")


def test_a_folder_that_cannot_move_in_gives_way_to_the_old_one(tmp_path, monkeypatch):
    _folder(tmp_path / "model", "old")
    real = os.rename

    def rename(source, target):
        if str(source).endswith(".partial"):
            _refuse(28)()
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(files_module.os, "rename", rename)
        with pytest.raises(StoreError, match="No space left"), replacing(tmp_path / "model") as partial:
            _folder(partial, "new")
    assert _texts(tmp_path / "model") == ["old", "old"] and _hidden(tmp_path) == []


def test_an_old_folder_that_cannot_be_removed_does_no_harm(tmp_path, monkeypatch):
    _folder(tmp_path / "model", "old")
    with monkeypatch.context() as patch:
        patch.setattr(files_module.shutil, "rmtree", _refuse(5))
        with replacing(tmp_path / "model") as partial:
            _folder(partial, "new")
    assert _texts(tmp_path / "model") == ["new", "new"]
    assert not (tmp_path / ".model.previous").exists()  # what may be half removed must not come back
    files_module.tidy(tmp_path)
    assert _hidden(tmp_path) == []


def test_tidying_up_is_never_half_a_previous_folder(tmp_path, monkeypatch):
    _folder(tmp_path / "model", "new")
    _folder(tmp_path / ".model.previous", "old")
    monkeypatch.setattr(files_module.shutil, "rmtree", _refuse(5))
    with pytest.raises(StoreError, match="cannot tidy up"):
        files_module.tidy(tmp_path)
    assert not (tmp_path / ".model.previous").exists()
    assert _texts(tmp_path / "model") == ["new", "new"]


def test_reading_writes_nothing(run, make_trajectory, monkeypatch):
    run.save_trajectories("x", [make_trajectory()])
    with run.saving_model("m") as folder:
        folder.mkdir()
    for name in ("rename", "replace", "mkdir", "unlink", "fsync"):
        monkeypatch.setattr(files_module.os, name, _refuse(30))
    opened = Run.open(run.path)
    assert len(opened.load_trajectories("x")) == 1
    assert opened.model("m") == run.path / "models" / "m"


def test_a_store_error_travels_between_processes():
    error = pickle.loads(pickle.dumps(StoreError(Path("x"), "cannot write: full")))
    assert (str(error), error.path, error.reason) == (
        "x: cannot write: full",
        Path("x"),
        "cannot write: full",
    )


# --- killed processes ----------------------------------------------------------------------------

_KILLED = """
import os, signal, sys
from pathlib import Path
from spa_lab.store import Run, files
run = Run.open(sys.argv[1])
moment = sys.argv[2]
real = os.rename
def rename(source, target):
    if moment == "before the moves":
        os.kill(os.getpid(), signal.SIGKILL)
    real(source, target)
    if moment == "between the moves" and str(target).endswith(".previous"):
        os.kill(os.getpid(), signal.SIGKILL)
    if moment == "after the moves" and not Path(target).name.startswith("."):
        os.kill(os.getpid(), signal.SIGKILL)
os.rename = rename
with run.stage("clone"):
    run.save_metrics("clone", [{"loss": 2}])
    with run.saving_model("clone") as folder:
        folder.mkdir()
        (folder / "weights").write_text("new")
        if moment == "while writing":
            os.kill(os.getpid(), signal.SIGKILL)
    if moment == "before the mark":
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    ("moment", "weights"),
    [
        ("while writing", "old"),
        ("before the moves", "old"),
        ("between the moves", "old"),
        ("after the moves", "new"),
        ("before the mark", "new"),
    ],
)
def test_a_killed_run_goes_on(run, moment, weights):
    run.save_metrics("clone", [{"loss": 1}])
    with run.saving_model("clone") as folder:
        folder.mkdir()
        (folder / "weights").write_text("old")
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(run.path), moment], cwd=Path(__file__).parents[1]
    )
    assert done.returncode == -signal.SIGKILL

    # to look at, before anybody has tidied up
    seen = Run.open(run.path)
    assert (seen.model("clone") / "weights").read_text() == weights
    assert seen.load_metrics("clone") == [{"loss": 2}]
    assert not seen.finished("clone")

    # to go on with
    again = Run.create(run.path, CONFIG, seed=3)
    assert _hidden(run.path) == []
    assert (run.path / "models" / "clone" / "weights").read_text() == weights
    with again.stage("clone"), again.saving_model("clone") as folder:
        folder.mkdir()
        (folder / "weights").write_text("newer")
    assert again.finished("clone")
    assert (again.model("clone") / "weights").read_text() == "newer"


def test_a_replacement_after_a_kill_puts_the_old_folder_back_first(tmp_path):
    _folder(tmp_path / ".model.previous", "old")
    with pytest.raises(RuntimeError), replacing(tmp_path / "model"):
        raise RuntimeError
    assert _texts(tmp_path / "model") == ["old", "old"]


def test_tidy_leaves_a_working_neighbour_alone(run):
    (run.path / "metrics").mkdir()
    works = run.path / "metrics" / f".x.jsonl.{os.getppid()}.partial"
    dead = run.path / "metrics" / f".x.jsonl.{_dead_process()}.partial"
    ours = run.path / "metrics" / f".y.jsonl.{os.getpid()}.partial"
    foreign = run.path / "metrics" / ".DS_Store"
    for path in (works, dead, ours, foreign):
        path.touch()
    Run.create(run.path, CONFIG, seed=3)
    assert _hidden(run.path) == sorted([foreign.name, works.name])


def test_a_run_killed_before_its_first_write_can_be_begun(tmp_path):
    (tmp_path / f".run.json.{_dead_process()}.partial").write_text('{"schema"')
    Run.create(tmp_path, CONFIG, seed=0)
    assert _hidden(tmp_path) == [] and Run.open(tmp_path).seed == 0


# --- provenance ----------------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A git repository that holds the package's file, not yet added."""
    here = tmp_path / "package"
    here.mkdir()
    (here / "provenance.py").write_text("1")
    monkeypatch.setattr(provenance, "__file__", str(here / "provenance.py"))
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    _git(tmp_path, "init", "-q")
    return tmp_path


def _git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_the_commit_is_named_and_changes_are_confessed(checkout):
    _git(checkout, "commit", "-qm", "somebody else's", "--allow-empty")
    assert provenance.git_commit() is None  # a repository, but the code is not in it
    _git(checkout, "add", ".")
    _git(checkout, "commit", "-qm", "one")
    commit = _git(checkout, "rev-parse", "HEAD")
    assert provenance.git_commit() == commit
    (checkout / "package" / "provenance.py").write_text("2")
    assert provenance.git_commit() == f"{commit}-dirty"


def test_no_git_is_no_failure(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.git_commit() is None


def test_a_git_that_hangs_is_no_failure(monkeypatch):
    def hang(*_args, **_keywords):
        raise subprocess.TimeoutExpired("git", 10)

    monkeypatch.setattr(provenance.subprocess, "run", hang)
    assert provenance.git_commit() is None


def test_absent_packages_are_left_out(monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGES", ("numpy", "no-such-package"))
    assert provenance.versions().keys() == {"python", "numpy"}


def test_long_files_are_written_and_read_line_by_line(tmp_path):
    """Memory for a few lines: a file of explorations can be as large as the memory."""
    path, n, size = tmp_path / "long.jsonl", 100, 50_000
    tracemalloc.start()
    try:
        lines.write_lines(path, {"holds": "metrics"}, ({"text": "x" * size} for _ in range(n)))
        lengths = lines.read_lines(path, "metrics", lambda record: len(record["text"]))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(lengths) == n and path.stat().st_size > n * size
    assert peak < 20 * size
