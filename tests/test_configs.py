"""Settings: what is accepted from text, files and stored runs, and how each error reads."""

import pickle
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest

from spa_lab.configs.checks import SettingError
from spa_lab.configs.files import read_mapping, to_toml, updated_from_file
from spa_lab.configs.presets import PAPER, PRESETS, SUMMARIES, TINY, Preset, preset_from_dict, preset_named
from spa_lab.configs.settings import flat, flattened, list_settings, updated
from spa_lab.paths import data_folder
from spa_lab.store import Run


def test_every_field_of_every_nested_class_is_a_setting() -> None:
    def count(value: object) -> int:
        return sum(
            count(getattr(value, field.name))
            if hasattr(getattr(value, field.name), "__dataclass_fields__")
            else 1
            for field in fields(value)  # type: ignore[arg-type]
        )

    keys = [setting.key for setting in list_settings(Preset)]
    assert len(keys) == len(set(keys)) == count(TINY)
    assert {"name", "lora_rank", "ppo.lr", "reward.residual", "explore_rollout.temperature"} <= set(keys)


def test_flat_and_flattened_agree() -> None:
    assert flat(PAPER) == flattened(asdict(PAPER))


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("ppo.lr", "3e-5", 3e-5),
        ("ppo.lr", "1", 1.0),
        ("demonstrations", "12", 12),
        ("base", "12", "12"),
        ("use_manual", "true", True),
        ("estimator.train_backbone", "false", False),
        ("lora_rank", "8", 8),
        ("lora_rank", "none", None),
        ("clone.muon_lr", "none", None),
        ("reward.residual", "kept", "kept"),
    ],
)
def test_text_becomes_the_type_of_its_field(key: str, text: str, value: object) -> None:
    stored = flat(updated(PAPER, {key: text}, as_text=True))[key]
    assert (stored, type(stored)) == (value, type(value))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("demonstrations", "200", "demonstrations: expected a whole number, got '200'"),
        ("demonstrations", 2.0, "demonstrations: expected a whole number, got 2.0"),
        ("demonstrations", True, "demonstrations: expected a whole number, got True"),
        ("demonstrations", -1, "demonstrations: expected a whole number >= 0, got -1"),
        ("ppo.lr", float("nan"), "ppo.lr: expected a number, got nan"),
        ("ppo.lr", [1], r"ppo.lr: expected a number, got \[1\]"),
        ("ppo.gamma", 1.5, r"ppo.gamma: expected a number in \[0, 1\], got 1.5"),
        ("ppo.kl_coef", -0.1, "ppo.kl_coef: expected a number >= 0, got -0.1"),
        ("use_manual", 1, "use_manual: expected true or false, got 1"),
        ("base", 3, "base: expected text, got 3"),
        ("estimator.head", "gru", "estimator.head: expected one of mlp, vocabulary, got 'gru'"),
        ("held_out_fraction", 1.0, r"held_out_fraction: expected a number in \(0, 1\), got 1.0"),
        ("explore_rollout.parallel", 0, "explore_rollout.parallel: expected a whole number >= 1, got 0"),
        ("ppo", 3, "ppo: expected a known setting"),
        ("rewards", 1, r"rewards: expected a known setting \(did you mean reward"),
        ("zzz", 1, "zzz: expected one of name, base, device"),
    ],
)
def test_an_error_names_key_and_what_is_allowed(key: str, value: object, message: str) -> None:
    with pytest.raises(SettingError, match=f"^{message}"):
        updated(TINY, {key: value})


def test_a_setting_error_survives_pickling() -> None:
    error = SettingError("clip", "a number > 0", -1).within("ppo")
    assert str(pickle.loads(pickle.dumps(error))) == str(error) == "ppo.clip: expected a number > 0, got -1"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.toml", 'lora_rank = "none"\nppo.lr = 3e-5\n[clone]\nepochs = 2\n'),
        ("a.yaml", "lora_rank: null\nppo: {lr: 3e-5}\nclone:\n  epochs: 2\n"),
        ("a.yml", "ppo.lr: 0.00003\nclone.epochs: 2\nlora_rank: none\n"),
    ],
)
def test_files_change_only_what_they_name(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    expected = replace(
        PAPER, lora_rank=None, ppo=replace(PAPER.ppo, lr=3e-5), clone=replace(PAPER.clone, epochs=2)
    )
    assert updated_from_file(PAPER, file) == expected


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    for name in ("a.toml", "a.yaml"):
        (tmp_path / name).write_text("")
        assert updated_from_file(PAPER, tmp_path / name) is PAPER


def test_off_is_a_text_in_yaml(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("prompt: {thinking: off}\nuse_manual: true")
    changed = updated_from_file(TINY, file)
    assert changed.prompt.thinking == "off" and changed.use_manual is True
    file.write_bytes("name: caf\xe9".encode("latin-1"))
    with pytest.raises(ValueError, match=f"^{file}: not UTF-8 text"):
        updated_from_file(TINY, file)


def test_numbers_in_yaml_need_no_point_and_quotes_make_text(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("a: [2e-5, 1E3, +.5e1, 1.5e3, '2e-5', \"2e-5\", e5, 2e]\n")
    assert read_mapping(file) == {"a": [2e-5, 1e3, 5.0, 1.5e3, "2e-5", "2e-5", "e5", "2e"]}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.toml", "ppo.lrr = 1", r"ppo.lrr: expected a setting of 'ppo' \(iterations, episodes"),
        ("a.toml", 'ppo.lr = "fast"', "ppo.lr: expected a number, got 'fast'"),
        ("a.toml", "ppo.lr = ", "not valid TOML: "),
        ("a.yaml", "ppo: {lr: [}", "not valid YAML: "),
        ("a.yaml", "- ppo", "expected a mapping of settings at the top level"),
        ("a.yaml", "ppo: {clip: -1}", "ppo.clip: expected a number > 0, got -1.0"),
        ("a.yaml", "3: 4", "expected a mapping of settings"),
        ("a.yaml", "ppo: {lr: 0.5}\nclone: {}\nppo: {lr: 0.25}", "not valid YAML: key 'ppo' is there twice"),
        ("a.yaml", "a: &a [*a]", "not valid YAML: a value contains itself in "),
        ("a.yaml", "a: &a {b: *a}", "not valid YAML: a value contains itself in "),
        ("a.yaml", f"a: {'[' * 3000}{']' * 3000}", "nested too deeply"),
        ("a.yaml", f"a: {'[' * 20}{']' * 20}", "nested too deeply, settings have at most 20 levels"),
        ("a.yaml", "a: 2020-13-01", "not valid YAML: month must be in 1..12"),
        ("a.toml", f"a = {'[' * 3000}{']' * 3000}", "nested too deeply"),
        ("a.toml", f"{'a.' * 3000}a = 1", "nested too deeply, settings have at most 20 levels"),
        ("a.toml", f"a = {'1' * 5000}", "not valid TOML: Exceeds the limit"),
        ("a.toml", "'ppo.lr' = 0.5\n[ppo]\nlr = 0.25", "ppo.lr: expected one value, there are two"),
    ],
)
def test_a_wrong_file_is_named_with_the_key(tmp_path: Path, name: str, text: str, message: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(ValueError, match=f"^{file}: {message}"):
        updated_from_file(TINY, file)


@pytest.mark.parametrize("preset", [*PRESETS.values(), preset_named("tiny", "webshop")], ids=lambda p: p.name)
def test_toml_gives_the_settings_back(preset: Preset, tmp_path: Path) -> None:
    awkward = replace(preset, base='C:\\models\n"quoted" # ü')
    file = tmp_path / "a.toml"
    file.write_text(to_toml(awkward), encoding="utf-8")
    assert updated_from_file(PAPER, file) == awkward


@pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
def test_a_stored_preset_is_read_back(preset: Preset) -> None:
    assert preset_from_dict(asdict(preset)) == preset


def test_a_stored_preset_may_have_the_names_of_schema_1() -> None:
    facts: dict[str, Any] = asdict(PAPER)
    present = {
        "mistakes": "mistake_rate",
        "explore": "explore_rollout",
        "held_out": "held_out_fraction",
        "evaluate": "evaluate_rollout",
    }
    for former, name in present.items():
        facts[former] = facts.pop(name)
    assert preset_from_dict(facts) == PAPER


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({}, "preset: 'name' is missing"),
        ({"name": "a", "knobs": 1}, "preset: knobs: expected one of name"),
        ({"name": "a", "ppo": {"lr": "x"}}, "preset: ppo.lr: expected a number, got 'x'"),
    ],
)
def test_a_stored_preset_of_another_form_is_refused(facts: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        preset_from_dict(facts)


def test_every_preset_has_a_summary() -> None:
    assert SUMMARIES.keys() == PRESETS.keys()


def test_an_unknown_world_uses_the_preset_as_it_is() -> None:
    assert preset_named("tiny", "chess") is TINY
    assert preset_named("paper", "webshop") is PAPER
    with pytest.raises(ValueError, match="no preset 'huge'; there are: tiny, lesson, small, paper"):
        preset_named("huge")


def test_a_world_without_overrides_takes_those_of_the_world_whose_base_it_starts_from() -> None:
    assert preset_named("tiny", "chess", "webshop") == preset_named("tiny", "webshop")
    assert preset_named("tiny", "household-long", "webshop") == preset_named("tiny", "household-long")
    assert preset_named("paper", "chess", "webshop") is PAPER
    for small in (preset_named("small", "webshop"), preset_named("small", "chess", "webshop")):
        assert small.explore_rollout.max_new_tokens == small.evaluate_rollout.max_new_tokens == 128
    assert preset_named("small", "household") is PRESETS["small"]


def test_panels_of_official_data_bound_what_presets_ask_for() -> None:
    paper, lesson = preset_named("paper", "alfworld"), preset_named("lesson", "alfworld")
    assert (paper.evaluation_tasks, paper.by_length_tasks, paper.explore_on) == (134, 140, "demonstrated")
    assert (preset_named("tiny", "alfworld").evaluation_tasks, lesson.evaluation_tasks) == (134, 48)
    assert (TINY.evaluation_tasks, TINY.explore_on) == (256, "fresh")
    with pytest.raises(SettingError, match="explore_on"):
        replace(TINY, explore_on="other")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["measured", "small", "gamed/published", "gamed/repaired"])
def test_the_settings_of_the_runs_that_ship_are_read_whole(name: str) -> None:
    stored = Run.open(data_folder() / name).config["preset"]
    assert flattened(stored).items() <= flattened(asdict(preset_from_dict(stored))).items()


def test_settings_work_for_any_dataclass() -> None:
    @dataclass(frozen=True)
    class Inner:
        n: int = 1

    @dataclass(frozen=True)
    class Outer:
        inner: Inner

    assert updated(Outer(Inner()), {"inner.n": 2}) == Outer(Inner(2))
