"""A run whose episodes and continuations are all played by a server."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spa_lab import cli
from spa_lab.agent.models import load_policy
from spa_lab.agent.rollout import Policy
from spa_lab.configs import presets
from spa_lab.configs.server import ServerConfig
from spa_lab.envs.worlds import make_environment
from spa_lab.learn.methods import find_method
from spa_lab.pipeline import measurement, stages
from spa_lab.pipeline.experiment import Experiment, config_of
from spa_lab.pipeline.train import train
from spa_lab.store import Run
from tests.agent.fake_server import serving
from tests.pipeline.base_models import make_data
from tests.pipeline.micro import NANO

pytest.importorskip("peft")


def _report(*_: Any) -> None:
    pass


def test_every_stage_plays_at_the_server(tmp_path: Path, make_policy: Callable[..., Policy]) -> None:
    make_data(tmp_path / "data", make_policy, ["household"])
    base = tmp_path / "data" / "base"
    environment = replace(make_environment("household"), step_limit=2)
    preset = replace(
        NANO, base=str(base), lora_rank=2, demonstrations=2, explore_tasks=2, rollouts_per_task=1,
        ppo=replace(NANO.ppo, episodes=2), evaluation_tasks=1, keep_tokens=True,
        clone=replace(NANO.clone, epochs=1),
    )  # fmt: skip
    run = Run.create(tmp_path / "run", config_of("household", environment, ["terminal"], preset), seed=0)
    with serving(load_policy(base, name="base")) as fake:
        server = ServerConfig(fake.url, timeout=20, retries=0)
        experiment = Experiment(run, environment, server=server)
        source = experiment.source
        assert source.open().server == server
        stages.clone_stage(source, report=_report)
        assert not fake.asked, "cloning plays nothing"
        loaded, n_asked = [], []
        for play in (
            lambda: stages.explore_stage(source, [0], report=_report),
            lambda: stages.train_stage(source, find_method("terminal"), report=_report),
            lambda: stages.evaluate_stage(source, "base", "unseen", report=_report),
            lambda: stages.evaluate_stage(source, "terminal", "unseen", report=_report),
        ):
            play()
            loaded.append(len(fake.loaded))
            n_asked.append(len(fake.asked))
        assert loaded == [1, 2, 2, 3], "adapters of the clone, of the learner, none, of the trained policy"
        assert n_asked == sorted(set(n_asked)) and {body["model"] for body in fake.asked[-1:]} < set(
            fake.models
        )
        stages.save_explorations(experiment)
        explored = experiment.explored.held_out
        (outcomes,) = measurement._play(experiment, explored, 2, "truth", _report)
        assert outcomes.counts.tolist() == [2] * len(explored[0]) and len(fake.asked) > n_asked[-1]
    assert measurement.measured(experiment, explored)[0].counts.min() == 2, "saved, so no server is asked"


def test_a_grid_is_played_by_a_server(
    tmp_path: Path,
    make_policy: Callable[..., Policy],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its shared stages and its arms; the server is no setting, so that a later call finds them done."""
    monkeypatch.setattr(presets, "PRESETS", {"tiny": NANO})
    base = make_data(tmp_path / "data", make_policy, ["household"]) / "base"
    settings = {"base": str(base), "lora_rank": 2, "ppo": {"episodes": 2}, "clone": {"epochs": 1}}
    spec = {
        "worlds": ["tests.examples.rooms:environment"], "seeds": [0], "methods": ["terminal"],
        "settings": settings,
    }  # fmt: skip
    with serving(load_policy(base, name="base")) as fake:
        command = ["compare", _written(spec, tmp_path / "spec.yaml"), "--out", str(tmp_path / "grid")]
        assert cli.main([*command, "--jobs", "1", "--server", fake.url]) == 0, capsys.readouterr().out
        assert len(fake.loaded) == 3, "adapters of the clone, of the learner, of the trained policy"
        n_asked = len(fake.asked)
        assert cli.main([*command, "--jobs", "1"]) == 0 and len(fake.asked) == n_asked, "nothing is left"
    runs = [Run.open(path.parent) for path in sorted((tmp_path / "grid").rglob("run.json"))]
    assert [run.provenance["server"] for run in runs] == [fake.url.removesuffix("/v1")] * 2
    wrong = spec | {"settings": settings | {"lora_rank": None}}
    refused = ["compare", _written(wrong, tmp_path / "wrong.yaml"), "--out", str(tmp_path / "none")]
    assert cli.main([*refused, "--server", "http://127.0.0.1:9"]) == 2
    assert "a server can be given adapters only" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def _written(spec: dict[str, Any], path: Path) -> str:
    path.write_text(json.dumps(spec))  # which is YAML
    return str(path)


def test_what_a_server_cannot_play_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", "--env", "household", "--method", "terminal", "--out", str(tmp_path / "run")]
    assert cli.main([*arguments, "--server", "http://127.0.0.1:9"]) == 2
    said = capsys.readouterr().err
    assert "http://127.0.0.1:9: a server can be given adapters only, and preset 'tiny' trains all" in said
    assert cli.main([*arguments, "--server", "localhost:8000"]) == 2
    assert "expected a URL that begins with http:// or https://" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_run_names_its_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiments: list[Experiment] = []
    monkeypatch.setattr("spa_lab.pipeline.train._do", lambda experiment, *_: experiments.append(experiment))
    server = ServerConfig("http://localhost:9/v1")
    run = train(
        tmp_path / "run", "household", ["terminal"], replace(NANO, lora_rank=2),
        seed=0, workers=1, server=server,
    )  # fmt: skip
    assert run.provenance["server"] == "http://localhost:9"
    assert experiments[0].source.server == server, "worker processes are told"
