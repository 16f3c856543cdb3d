import sys

import numpy as np
import pytest

from spa_lab import doctor


def _findings():
    rows = doctor.report()
    assert len({what for what, _ in rows}) == len(rows)
    assert all(what and finding for what, finding in rows)
    return dict(rows)


def test_report_knows_this_machine():
    findings = _findings()
    version = ".".join(map(str, sys.version_info[:3]))
    assert findings["python"].startswith(version)
    assert findings["numpy"] == np.__version__
    assert findings["memory"].endswith("GiB") and float(findings["memory"].split()[0]) > 0
    assert int(findings["cores"].split()[0]) >= 1


def test_without_torch_the_device_says_what_still_works(monkeypatch):
    real = doctor.util.find_spec
    monkeypatch.setattr(doctor.util, "find_spec", lambda name: None if name == "torch" else real(name))
    assert _findings()["device"].startswith("torch is not installed")


@pytest.mark.parametrize("name", ["alfworld", "textworld"])
def test_a_missing_engine_is_optional(monkeypatch, name):
    monkeypatch.setattr(doctor.util, "find_spec", lambda name: None)
    assert _findings()[f"engine {name}"] == f"not installed (optional; pip install {name})"


def test_an_engine_is_looked_up_and_not_imported(monkeypatch):
    monkeypatch.setattr(doctor.metadata, "version", lambda name: "9.9")
    monkeypatch.setattr(doctor.util, "find_spec", lambda name: object() if name == "alfworld" else None)
    assert _findings()["engine alfworld"] == "9.9"
    assert "alfworld" not in sys.modules


def test_official_games_are_counted(monkeypatch, tmp_path):
    for split, n_games in {"train": 2, "valid_unseen": 1}.items():
        for i in range(n_games):
            trial = tmp_path / "json_2.1.1" / split / f"task-{i}" / "trial_1"
            trial.mkdir(parents=True)
            (trial / "game.tw-pddl").touch()
    monkeypatch.setenv("ALFWORLD_DATA", str(tmp_path))
    assert _findings()["ALFWORLD_DATA"] == f"{tmp_path}: games train 2, valid_seen 0, valid_unseen 1"


def test_official_games_that_are_not_there(monkeypatch, tmp_path):
    monkeypatch.delenv("ALFWORLD_DATA", raising=False)
    assert _findings()["ALFWORLD_DATA"] == "not set (optional)"
    monkeypatch.setenv("ALFWORLD_DATA", str(tmp_path / "gone"))
    assert "not found" in _findings()["ALFWORLD_DATA"]


@pytest.mark.parametrize(
    ("env", "folder"),
    [("household", "base"), ("webshop", "base_webshop"), ("virtualhome", "base_virtualhome")],
)
def test_base_model_is_found_or_missed(monkeypatch, tmp_path, env, folder):
    monkeypatch.setenv("SPA_LAB_DATA", str(tmp_path))
    line = f"base model, {env}"
    assert _findings()[line].startswith("missing: no *.safetensors")
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "model.safetensors").write_bytes(bytes(2_500_000))
    assert _findings()[line].endswith(f"{folder} (2.5 MB)")
    monkeypatch.setenv("SPA_LAB_DATA", str(tmp_path / "gone"))
    assert _findings()[line].startswith("missing: SPA_LAB_DATA is")


def test_a_world_may_use_the_base_model_of_another():
    assert _findings()["base model, household-long"] == "uses household's"


def test_memory_heeds_the_limit_of_a_container(monkeypatch):
    path = doctor.Path
    monkeypatch.setattr(path, "exists", lambda self: True)
    monkeypatch.setattr(path, "read_text", lambda self: "1073741824\n")
    assert doctor._memory() == "1.0 GiB"
    monkeypatch.setattr(path, "read_text", lambda self: "max\n")
    assert float(doctor._memory().split()[0]) > 1.0


@pytest.mark.parametrize("variable", ["WEBSHOP_DATA", "VIRTUALHOME_DATA"])
def test_official_data_of_other_worlds_are_found_or_missed(monkeypatch, tmp_path, variable):
    monkeypatch.delenv(variable, raising=False)
    assert _findings()[variable] == "not set (optional)"
    monkeypatch.setenv(variable, str(tmp_path))
    assert _findings()[variable] == str(tmp_path)
    monkeypatch.setenv(variable, str(tmp_path / "gone"))
    assert _findings()[variable] == f"{tmp_path / 'gone'}: not found"
