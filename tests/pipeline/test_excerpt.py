import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from spa_lab import rewards
from spa_lab.configs.reward import RewardConfig
from spa_lab.pipeline.excerpt import PAID, make_excerpt, make_measured_excerpt, paid_reward
from spa_lab.pipeline.finished import finished_runs, iterations, keep
from spa_lab.store import Run
from spa_lab.types import Credit, Trajectory

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.pipeline.conftest import Undisturbed

SHIPPED = Path(__file__).resolve().parents[2] / "data" / "gamed"


def test_the_paid_reward_by_hand(make_trajectory: "Callable[..., Trajectory]") -> None:
    trajectory = make_trajectory(0.0, grounded=(True, False, True))
    credit = Credit(trajectory.id, "spa", [0.25, 0.25, -0.5])
    published = RewardConfig(beta=0.5, grounding_form="bonus", residual="kept", clip=False)
    paid = paid_reward(trajectory, credit, published)
    assert paid.source == PAID
    assert paid.contributions.tolist() == [0.75, 0.25, 0.0]


def test_an_excerpt_holds_the_first_tasks_of_every_policy(undisturbed: "Undisturbed", tmp_path: Path) -> None:
    source = Run.open(undisturbed.path)
    excerpt = make_excerpt(source, tmp_path / "excerpt", n_tasks=2)
    first = sorted({t.task_id for t in source.load_trajectories("eval-spa-unseen")})[:2]
    assert [task.id for task in excerpt.tasks().values()] == first
    assert excerpt.provenance["n"] == 2 and excerpt.config == source.config
    sets = [entry for entry in excerpt.trajectory_sets() if entry.role == "evaluation"]
    assert {entry.policy for entry in sets} >= {"base", "cloned", "spa"}
    for entry in sets:
        whole = {t.id: t for t in source.load_trajectories(entry.name)}
        kept = entry.load()
        assert sorted(t.task_id for t in kept) == first
        assert all(t == whole[t.id] for t in kept)
    curves = {curve.name: curve.rows for curve in source.curves() if curve.method}
    assert {curve.name: curve.rows for curve in excerpt.curves()} == curves
    assert not excerpt.names("models")


def test_a_run_without_evaluations_is_refused(tmp_path: Path, undisturbed: "Undisturbed") -> None:
    source = Run.open(undisturbed.path)
    bare = Run.create(tmp_path / "bare", source.config, seed=source.seed)
    with pytest.raises(ValueError, match=r"bare: no policy was evaluated on 'unseen'"):
        make_excerpt(bare, tmp_path / "excerpt")
    assert not (tmp_path / "excerpt").exists()


@pytest.mark.parametrize("name", ["published", "repaired"])
def test_the_shipped_rewards_are_what_the_settings_pay(name: str) -> None:
    run = Run.open(SHIPPED / name)
    settings = RewardConfig(**run.config["preset"]["reward"])
    given, paid = run.credits("evaluation")["spa"], run.credits("given")[PAID]
    trajectories = [t for entry in run.trajectory_sets() for t in entry.load() if t.id in given]
    assert len(trajectories) == len(paid) == 48
    for trajectory in trajectories:
        expected = rewards.fuse(trajectory, given[trajectory.id], settings)
        np.testing.assert_allclose(paid[trajectory.id].contributions, expected, atol=1e-6)


def test_the_published_reward_is_exploited_in_the_shipped_run() -> None:
    """What notebook 05c says of it: paid more and more, solving less and less."""
    (curve,) = Run.open(SHIPPED / "published").curves()
    assert curve.rows[-1]["reward"] > 1.2 * curve.rows[0]["reward"]
    assert curve.rows[-1]["success"] < 0.5 * curve.rows[0]["success"]


def test_without_tasks_an_excerpt_holds_the_curves_alone(undisturbed: "Undisturbed", tmp_path: Path) -> None:
    source = Run.open(undisturbed.path)
    excerpt = make_excerpt(source, tmp_path / "excerpt", n_tasks=0)
    assert [curve.rows for curve in excerpt.curves()] == [c.rows for c in source.curves() if c.method]
    assert excerpt.trajectory_sets() == [] and excerpt.tasks() == {}


def test_a_measured_excerpt_holds_what_was_measured_and_nothing_else(tmp_path: Path) -> None:
    tour = Run.open(SHIPPED.parent / "tour")
    excerpt = make_measured_excerpt(tour, tmp_path / "excerpt")
    assert excerpt.truth().keys() == tour.truth().keys() == excerpt.second_truth().keys()
    for name, truth in tour.truth().items():
        np.testing.assert_array_equal(excerpt.truth()[name].values, truth.values)
    (kept,) = excerpt.trajectory_sets()
    assert [t.id for t in kept.load()] == [t.id for t in tour.load_trajectories("careless")]
    assert excerpt.credits().keys() == tour.credits().keys()
    bare = Run.create(tmp_path / "bare", {}, seed=0)
    with pytest.raises(ValueError, match="bare: no value was measured"):
        make_measured_excerpt(bare, tmp_path / "other")


def test_finished_runs_keep_all_curves_and_the_episodes_of_the_first_seed(
    undisturbed: "Undisturbed", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    for seed in (4, 3):
        runs.append(shutil.copytree(undisturbed.path, tmp_path / f"seed-{seed}"))
        (runs[-1] / "metrics/ppo-terminal.jsonl").unlink(missing_ok=True)
        provenance = json.loads((runs[-1] / "run.json").read_text())
        (runs[-1] / "run.json").write_text(json.dumps(provenance | {"seed": seed}))
    kept = keep([Run.open(path) for path in runs], tmp_path / "data/finished", n_tasks=1)
    assert [run.path.name for run in kept] == ["spa-3", "spa-4"]
    assert kept[0].trajectory_sets() and not kept[1].trajectory_sets()
    monkeypatch.setenv("SPA_LAB_DATA", str(tmp_path / "data"))
    table = iterations(finished_runs())
    assert table.groupby("run_seed").size().to_dict() == dict.fromkeys((3, 4), len(kept[0].curves()[0].rows))
    assert table["iteration"].min() == 1
    with pytest.raises(ValueError, match="both have 'spa' of seed 3"):
        keep([Run.open(runs[1])] * 2, tmp_path / "twice")


def test_without_finished_runs_the_repaired_one_is_shown() -> None:
    rows = iterations([Run.open(SHIPPED / "repaired")])
    assert list(rows["policy"].unique()) == ["SPA-RL"] and len(rows) == 12
    assert rows["episodes"].tolist() == [128 * i for i in range(1, 13)]
