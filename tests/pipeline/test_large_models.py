"""What large models need, through all stages: adapters on one base, bfloat16, manual, sampled tokens."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from spa_lab.agent.rollout import Policy
from spa_lab.configs.presets import PAPER, Preset
from spa_lab.configs.prompt import PromptConfig
from spa_lab.envs.worlds import make_environment
from spa_lab.learn.methods import find_method
from spa_lab.pipeline import stages
from spa_lab.pipeline.experiment import Experiment, config_of, first_message
from spa_lab.pipeline.export import export_run
from spa_lab.pipeline.sampled_tokens import rows_of
from spa_lab.pipeline.train import train
from spa_lab.store import Run
from tests.pipeline.base_models import make_data

pytest.importorskip("peft")


def _preset(base: Path) -> Preset:
    """`paper` in everything but the model and the numbers."""
    return replace(
        PAPER, base=str(base), device="cpu", dtype="bfloat16", lora_rank=2, demonstrations=4, explore_tasks=3,
        rollouts_per_task=2, evaluation_tasks=2, by_length_tasks=0, prompt=PromptConfig(context=4096),
        clone=replace(PAPER.clone, epochs=1, batch_tokens=2000, micro_tokens=600),
        explore_rollout=replace(PAPER.explore_rollout, max_new_tokens=4, parallel=3),
        estimator=replace(PAPER.estimator, width=8, micro_tokens=1000),
        ppo=replace(PAPER.ppo, iterations=1, episodes=3, epochs=1, micro_tokens=1000),
        evaluate_rollout=replace(PAPER.evaluate_rollout, max_new_tokens=4),
    )  # fmt: skip


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory, make_policy: Callable[..., Policy]) -> Experiment:
    """A finished run, its stages executed one after the other in this process."""
    folder = tmp_path_factory.mktemp("large")
    make_data(folder / "data", make_policy, ["household"])
    environment = replace(make_environment("household"), step_limit=5)
    preset = _preset(folder / "data" / "base")
    run = Run.create(folder / "run", config_of("household", environment, ["spa"], preset), seed=0)
    experiment = Experiment(run, environment)

    def report(*_: Any) -> None:
        pass

    stages.clone_stage(experiment.source, report=report)
    stages.explore_stage(experiment.source, [0, 1], report=report)
    stages.save_explorations(experiment)
    stages.estimate_stage(experiment.source, report=report)
    stages.train_stage(experiment.source, find_method("spa"), report=report)
    stages.evaluate_stage(experiment.source, "spa", "unseen", report=report)
    return experiment


def test_a_run_keeps_adapters_and_no_copy_of_the_base(experiment: Experiment) -> None:
    for name in ("cloned", "estimator", "spa"):
        folder = experiment.run.model(name)
        assert not (folder / "model.safetensors").exists()
        weights = load_file(folder / "adapter_model.safetensors")
        assert {tensor.dtype for tensor in weights.values()} == {torch.float32}
        config = json.loads((folder / "adapter_config.json").read_text())
        assert config["base_model_name_or_path"] == experiment.preset.base
    trained, cloned = (
        load_file(experiment.run.model(name) / "adapter_model.safetensors") for name in ("spa", "cloned")
    )
    assert all(not torch.equal(trained[name], cloned[name]) for name in cloned), (
        "PPO goes on with the clone's"
    )
    estimator = load_file(experiment.run.model("estimator") / "adapter_model.safetensors")
    assert all(torch.equal(estimator[name], cloned[name]) for name in cloned), "its backbone is frozen"


def test_one_base_in_memory_serves_all(experiment: Experiment) -> None:
    models = [
        experiment.policy("cloned").model,
        experiment.policy("spa").model,
        experiment.estimator().backbone,
    ]
    assert models[0].dtype == torch.bfloat16 and models[0].is_activation_checkpointing
    below = [
        {w.data_ptr() for name, w in model.named_parameters() if ".lora_" not in name} for model in models
    ]
    assert below[0] == below[1] == below[2]


def test_the_estimator_reads_what_was_sampled(experiment: Experiment) -> None:
    """Half a phrase that was sampled byte by byte is another row than the same text encoded."""
    trajectories = [*experiment.explored.fitted, *experiment.explored.held_out]
    rows = rows_of(experiment.run, trajectories)
    assert rows is not None and len(rows) == 6
    codec = experiment.policy("cloned").codec
    assert [row.ids for row in rows] != [codec.row(trajectory).ids for trajectory in trajectories]
    for row, trajectory in zip(codec.rows_of(trajectories, rows), trajectories, strict=True):
        assert max(row.step) + 1 == len(trajectory)
        ids = [i for i, step in zip(row.ids, row.step, strict=True) if step == 0]
        assert codec.decode(ids) == trajectory.steps[0].text


def test_methods_receive_what_was_sampled(experiment: Experiment) -> None:
    kept = rows_of(experiment.run, experiment.explored.fitted)
    assert kept
    for name, rows in (("spa", kept), ("terminal", None)):
        assert stages.training_inputs(experiment, find_method(name)).explored_rows == rows


def test_examples_come_after_the_manual(experiment: Experiment) -> None:
    preset = replace(experiment.preset, prompt=PromptConfig(examples=1))
    text = first_message(experiment.environment, preset)
    assert text.startswith(f"{experiment.environment.manual}\n\nExample 1:\n\n") and "Action: " in text
    assert first_message(experiment.environment, experiment.preset) == experiment.environment.manual


def test_a_base_that_is_not_there_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for base, message in (("fetched:smollm2", "spa-lab fetch smollm2"), ("nowhere", "no such model folder")):
        with pytest.raises(ValueError, match=message):
            train(tmp_path / "run", "household", ("spa",), replace(PAPER, base=base), seed=0, workers=1)
    assert not (tmp_path / "run").exists()


def test_rows_of_tokens_for_trainers(experiment: Experiment, tmp_path: Path) -> None:
    """With the manual before the first observation, and as sampled where that is known."""
    out = tmp_path / "rows.jsonl"
    said = export_run(experiment.run.path, "tokens", out, model="spa", source="spa")
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert f"{len(rows)} episodes" in said
    sampled = {row["id"]: row for row in rows if row["sampled"]}
    held_out = experiment.explored.held_out
    assert sampled.keys() == {trajectory.id for trajectory in held_out}, "the explorations with a credit"
    codec = experiment.policy("spa").codec
    kept = rows_of(experiment.run, held_out)
    assert kept is not None
    for tokens in map(codec.closed, kept):
        row = sampled[tokens.trajectory_id]
        assert (*row["prompt_ids"], *row["completion_ids"]) == tokens.ids
    opening = codec.opening_ids(held_out[0].initial_observation)
    assert codec.manual == experiment.environment.manual != ""
    assert tuple(sampled[held_out[0].id]["prompt_ids"]) == opening
