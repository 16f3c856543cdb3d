"""Every part of the benchmarks once, tiny: what it measures, not how fast."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import continuations, curves, failure, leak, training, world_records
from benchmarks.cost_figure import points
from benchmarks.generation import ENGINE, KEPT, WHOLE
from benchmarks.records import load
from spa_lab.agent.rollout import Policy
from spa_lab.configs.presets import TINY
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment
from spa_lab.envs.household import environment

MakePolicy = Callable[..., Policy]
TEXTS = ("Action: look", "Action: go to", "Nothing happens.")


@pytest.fixture
def policy(make_policy: MakePolicy) -> Policy:
    return make_policy(*TEXTS, layers=2, context=8192, spread=0.4, seed=3)


def short(steps: int) -> Environment:
    return replace(environment(), step_limit=steps)


def test_worlds() -> None:
    records = [
        record for group in world_records.measure(steps=60, tasks=2, rng=random.Random(0)) for record in group
    ]
    assert {record.setting["world"] for record in records} == {"household", "webshop", "virtualhome"}
    assert {record.unit for record in records} == {"steps", "snapshots", "restores"}


def test_rollouts_are_saved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = "--steps 1 --rounds 2 --parallel 1 2 --episodes 2"
    command.main(["rollouts", *options.split(), "--out", str(tmp_path)])
    records = load(tmp_path / "rollouts.csv")
    assert [record.way for record in records] == [ENGINE, WHOLE, KEPT, ENGINE, WHOLE]
    assert {record.n for record in records if record.setting["parallel"] == "1"} == {records[0].n}
    assert all(len(record.seconds) == len(record.ratios) == 2 for record in records)
    assert "rollouts: parallel 2, episodes 2, steps 1, parameters 688512" in capsys.readouterr().out
    assert {"processor", "cores", "torch"} <= set(json.loads((tmp_path / "machine.json").read_text()))


def test_branching(policy: Policy) -> None:
    world = short(2)
    ours, plain = continuations.compare(policy, world, world.tasks("unseen", 1), branches=2, rounds=1)
    assert (ours.unit, ours.n, plain.n) == ("values", (2.0,), (2.0,))
    assert ours.found["standard_errors_apart"] == "0"


def test_failure(policy: Policy) -> None:
    """Both numbers of processes give the same outcomes, or it would be refused."""
    config = RolloutConfig(temperature=0.7, max_new_tokens=4, parallel=8)
    one, two = failure.measure(policy, short(3), branches=2, rounds=1, config=config)
    assert (one.way, two.way) == ("1 process", "2 processes")
    assert (one.n, one.setting["steps"], one.setting["clock"]) == ((6.0,), "3", "wall")
    assert float(two.found["cpu_seconds"]) > 0


def test_training(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "trl_is_installed", lambda: False)
    world = short(2)
    preset = replace(TINY, ppo=replace(TINY.ppo, episodes=4))
    records = training.measure(policy, world, world.tasks("train", 2), preset, rounds=1)
    assert [(record.setting["stage"], record.unit) for record in records] == [
        (stage, unit) for stage in ("play", "update", "both") for unit in ("tokens", "episodes")
    ]
    play, update, both = (record.seconds[0] for record in records[::2])
    assert both == play + update
    assert all(record.way == training.OURS and record.ratios == () for record in records)


def test_training_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], policy: Policy
) -> None:
    monkeypatch.setattr(training, "trl_is_installed", lambda: False)
    monkeypatch.setattr(command, "_cloned", lambda world: policy)
    command.main(["training", "--steps", "1", "--episodes", "2", "--rounds", "1"])
    printed = capsys.readouterr().out
    assert "to compare: pip install trl==1.16.0 datasets" in printed
    assert "training: stage both, episodes 2, steps 1" in printed


@pytest.mark.filterwarnings("ignore")
def test_training_beside_trl(policy: Policy) -> None:
    pytest.importorskip("trl", reason="no dependency")
    world = short(2)
    preset = replace(TINY, ppo=replace(TINY.ppo, episodes=4))
    records = training.measure(policy, world, world.tasks("train", 2), preset, rounds=1)
    assert [record.way for record in records[:2]] == [training.OURS, training.THEIRS]
    assert len(records) == 12 and all(len(record.ratios) == 1 for record in records)


def test_curves_are_drawn_from_what_was_saved(
    tmp_path: Path, policy: Policy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_base", lambda: policy)
    tiny = {"WIDTHS": (1, 2), "BESIDE": (1, 2), "LENGTHS": (1, 2), "SIZES": (curves.Size(64, 1, fewest=1),)}
    measure = curves.measure

    def small(*arguments: object, **options: object) -> object:
        sizes = {name.lower(): value for name, value in tiny.items()}
        return measure(*arguments, **(options | sizes))  # type: ignore[arg-type]

    monkeypatch.setattr(curves, "measure", small)
    command.main(["curves", "--steps", "2", "--rounds", "1", "--out", str(tmp_path)])
    table = points(load(tmp_path / "curves.csv"))
    assert table.groupby("curve")["x"].nunique().to_dict() == {"width": 2, "length": 2, "size": 2}
    assert set(table.loc[table["way"] == KEPT, "beside"]) == {1}
    drawn = (tmp_path / "cost.svg").read_bytes()
    (tmp_path / "cost.svg").unlink()
    command.main(["--draw", str(tmp_path)])
    assert (tmp_path / "cost.svg").read_bytes() == drawn
    assert (tmp_path / "cost.png").stat().st_size > 0
    assert b"tokens per second" in drawn and KEPT.encode() in drawn
    assert capsys.readouterr().out.count("cost.png") == 2


def test_random_weights_have_the_sizes_that_are_named(policy: Policy) -> None:
    numbers = [curves.random_policy(policy, size).model.num_parameters() for size in curves.SIZES[:1]]
    assert 9e6 < numbers[0] < 11e6


def test_smollm2_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    command.main(["smollm2"])
    assert capsys.readouterr().out == "smollm2: not measured; to get the model: spa-lab fetch smollm2\n"


def test_smollm2_is_compared_on_the_whole_text(
    monkeypatch: pytest.MonkeyPatch, policy: Policy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "fetched_folder", lambda name: tmp_path)
    monkeypatch.setattr(command, "load_policy", lambda *_, **__: policy)
    command.main(["smollm2", "--steps", "1", "--episodes", "2"])
    printed = capsys.readouterr().out
    assert "smollm2: parallel 2, episodes 2, steps 1" in printed and "longest_step 32" in printed
    assert WHOLE in printed


def test_leak() -> None:
    with pytest.raises(ValueError, match="at least 20 episodes, got 19"):
        next(leak.measure(command._base(), environment(), episodes=19))
    records = [
        record for group in leak.measure(command._base(), environment(), episodes=20) for record in group
    ]
    assert [record.n[0] for record in records] == [2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 20]
    assert all(int(record.found["resident_bytes"]) > 1e6 for record in records[:-1])
    assert {"bytes_per_episode", "readings"} == set(records[-1].found)


def test_the_slope_is_that_of_the_second_half() -> None:
    episodes = list(range(0, 101, 10))
    read = [1000 * min(n, 50) + 8 * n for n in episodes]
    assert leak.slope(episodes, read) == pytest.approx(8.0)


def test_numbers_below_one_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["rollouts", "--rounds", "0"])
    assert "--rounds must be at least 1, got 0" in capsys.readouterr().err
