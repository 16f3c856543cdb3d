"""The end of a run, from trajectories made by hand: numbers, table, figures."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from spa_lab.configs.presets import TINY
from spa_lab.envs.household import environment
from spa_lab.pipeline.evaluations import task_records
from spa_lab.pipeline.experiment import Experiment, config_of, split_by_task
from spa_lab.pipeline.report import render_summary, summarise, write_report
from spa_lab.store import Run
from spa_lab.types import Credit, Trajectory

Make = Callable[..., Trajectory]
WON = {"base": (0, 0, 0, 0), "cloned": (1, 0, 0, 0), "spa": (1, 1, 1, 0), "terminal": (1, 1, 0, 0)}


@pytest.fixture
def played(make_trajectory: Make) -> Callable[[str, Sequence[int]], list[Trajectory]]:
    """(policy, outcomes) -> trajectories of two steps, one of them grounded, on the tasks of `unseen`."""

    def play(policy: str, outcomes: Sequence[int]) -> list[Trajectory]:
        tasks = environment().tasks("unseen", len(outcomes))
        return [
            replace(
                make_trajectory(float(R), (True, False), id=f"{policy}/{i}", task_id=task.id), policy=policy
            )
            for i, (R, task) in enumerate(zip(outcomes, tasks, strict=True))
        ]

    return play


@pytest.fixture
def experiment(tmp_path: Path, played: Callable[..., list[Trajectory]]) -> Experiment:
    """What the stages of `demo` leave, without an estimator."""
    world = environment()
    preset = replace(TINY, held_out_fraction=0.5, evaluation_tasks=4, by_length_tasks=0)
    config = config_of("household", world, ["spa", "terminal"], preset)
    made = Run.create(tmp_path / "run", config, seed=3)
    made.note(methods={"spa": "SPA-RL", "terminal": "terminal reward"})
    made.save_tasks("unseen", task_records(world.tasks("unseen", 4)))
    for policy, outcomes in WON.items():
        made.save_trajectories(
            f"eval-{policy}-unseen",
            played(policy, outcomes),
            role="evaluation",
            policy=policy,
            panel="unseen",
        )
    return Experiment(made, world)


def _explore(experiment: Experiment, make_trajectory: Make, outcomes: Sequence[float]) -> None:
    """Four tasks, the last two held out, with credits that give every step 0.25."""
    explored = [
        make_trajectory(outcome, (True,) * (i + 1), id=f"x{i}", task_id=f"task {i}")
        for i, outcome in enumerate(outcomes)
    ]
    run = experiment.run
    run.save_trajectories("explore", explored, role="explored")
    credits = [Credit(trajectory.id, "spa", [0.25] * len(trajectory)) for trajectory in explored[2:]]
    run.save_credits("held-out-spa", credits, role="held_out")


def test_numbers_by_hand(experiment: Experiment) -> None:
    summary = summarise(experiment)
    assert (summary["env"], summary["seed"]) == ("household", 3)
    assert list(summary["panels"]["unseen"]) == ["base", "cloned", "spa", "terminal"]  # not by alphabet
    row = summary["panels"]["unseen"]["spa"]
    assert {name: row[name] for name in ("k", "n", "success", "outcome", "grounding", "mean_steps")} == {
        "k": 3, "n": 4, "success": 0.75, "outcome": 0.75, "grounding": 0.5, "mean_steps": 2.0,
    }  # fmt: skip
    assert (row["low"], row["high"]) == pytest.approx((0.3006, 0.9544), abs=1e-4)  # Wilson, 3 of 4
    points = {(row["ours"], row["theirs"]): row["point"] for row in summary["differences"]}
    assert points == {("spa", "cloned"): 0.5, ("terminal", "cloned"): 0.25, ("spa", "terminal"): 0.25}
    assert "estimator" not in summary


def test_the_estimator_is_evaluated_on_held_out_tasks(experiment: Experiment, make_trajectory: Make) -> None:
    _explore(experiment, make_trajectory, [1.0, 0.0, 0.5, 1.0])
    estimator = summarise(experiment)["estimator"]
    assert (estimator["n"], estimator["n_success"]) == (2, 1)
    assert estimator["bias"] == pytest.approx(((0.75 - 0.5) + (1.0 - 1.0)) / 2)
    assert estimator["rmse_constant"] == pytest.approx(((0.0**2 + 0.5**2) / 2) ** 0.5)  # fitted: mean 0.5
    assert [row["n"] for row in estimator["bins"]] == [1, 1]


@pytest.mark.parametrize("outcomes", [[1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
def test_what_is_written(experiment: Experiment, make_trajectory: Make, outcomes: Sequence[float]) -> None:
    """A long success beside a failure is drawn only where there are both; JSON has no NaN."""
    _explore(experiment, make_trajectory, outcomes)
    write_report(experiment)
    run = experiment.run
    text = (run.path / "summary.json").read_text()
    assert json.loads(text, parse_constant=lambda name: pytest.fail(f"holds {name}")) == summarise(experiment)
    both = {"contributions.png", "contributions.svg"} if any(outcomes) else set()
    figures = {path.name for path in (run.path / "figures").iterdir()}
    assert figures == {"success_by_length.png", "success_by_length.svg"} | both
    assert (run.provenance["n"], run.provenance["n_seeds"]) == (4, 1)


def test_gaming_and_drift_are_reported(experiment: Experiment) -> None:
    """SPA fails one of four tasks, and the refused second step of that episode is paid like a success."""
    run = experiment.run
    for policy in ("cloned", "spa"):
        played = run.load_trajectories(f"eval-{policy}-unseen")
        credits = [Credit(t.id, "spa", [0.0, 1.0 if policy == "spa" else 0.0]) for t in played]
        run.save_credits(f"eval-{policy}-unseen", credits, role="evaluation")
    missed = [{"success": 0.5, "credit_missed": share, "paid_beyond": 0.0} for share in (0.0, 0.125)]
    run.save_metrics("ppo-spa", missed, stage="ppo", method="spa")
    run.save_metrics("ppo-terminal", [{"success": 0.5}] * 2, stage="ppo", method="terminal")
    write_report(experiment)
    summary = summarise(experiment)
    assert list(summary["gaming"]) == ["cloned", "spa"] and list(summary["drift"]) == ["spa"]
    spa = summary["gaming"]["spa"]
    assert (spa["later_steps"], spa["later_paid"], spa["paid_refused"]) == (4, 4, 4)
    assert (spa["n_failures"], spa["largest_sum_of_failures"]) == (1, 1.0)
    table = render_summary(run)
    assert "credit of SPA-RL: 4 of 4 later steps paid > 0.5 (4 of them refused)" in table
    assert "ALARM, training of SPA-RL: in iteration 2 of 2, 12.5% of the episodes" in table
    assert "largest b + Σĉ +1.00" in table and "training of terminal" not in table
    run.save_metrics("ppo-spa", missed[:1] * 2, stage="ppo", method="spa")
    write_report(experiment)
    assert "training of SPA-RL: its credit fits its episodes to the end, no alarm" in render_summary(run)


def test_figures_carry_their_provenance(experiment: Experiment) -> None:
    write_report(experiment)
    run = experiment.run
    svg = (run.path / "figures" / "success_by_length.svg").read_text()
    (text,) = re.findall(r"<dc:description>(.*?)</dc:description>", svg, re.DOTALL)
    facts = json.loads(text.replace("&quot;", '"'))
    assert facts == {name: run.provenance[name] for name in facts}
    assert {"config", "seed", "n", "n_seeds", "git_commit"} <= facts.keys()


def test_the_table(experiment: Experiment, make_trajectory: Make) -> None:
    _explore(experiment, make_trajectory, [1.0, 0.0, 0.5, 1.0])
    write_report(experiment)
    table = render_summary(experiment.run)
    assert "not ALFWorld scores" in table and "seed 3" in table
    assert re.search(r"^SPA-RL +75\.0% +30\.1% – 95\.4% +50\.0% +2\.0 +4$", table, re.MULTILINE)
    assert re.search(r"^SPA-RL − cloned \(SFT\): \+50\.0% \[.*\], paired over 4 tasks, 1 seed$", table, re.M)
    assert "on 2 held-out episodes (1 successes)" in table and "AUC 1.000" in table
    assert table.endswith(f"figures: {experiment.run.path / 'figures'}")


@pytest.mark.parametrize(("held_out", "n_fitted"), [(0.25, 3), (0.5, 2), (0.01, 3), (0.99, 1)])
def test_whole_tasks_are_held_out(make_trajectory: Make, held_out: float, n_fitted: int) -> None:
    """Episodes of one task stay together, and each side has at least one task."""
    trajectories = [make_trajectory(id=f"{i}/{m}", task_id=f"{i}") for m in range(2) for i in range(4)]
    fitted, rest = split_by_task(trajectories, held_out)
    assert {trajectory.task_id for trajectory in fitted} == {str(i) for i in range(n_fitted)}
    assert sorted(trajectory.id for trajectory in (*fitted, *rest)) == sorted(
        trajectory.id for trajectory in trajectories
    )
    assert not {trajectory.task_id for trajectory in fitted} & {trajectory.task_id for trajectory in rest}


def test_one_task_cannot_be_split(make_trajectory: Make) -> None:
    with pytest.raises(ValueError, match="at least 2 tasks to hold some out, got 1"):
        split_by_task([make_trajectory(id="a"), make_trajectory(id="b")], 0.5)
