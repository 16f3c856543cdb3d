"""The calculated cost of a run: against hand-made counts, the tensors that are counted, and shapes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from spa_lab import cli
from spa_lab.configs.files import to_toml
from spa_lab.configs.presets import PAPER, TINY, Preset
from spa_lab.envs.worlds import make_environment
from spa_lab.pipeline.budget import EpisodeTokens, Speed, budget, measure_episodes
from spa_lab.pipeline.footprint import KNOWN_SHAPES, ModelShape, learning_memory, model_disk, shape_of

TOKENS = EpisodeTokens(opening=100, written=10, reply=20, steps=5, limit=9)
"""A success has 100 + 5 * 10 + 4 * 20 = 230 tokens, a failure 100 + 9 * 10 + 8 * 20 = 350."""
LLAMA = KNOWN_SHAPES[PAPER.base]


def _preset(**changes: object) -> Preset:
    return replace(
        PAPER, demonstrations=10, explore_tasks=4, rollouts_per_task=5, evaluation_tasks=3, by_length_tasks=2,
        clone=replace(PAPER.clone, epochs=2), estimator=replace(PAPER.estimator, epochs=3),
        ppo=replace(PAPER.ppo, iterations=2, episodes=6, epochs=4), **changes,
    )  # fmt: skip


def test_tokens_by_hand() -> None:
    clone, explore, estimate, train, evaluate = budget(
        make_environment("household"), _preset(), TOKENS, success=0.5
    )
    assert clone.trained == 10 * 230 * 2
    assert (explore.episodes, explore.written, explore.replied) == (20, 20 * 70, 20 * (290 - 70))
    assert (estimate.trained, estimate.read) == (0, 15 * 290 * 3 + 5 * 290)
    assert (train.episodes, train.written, train.trained) == (12, 12 * 70, 12 * 290 * 4)
    assert (train.replied, train.read) == (12 * (290 - 70), 3 * 12 * 290)
    assert evaluate.episodes == 2 * 3 + 2 + (3 + 2)
    speed = Speed(train=10, read=20, write=5)
    assert clone.hours(speed, 8) * 8 == clone.hours(speed) == pytest.approx(4600 / 10 / 3600)
    assert explore.hours(speed, 4) == pytest.approx(explore.hours(speed) / 4)


def test_a_server_plays_beside_the_devices_that_learn() -> None:
    clone, explore, _, train, _ = budget(make_environment("household"), _preset(), TOKENS, success=0.5)
    speed = Speed(train=10, read=20, write=5)
    playing = (12 * 220 / 20 + 12 * 70 / 5) / 3600
    learning = (12 * 290 * 4 / 10 + 3 * 12 * 290 / 20) / 3600
    assert train.hours(speed, 4, served=True) == pytest.approx(playing + learning / 4)
    assert explore.hours(speed, 4, served=True) == explore.hours(speed)
    assert explore.memory(served=True) == 0 < explore.memory()
    assert train.memory(served=True) == train.learning_memory
    assert clone.memory(served=True) == clone.memory()


def test_stages_of_more_methods_and_a_trained_backbone() -> None:
    preset = _preset()
    preset = replace(preset, estimator=replace(preset.estimator, train_backbone=True))
    stages = budget(make_environment("household"), preset, TOKENS, methods=3, success=1.0)
    assert [stage.stage for stage in stages].count("train, one method") == 3
    assert stages[2].trained == 15 * 230 * 3 and stages[2].read == 5 * 230, "a quarter is held out"
    assert stages[-1].episodes == 2 * 3 + 2 + 3 * (3 + 2)


def test_memory_is_that_of_the_counted_tensors() -> None:
    """11.3 to 11.4 GiB with recomputed activations: tests/learn/test_memory.py."""
    assert learning_memory(LLAMA, PAPER, 16_384) == pytest.approx(11.4, rel=0.05)
    assert learning_memory(LLAMA, replace(PAPER, checkpointing=False), 16_384) > 40
    assert learning_memory(LLAMA, PAPER, 4096) < 9
    assert learning_memory(LLAMA, replace(PAPER, lora_rank=None), 4096) > 48
    assert LLAMA.parameters == pytest.approx(3.21e9, rel=0.01)
    assert model_disk(LLAMA, PAPER) == pytest.approx(4 * 2.29e6 / 1e9, rel=0.01)


def test_a_model_that_was_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ValueError, match="get it with: spa-lab fetch smollm2"):
        shape_of(replace(TINY, base="fetched:smollm2"), "household")


def test_the_shape_of_a_folder(tmp_path: Path) -> None:
    fields = {
        "vocab_size": 49_152, "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
        "num_attention_heads": 9, "num_key_value_heads": 3, "max_position_embeddings": 8192,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(fields))
    shape = shape_of(replace(TINY, base=str(tmp_path)), "household")
    assert shape.parameters == pytest.approx(134.5e6, rel=0.01) and (shape.head_size, shape.context) == (
        64,
        8192,
    )
    with pytest.raises(ValueError, match=r"hub:a/b: its shape is not known; name a folder .* --base"):
        shape_of(replace(TINY, base="hub:a/b"), "household")
    with pytest.raises(ValueError, match="the field 'vocab_size' is missing"):
        ModelShape.from_config({"num_attention_heads": 1})
    with pytest.raises(ValueError, match="not the shape of a causal language model"):
        ModelShape.from_config(fields | {"num_attention_heads": 0, "head_dim": None})
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ValueError, match=r"config\.json: expected a JSON object"):
        shape_of(replace(TINY, base=str(tmp_path)), "household")


def test_episodes_are_measured_with_the_base_model_s_tokens() -> None:
    world = make_environment("household")
    tiny, paper = (measure_episodes(world, preset) for preset in (TINY, PAPER))
    assert tiny.steps == paper.steps and tiny.limit == world.step_limit
    assert 3 < tiny.written < paper.written / 2, "whole phrases are tokens of the tiny agent"
    assert paper.opening > 100, "with the manual"


def test_the_command_prints_a_row_for_each_stage(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["plan", "--train", "20000", "--write", "760", "--devices", "8", "--memory", "24"]
    assert cli.main([*arguments, "--explore_rollout.parallel", "8", "--explore_tasks", "100"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line[:18].strip() for line in lines]
    assert names[2:7] == ["clone", "explore", "estimate", "train, one method", "evaluate"]
    assert " 1000 " in lines[3] and not any("more than a device has" in line for line in lines)
    assert cli.main([*arguments, "--explore_rollout.parallel", "64"]) == 0
    assert capsys.readouterr().out.count("more than a device has") == 3
    assert cli.main(["plan", "--train", "0", "--write", "1"]) == 2
    assert "train: expected a number > 0, got 0.0" in capsys.readouterr().err


def test_plan_help_explains_settings_with_the_values_of_its_preset(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        cli.main(["plan", "--help"])
    words = " ".join(capsys.readouterr().out.split())
    assert "those of the preset paper" in words
    about = "Expert episodes to clone; 0: training starts from the base model. ALFWorld's own: 3,119."
    assert f"{about} Value: a whole number ({PAPER.demonstrations})" in words


def test_plan_prints_its_settings_or_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", "--print-config", "--explore_tasks", "7"]) == 0
    assert capsys.readouterr().out == to_toml(replace(PAPER, explore_tasks=7)) + "\n"
    assert cli.main(["plan", "--train", "1"]) == 2
    assert capsys.readouterr().err == "spa-lab: error: plan: --write is missing\n"
