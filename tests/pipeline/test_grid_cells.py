"""Specs of grids and the cells that they stand for; nothing is trained."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spa_lab.configs.presets import TINY, Preset, preset_named
from spa_lab.envs.worlds import make_environment
from spa_lab.pipeline.experiment import config_of
from spa_lab.pipeline.grid.cells import IRRELEVANT, Cell, arm_cells, check_reads, grid_cells
from spa_lab.pipeline.grid.spec import GridSpec, parse_spec, read_spec
from spa_lab.pipeline.grid.work import _take_over
from spa_lab.store import Run

SPECS = Path(__file__).resolve().parents[2] / "data" / "specs"
SWEEP = """
worlds = ["household", "webshop"]
seeds = [3, 4]
methods = ["sft", "spa"]
reference = "SPA-RL"
settings."ppo.iterations" = 5

[[arm]]
name = "SPA-RL, beta {reward.beta}, {reward.grounding_form}"
method = "spa"
reward.beta = [0.0, 0.5]
reward.grounding_form = ["bonus", "penalty"]
worlds = ["household"]
"""


def _spec(**changes: Any) -> GridSpec:
    return parse_spec({"worlds": ["household"], "seeds": [0], "methods": ["sft"]} | changes)


def _cells(spec: GridSpec, name: str) -> list[Cell]:
    (arm,) = [arm for arm in spec.arms if arm.name == name]
    return arm_cells(spec, arm, "household", 0)


def test_a_file_with_a_sweep(tmp_path: Path) -> None:
    (tmp_path / "sweep.toml").write_text(SWEEP)
    spec = read_spec(tmp_path / "sweep.toml")
    assert [arm.name for arm in spec.arms] == [
        "cloned",
        "SPA-RL",
        "SPA-RL, beta 0.0, bonus",
        "SPA-RL, beta 0.0, penalty",
        "SPA-RL, beta 0.5, bonus",
        "SPA-RL, beta 0.5, penalty",
    ]
    preset = spec.preset_of(spec.arms[4], "household")
    assert (preset.reward.beta, preset.reward.grounding_form, preset.ppo.iterations) == (0.5, "bonus", 5)
    assert spec.preset_of(spec.arms[1], "webshop").demonstrations == 600  # what the world overrides
    long = preset_named("tiny", "household-long").demonstrations
    assert spec.preset_of(spec.arms[1], "household-long").demonstrations == long > preset.demonstrations
    assert (spec.reference, spec.seeds, spec.arms[2].worlds) == ("SPA-RL", (3, 4), ("household",))


def test_yaml_says_the_same(tmp_path: Path) -> None:
    text = "worlds: [household]\nseeds: [0]\narm:\n- {name: slow, method: terminal, ppo.lr: [1e-5]}\n"
    (tmp_path / "spec.yaml").write_text(text)
    (arm,) = read_spec(tmp_path / "spec.yaml").arms
    assert (arm.name, arm.settings) == ("slow", {"ppo.lr": 1e-5})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"world": []}, "unknown key 'world'; there are: worlds, seeds"),
        ({"seeds": ["0"]}, r"seeds: expected a list of whole numbers, got \['0'\]"),
        ({"seeds": []}, r"seeds: expected at least one, none twice, got \[\]"),
        ({"worlds": ["household", "household"]}, "worlds: expected at least one, none twice"),
        ({"worlds": ["moon"]}, "no world 'moon'"),
        (
            {"worlds": ["household", "spa_lab.envs.household:environment"]},
            "worlds: 'household' and 'spa_lab.envs.household:environment' are both called 'household'",
        ),
        ({"methods": []}, r"no arm: expected methods or \[\[arm\]\]"),
        ({"methods": ["ppo"]}, "it is now called 'terminal'"),
        ({"methods": ["sft", "sft"]}, "two arms are called 'cloned'; a sweep needs its keys"),
        ({"reference": "spa"}, "reference: no arm 'spa'; there are: cloned"),
        ({"settings": {"ppo": {"lrr": 1}}}, r"arm 'cloned': ppo.lrr: expected a setting of 'ppo' \(.*got 1"),
        ({"preset": "huge"}, "no preset 'huge'"),
        ({"arm": [{"name": "x"}]}, "arm 'x': expected a method, got None"),
        ({"arm": [{"method": "spa", "name": 3}]}, "arm of method 'spa': expected text as name, got 3"),
        ({"arm": [{"method": "spa", "worlds": ["webshop"]}]}, "world 'webshop' is none of the grid's"),
        ({"arm": [{"method": "spa", "name": "a {ppo.lr}"}]}, r"\{ppo.lr\} names no setting of this arm"),
        ({"seeds": [0, -1]}, "seeds: expected whole numbers >= 0, got -1"),
        ({"preset": ["tiny"]}, r"preset: expected text, got \['tiny'\]"),
        ({"reference": ["x"]}, r"reference: no arm \['x'\]"),
        ({"arm": [{"method": "spa", "name": "base"}]}, "arm 'base' of method 'spa': .* the untrained model"),
        ({"methods": [], "arm": [{"method": "spa", "name": "cloned"}]}, "'spa': .* the cloned model"),
        (
            {"arm": [{"method": "spa", "name": " "}]},
            "method 'spa': expected one line of text as name, got ' '",
        ),
        ({"arm": [{"method": "spa", "name": "a\rb"}]}, r"expected one line of text as name, got 'a\\rb'"),
        ({"arm": [{"method": "spa", "name": "x", "worlds": []}]}, "arm 'x': worlds: expected at least one"),
        ({"arm": [{"method": "spa", "worlds": ["household"] * 2}]}, "worlds: expected .*, none twice"),
        (
            {"arm": [{"method": "spa", "name": "{reward.beta}", "reward": {"beta": []}}]},
            r"reward.beta: expected a value or a list of at least one, got \[\]",
        ),
        ({"arm": [{"method": "sft", "name": "again"}]}, "arms 'cloned' and 'again' are the same"),
    ],
)
def test_a_wrong_spec_is_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        _spec(**changes)
    assert "\n" not in str(caught.value)


def test_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("seeds = [0]\nmethods = ['sft']\n")
    with pytest.raises(ValueError, match=r"bad\.toml: worlds: expected a list of texts, got None"):
        read_spec(tmp_path / "bad.toml")


def test_arms_share_the_stages_whose_settings_agree() -> None:
    arms = [
        {"name": "lr", "method": "terminal", "ppo": {"lr": 1e-5}},
        {"name": "M", "method": "spa", "rollouts_per_task": 3},
        {"name": "width", "method": "spa", "estimator.width": 7},
        {"name": "beta", "method": "spa", "reward.beta": 0.3},
        {"name": "more", "method": "spa", "demonstrations": 99},
    ]
    spec = _spec(methods=["sft", "terminal", "critic", "spa"], arm=arms)
    clone, explore, estimate, spa = _cells(spec, "SPA-RL")
    assert [cell.parent for cell in (clone, explore, estimate, spa)] == [
        None,
        clone.id,
        explore.id,
        estimate.id,
    ]
    assert [cell.stage for cell in (clone, explore, estimate, spa)] == ["clone", "explore", "estimate", None]
    for name in ("cloned", "terminal reward", "lr"):
        (first, _) = _cells(spec, name)
        assert first.id == clone.id
    assert [cell.id for cell in _cells(spec, "critic's TD errors")[:-1]] == [clone.id, explore.id]
    assert [cell.id for cell in _cells(spec, "beta")[:-1]] == [clone.id, explore.id, estimate.id]
    assert _cells(spec, "M")[0].id == clone.id and _cells(spec, "M")[1].id != explore.id
    assert _cells(spec, "width")[1].id == explore.id and _cells(spec, "width")[2].id != estimate.id
    assert _cells(spec, "more")[0].id != clone.id
    cells = grid_cells(spec)
    assert len({cell.id for cell in cells}) == len(cells) == 2 + 3 + 4 + 9
    places = {cell.id: i for i, cell in enumerate(cells)}
    assert all(cell.parent is None or places[cell.parent] < places[cell.id] for cell in cells)


def test_an_id_is_a_folder_that_differs_between_seeds_in_its_end_only() -> None:
    spec = _spec(seeds=[0, 12])
    first, second = (arm_cells(spec, spec.arms[0], "household", seed)[-1] for seed in spec.seeds)
    assert re.fullmatch(r"runs/household/sft-[0-9a-f]{8}-seed-0", first.id)
    assert first.setting == second.setting and second.id == f"{first.setting}-seed-12"
    assert second.title == "cloned, household, seed 12"


def test_a_stage_does_not_depend_on_what_is_called_irrelevant() -> None:
    """The rest of a preset is kept, so that a new setting keeps arms apart until it is listed."""
    spec = _spec(methods=["spa"])
    for cell in arm_cells(spec, spec.arms[0], "household", 0)[:-1]:
        assert cell.stage is not None
        defaults = Preset(TINY.name)
        expected = {name: getattr(defaults, name) for name in IRRELEVANT[cell.stage]}
        assert cell.preset == replace(TINY, **expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"arm": [{"name": "a", "method": "rloo", "ppo.lam": 0.8}]},
            "arm 'a': ppo.lam: 0.8 has no effect, method 'rloo' does not read it",
        ),
        ({"arm": [{"name": "a", "method": "sft", "ppo.lr": 1e-5}]}, "method 'sft' does not read it"),
        ({"arm": [{"name": "a", "method": "terminal", "rollouts_per_task": 3}]}, "rollouts_per_task: 3 has"),
        (
            {"methods": ["sft", "rloo", "grpo"], "settings": {"ppo.lam": 0.8}},
            "settings: ppo.lam: 0.8 has no effect, none of the arms' methods reads it",
        ),
    ],
)
def test_a_setting_without_effect_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        check_reads(_spec(**changes))


def test_a_setting_that_one_arm_reads_is_accepted() -> None:
    """As are values that the preset has anyway."""
    shared = _spec(methods=["rloo", "terminal"], settings={"ppo.lam": 0.8})
    same = _spec(arm=[{"name": "a", "method": "rloo", "ppo": {"lam": TINY.ppo.lam, "group_size": 4}}])
    there = {"name": "a", "method": "terminal", "worlds": ["webshop"], "ppo.temperature": 0.5}
    for spec in (shared, same, _spec(worlds=["household", "webshop"], arm=[there])):
        check_reads(spec)


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.toml")), ids=lambda path: path.stem)
def test_the_examples_are_valid(path: Path) -> None:
    spec = read_spec(path)
    assert len(spec.arms) >= 2
    assert len({cell.id for cell in grid_cells(replace(spec, seeds=spec.seeds[:1]))}) > len(spec.worlds)
    check_reads(spec)


def test_a_judges_file_with_other_numbers_is_another_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "grid_judge.py").write_text(
        "from spa_lab.pipeline.judged import judged\nMETHOD = judged('scores.jsonl')\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    ids = []
    for score in (1, 2, 1):
        (tmp_path / "scores.jsonl").write_text(f'{{"id": "x", "scores": [{score}]}}\n')
        ids.append(grid_cells(_spec(methods=["grid_judge:METHOD"]))[-1].id)
    assert ids[0] == ids[2] != ids[1]


def test_a_shared_stage_of_other_settings_is_not_taken_over(tmp_path: Path) -> None:
    """Such as one of a version with other defaults, which are no part of the folder's name."""
    *_, explore, _, spa = _cells(_spec(methods=["spa"]), "SPA-RL")
    assert (explore.parent_stage, spa.parent_stage) == ("clone", "estimate")
    environment = make_environment("household")
    config = config_of("household", environment, [], spa.preset)
    older = {key: value for key, value in config["preset"].items() if key != "prompt"}
    older["ppo"] = {**older["ppo"], "lr": 0.5}  # nothing that an estimator depends on
    Run.create(tmp_path / "same", config | {"preset": older}, seed=0)
    _take_over(tmp_path / "same", tmp_path / "taken", spa)
    older["clone"] = {**older["clone"], "epochs": 7}
    for name, preset, seed, message in (
        ("cloned", older, 0, rf"clone\.epochs is 7, asked {spa.preset.clone.epochs}$"),
        ("seed", config["preset"], 1, "seed is 1, asked 0$"),
    ):
        Run.create(tmp_path / name, config | {"preset": preset}, seed=seed)
        with pytest.raises(ValueError, match=f"{name}: made with other settings: {message}"):
            _take_over(tmp_path / name, tmp_path / "new", spa)
    assert not (tmp_path / "new" / "run.json").exists()
