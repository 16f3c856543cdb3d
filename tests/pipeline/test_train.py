"""The whole pipeline at a micro scale: order, resuming, what it prints, and that only the seed matters."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import numpy as np
import pytest

from spa_lab.configs.presets import TINY, Preset
from spa_lab.configs.settings import updated
from spa_lab.learn.ensemble_critic import EnsembleCriticConfig, fit_ensemble_critic
from spa_lab.pipeline import train as train_module
from spa_lab.pipeline.experiment import Experiment
from spa_lab.pipeline.sources import find_source
from spa_lab.pipeline.train import STAGES, train
from spa_lab.store import Run, StoreError

if TYPE_CHECKING:
    from tests.pipeline.conftest import Undisturbed

PANELS = ("unseen", "unseen_by_length")
TITLES = {"base": "base", "cloned": "cloned (SFT)", "terminal": "terminal reward", "spa": "SPA-RL"}


def _results(folder: Path) -> dict[str, bytes]:
    """Every file that may depend on nothing but preset and seed."""
    kinds = ("trajectories", "credits", "metrics", "tasks", "models", "checkpoints")
    files = [path for kind in kinds for path in sorted((folder / kind).rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in [folder / "summary.json", *files]}


def _stages(folder: Path) -> dict[str, dict[str, float]]:
    return Run.open(folder).provenance["stages"]


def _models(folder: Path) -> dict[str, int]:
    """When each model was written."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / "models").glob("[!.]*")}


def test_stages_come_in_order_and_are_timed(undisturbed: "Undisturbed") -> None:
    facts = Run.open(undisturbed.path).provenance
    assert tuple(facts["stages"]) == STAGES
    assert all(stage["seconds"] > 0 for stage in facts["stages"].values())
    assert (facts["device"], facts["n"], facts["n_seeds"]) == ("cpu", 4, 1)


def test_settings_that_no_method_reads_are_said(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is written; not in a grid, and not for a preset of the user's own."""
    preset = updated(TINY, {"ppo.lam": 0.8, "ppo.lr": 1e-5})
    refused = StoreError(tmp_path, "read only")
    monkeypatch.setattr(train_module, "writing", Mock(side_effect=refused))

    def said(methods: Sequence[str], preset: Preset = preset, **how: Any) -> list[str]:
        caplog.clear()
        with pytest.raises(StoreError):
            train(tmp_path, "household", methods, preset, seed=0, workers=1, **how)
        return caplog.messages

    alone = "ppo.lam: 0.8 has no effect on training: not read by grpo, rloo"
    assert said(["sft", "grpo", "rloo"]) == [alone]
    assert said(["grpo", "terminal"]) == said(["grpo"], quiet=True) == []
    assert said(["grpo"], replace(preset, name="own")) == []


def test_every_stage_leaves_its_files(undisturbed: "Undisturbed") -> None:
    run = Run.open(undisturbed.path)
    assert run.names("models") == ["cloned", "estimator", "spa", "terminal"]
    assert run.names("metrics") == ["clone", "estimate", "ppo-spa", "ppo-terminal"]
    judged = [
        "base-unseen",
        *(f"{name}-{panel}" for name in ("cloned", "spa", "terminal") for panel in PANELS),
    ]
    assert run.names("trajectories") == sorted([*(f"eval-{name}" for name in judged), "explore"])
    assert len(run.load_trajectories("explore")) == 6 * 2
    assert len(run.load_metrics("ppo-spa")) == 2
    assert {"credit_error", "credit_missed", "paid_beyond", "paid_repeats"} <= set(
        run.load_metrics("ppo-spa")[0]
    )
    credited = [f"eval-{policy}-unseen" for policy in ("cloned", "spa", "terminal")]
    assert run.names("credits") == [*credited, "held-out-spa"]
    for trajectory, credit in zip(
        run.load_trajectories("explore")[8:], run.load_credits("held-out-spa"), strict=True
    ):
        assert (credit.trajectory_id, len(credit)) == (trajectory.id, len(trajectory))
    assert {path.suffix for path in (run.path / "figures").iterdir()} == {".svg", ".png"}
    roles = {(entry.role, entry.policy, entry.panel) for entry in run.trajectory_sets()}
    assert ("evaluation", "spa", "unseen") in roles and ("explored", "cloned", "train") in roles
    tasks = run.tasks()
    for entry in run.trajectory_sets():
        assert all(tasks[trajectory.task_id].expert_length for trajectory in entry.load())
    assert len({task.kind for task in tasks.values()}) > 1
    assert run.methods == {"spa": "SPA-RL", "terminal": "terminal reward"}
    assert not list(run.path.rglob(".*"))


def test_the_table_is_printed(undisturbed: "Undisturbed", micro: ModuleType, capsys, monkeypatch) -> None:
    """A finished run is not touched again, and prints the same."""
    summary = json.loads((undisturbed.path / "summary.json").read_text())
    for policy, row in summary["panels"]["unseen"].items():
        assert row["n"] == 4
        assert re.search(
            rf"^{re.escape(TITLES[policy])} +{row['success']:.1%}", undisturbed.printed, re.MULTILINE
        )
    assert undisturbed.printed.count("paired over 4 tasks, 1 seed") == 3
    assert "held-out episodes" in undisturbed.printed
    monkeypatch.setattr(train_module, "_do", None)
    before = {path: path.stat().st_mtime_ns for path in undisturbed.path.rglob("*")}
    assert micro.main([*micro.RUN, "--out", str(undisturbed.path), "--workers", "1"]) == 0
    assert capsys.readouterr() == (undisturbed.printed, "")
    assert {path: path.stat().st_mtime_ns for path in undisturbed.path.rglob("*")} == before


def test_bars_end_at_100_percent_and_say_what_is_left(undisturbed: "Undisturbed") -> None:
    lines = undisturbed.bars.replace("\r", "\n").splitlines()
    labels = ("clone", "explore 1/2", "explore 2/2", "estimate", "ppo: spa", "evaluate spa, unseen_by_length")
    for label in labels:
        shown = [line for line in lines if re.match(rf"\W*(\[A)?{label} *:", line)]
        assert "100%" in shown[-1], label
        assert all(re.search(r"\d\d:\d\d<(\d+:\d\d|\?)", line) for line in shown), label
    assert "Loading" not in undisturbed.bars and "Writing" not in undisturbed.bars


def _killed_program(label: str, micro: ModuleType, folder: Path) -> None:
    """Begin the run as a program that is killed by SIGKILL, workers and all, in the middle of that task."""
    command = [sys.executable, str(micro.__file__), *micro.RUN, "--out", str(folder), "--workers", "1"]
    environment = os.environ | {"MICRO_KILL_IN": label, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, env=environment, start_new_session=True, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_killed_in_every_stage(
    undisturbed: "Undisturbed",
    micro: ModuleType,
    importable: Callable[[str], ModuleType],
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    """The same command repeatedly: nothing is lost, nothing is repeated, and the result is the same.

    One worker here, two in the uninterrupted run: the result does not depend on their number either. The
    first attempt is the program, later ones are spared its imports.
    """

    def killed_attempt(label: str) -> None:
        how = {"environment": {"OMP_NUM_THREADS": "1"}, "log": tmp_path / "log"}
        argv = [*micro.RUN, "--out", str(folder), "--workers", "1"]
        attempt = importable("attempts").Attempt(micro.main_killed_in, label, argv, **how)
        assert attempt.wait() == -signal.SIGKILL, (tmp_path / "log").read_text()

    folder, stages, models = tmp_path / "run", {}, {}
    _killed_program("clone", micro, folder)
    assert not _stages(folder)
    # while PPO trains, the evaluation of the cloned policy, a part of the third stage, is still to come
    for label, done in (("explore", 1), ("estimate", 2), ("ppo: terminal", 2)):
        killed_attempt(label)
        assert tuple(_stages(folder)) == STAGES[:done]
        assert stages.items() <= _stages(folder).items()
        assert models.items() <= _models(folder).items()
        stages, models = _stages(folder), _models(folder)
    assert "spa" in models and "terminal" not in models
    assert micro.main([*micro.RUN, "--out", str(folder), "--workers", "1"]) == 0
    assert tuple(_stages(folder)) == STAGES
    assert stages.items() <= _stages(folder).items() and models.items() <= _models(folder).items()
    assert _results(folder) == _results(undisturbed.path)
    assert not list(folder.rglob(".*"))
    printed = capsys.readouterr().out
    assert printed == undisturbed.printed.replace(str(undisturbed.path), str(folder))


def test_until_and_then_on_with_another_seed(
    undisturbed: "Undisturbed", micro: ModuleType, tmp_path: Path
) -> None:
    """Methods without an estimator: no exploration, and the report does without."""
    how = {
        "world": "household",
        "methods": ("mean", "random"),
        "preset": micro.MICRO,
        "seed": 1,
        "workers": 1,
    }
    train(tmp_path, **how, until="clone")
    assert tuple(_stages(tmp_path)) == ("clone",)
    models = _models(tmp_path)
    assert set(models) == {"cloned"}
    with Run.open(tmp_path).checkpoint("gradient-cloned-episodes").saving({}):
        pass  # what `spa-lab gradient` leaves is none of training
    run = train(tmp_path, **how)
    assert run.names("checkpoints") == ["gradient-cloned-episodes"]
    assert tuple(_stages(tmp_path)) == ("clone", "ppo", "evaluate", "report")
    assert models.items() <= _models(tmp_path).items()
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert list(summary["panels"]["unseen"]) == ["base", "cloned", "mean", "random"]
    assert "estimator" not in summary
    compared = [(row["ours"], row["theirs"]) for row in summary["differences"]]
    assert compared == [("mean", "cloned"), ("random", "cloned")]
    ours, theirs = _results(tmp_path), _results(undisturbed.path)
    for name in ("models/cloned/model.safetensors", "trajectories/eval-cloned-unseen.jsonl", "summary.json"):
        assert ours[name] != theirs[name], name
    assert ours["trajectories/eval-base-unseen.jsonl"] == theirs["trajectories/eval-base-unseen.jsonl"]
    played = ("success", "outcome", "grounding", "length")
    mean, random = (run.load_metrics(f"ppo-{name}")[0] for name in ("mean", "random"))
    assert [mean[name] for name in played] == [random[name] for name in played]  # the same episodes


def test_a_critic_is_paid_by_what_was_explored_and_needs_no_estimator(
    undisturbed: "Undisturbed", micro: ModuleType, tmp_path: Path
) -> None:
    how = {"world": "household", "methods": ("critic",), "preset": micro.MICRO, "seed": 0, "workers": 1}
    run = train(tmp_path, **how, until="ppo")
    assert tuple(_stages(tmp_path)) == ("clone", "explore", "ppo")
    assert run.names("models") == ["cloned", "critic"]
    assert run.load_trajectories("explore") == Run.open(undisturbed.path).load_trajectories("explore")


def test_the_critic_credits_each_step_with_the_change_of_its_value(
    undisturbed: "Undisturbed", micro: ModuleType
) -> None:
    experiment = Experiment.open(undisturbed.path)
    credit = find_source("critic")(experiment, lambda *progress: None)
    fitted, played = experiment.explored.fitted, experiment.explored.held_out[:3]
    config = EnsembleCriticConfig(heads=min(5, len({trajectory.task_id for trajectory in fitted})))
    critic = fit_ensemble_critic(experiment.policy("cloned"), fitted, config, rng=experiment.rng("critic"))
    for trajectory, given, values in zip(played, credit(played), critic.values(played), strict=True):
        assert (given.trajectory_id, given.source) == (trajectory.id, "critic")
        np.testing.assert_allclose(given.contributions[:-1], np.diff(values))
        assert given.predicted_outcome == pytest.approx(trajectory.outcome)


def test_cloning_alone(micro: ModuleType, tmp_path: Path, capsys) -> None:
    argv = ["run", "--env", "household", "--method", "sft", "--preset", "micro", "--out", str(tmp_path)]
    assert micro.main(argv) == 0
    assert Run.open(tmp_path).names("models") == ["cloned"]
    assert re.findall(r"^(base|cloned \(SFT\)|PPO[\w ,-]*?) +\d", capsys.readouterr().out, re.MULTILINE) == [
        "base",
        "cloned (SFT)",
    ]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"until": "cloning"}, r"no stage 'cloning'; there are: clone, explore"),
        ({"methods": ["spa", "dpo"]}, r"no training method 'dpo'; there are: sft, rft, terminal, spa"),
        ({"world": "chess"}, r"no world 'chess'; there are: household, household-long, webshop, virtualhome"),
        ({"workers": 0}, r"at least 1 worker process, got 0"),
    ],
)
def test_wrong_arguments_are_named(wrong: dict, message: str, micro: ModuleType, tmp_path: Path) -> None:
    right = {"world": "household", "methods": ["sft"], "preset": micro.MICRO, "seed": 0, "workers": 1}
    with pytest.raises(ValueError, match=message):
        train(tmp_path, **right | wrong)
