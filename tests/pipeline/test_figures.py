"""`spa-lab figures` on runs made by hand: figures drawn or left out, and pooling over seeds."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spa_lab.envs.household import environment
from spa_lab.importers import import_log
from spa_lab.pipeline import figures
from spa_lab.pipeline.evaluations import task_records
from spa_lab.pipeline.figures import MAKERS, Asked, LeftOut
from spa_lab.store import Run
from spa_lab.types import Credit, Trajectory
from spa_lab.view.paper.paper_figure import PaperFigure
from spa_lab.view.provenance import in_words, provenance_of

ROOT = Path(__file__).resolve().parents[2]
PRESET = {
    "name": "micro", "held_out_fraction": 0.5, "evaluation_tasks": 6, "by_length_tasks": 0,
    "rollouts_per_task": 2,
    "reward": {"alpha": 1.0, "beta": 0.25, "grounding_form": "penalty"}, "ppo": {"gamma": 0.9, "lam": 0.5},
}  # fmt: skip


@pytest.fixture
def finished(make_trajectory: Callable[..., Trajectory], tmp_path: Path) -> Callable[..., Run]:
    """(seed, successes of each policy) -> a run that was evaluated, trained and has two credited episodes."""
    tasks = environment().tasks("unseen", 6)

    def build(seed: int, name: str = "", preset: dict = PRESET, **won: str) -> Run:
        config = {
            "env": "household",
            "methods": [policy for policy in won if policy != "cloned"],
            "preset": preset,
        }
        run = Run.create(tmp_path / (name or f"run-{seed}"), config, seed=seed)
        titles = {"spa": "SPA-RL", "terminal": "terminal reward"}
        run.note(methods={policy: titles[policy] for policy in won if policy != "cloned"})
        run.save_tasks("unseen", task_records(tasks))
        for policy, letters in won.items():
            played = [
                replace(
                    make_trajectory(float(letter), (True, False), id=f"{policy}/{i}"), task_id=tasks[i].id
                )
                for i, letter in enumerate(letters)
            ]
            run.save_trajectories(
                f"eval-{policy}-unseen", played, role="evaluation", policy=policy, panel="unseen"
            )
        explored = [make_trajectory(R, (True, False, True), id=f"x/{R}") for R in (1.0, 0.0)]
        run.save_trajectories("explore", explored, role="explored")
        credits = [
            Credit(trajectory.id, source, np.full(3, 0.25))
            for trajectory in explored
            for source in ("mine", "spa")
        ]
        run.save_credits("held-out", credits, role="held_out")
        run.save_metrics("ppo-spa", [{"success": 0.25 * seed, "kl": 0.01}] * 3, stage="ppo", method="spa")
        run.note(n=6)
        return run

    return build


def _made(runs: list[Run], asked: Asked | None = None) -> tuple[dict[str, PaperFigure], dict[str, str]]:
    results = [result for make in MAKERS for result in make(runs, asked or Asked())]
    left = {result.name: result.why for result in results if isinstance(result, LeftOut)}
    return {result.name: result for result in results if isinstance(result, PaperFigure)}, left


def test_one_run(finished: Callable[..., Run]) -> None:
    made, left = _made([finished(0, cloned="100000", spa="111100", terminal="110000")])
    assert list(made) == [
        "contributions-success", "running-sum-success", "advantages-success", "contributions-failure",
        "running-sum-failure", "advantages-failure", "success", "differences", "success-by-length",
        "training-ppo",
    ]  # fmt: skip
    assert set(left) == {"scoreboard", "gradient", "training-clone", "training-estimator"}
    table = made["success"].numbers.set_index("policy")
    assert table["k"].to_dict() == {"cloned (SFT)": 1, "terminal reward": 2, "SPA-RL": 4}
    assert "Wilson" in made["success"].caption and made["success"].facts["n"] == 6
    assert [column for column in made["contributions-success"].numbers if "contrib" in column] == [
        "contribution[spa]", "contribution[mine]",
    ]  # fmt: skip
    assert "β = 0.25 (penalty), γ = 0.9, λ = 0.5" in made["advantages-success"].caption


def test_a_policy_looks_the_same_in_all_figures(finished: Callable[..., Run]) -> None:
    run = finished(0, cloned="100000", spa="111100", terminal="110000")
    run.save_metrics("ppo-terminal", [{"success": 0.5}] * 3, stage="ppo", method="terminal")
    made, _ = _made([run])

    def keys(name: str) -> dict[str, tuple]:
        handles = [handle for legend in made[name].figure.legends for handle in legend.legend_handles]
        return {handle.get_label(): (handle.get_color(), handle.get_marker()) for handle in handles}

    rates, curves = keys("success-by-length"), keys("training-ppo")
    assert set(curves) == {"terminal reward", "SPA-RL"} and curves.items() <= rates.items()
    assert len(set(rates.values())) == len(rates) == 3


def test_unknown_tasks_leave_out_one_figure(finished: Callable[..., Run]) -> None:
    run = finished(0, cloned="100000", spa="111100")
    for name in ("eval-cloned-unseen", "eval-spa-unseen"):
        first, *others = run.load_trajectories(name)
        changed, policy = [replace(first, task_id="of old"), *others], name.split("-")[1]
        run.save_trajectories(name, changed, role="evaluation", policy=policy, panel="unseen")
    made, left = _made([run])
    assert {"success", "differences"} <= set(made) and "success-by-length" not in made
    assert "1 of 6 tasks, the first 'of old'" in left["success-by-length"]


def test_several_seeds_are_pooled(finished: Callable[..., Run]) -> None:
    """Two folders of one seed share their clone, which counts once."""
    runs = [
        finished(0, cloned="100000", spa="111100"), finished(1, cloned="000000", spa="111111"),
        finished(1, "other", cloned="000000", terminal="110000"),
    ]  # fmt: skip
    made, _ = _made(runs)
    table = made["success"].numbers.set_index("policy")
    assert table["n"].to_dict() == {"cloned (SFT)": 12, "terminal reward": 6, "SPA-RL": 12}
    assert table["n_seeds"].tolist() == [2, 1, 2] and table.loc["SPA-RL", "k"] == 10
    assert "over tasks and up to 2 seeds" in made["success"].caption
    compared = made["differences"].numbers.set_index(["ours", "theirs"])
    assert compared.loc[("SPA-RL", "cloned (SFT)"), ["n", "n_seeds"]].tolist() == [6, 2]
    assert compared.loc[("SPA-RL", "terminal reward"), "n_seeds"] == 1
    assert made["training-ppo"].numbers.set_index("metric").loc["success", "high"].iloc[0] == 0.25


def test_written_files_and_report(
    finished: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "MAKERS", MAKERS[1:3])
    run, out = finished(3, cloned="100000", spa="111100"), tmp_path / "out"
    report = figures.figures(runs=[run.path], out=out, asked=Asked(1), in_caption=True)
    assert report.startswith(f"3 figures in {out}, one column wide\n\nsuccess  ")
    assert report.endswith("left out: scoreboard: no run has measured values; see spa-lab fidelity")
    endings = (".pdf", ".svg", ".png", ".csv", ".tex", "-table.tex")
    names = ("success", "differences", "success-by-length")
    assert {path.name for path in out.iterdir()} == {f"{name}{end}" for name in names for end in endings}
    caption = (out / "success.tex").read_text()
    assert "n = 6; seed 3; 2 rollouts per task; preset micro; commit" in caption


def test_the_tour_has_truths_and_no_evaluations() -> None:
    runs = [Run.open(ROOT / "data" / "tour")]
    results = list(figures._of_scoreboards(runs, Asked()))
    (figure,) = [result for result in results if isinstance(result, PaperFigure)]
    assert set(figure.numbers["source"]) == {"SPA, linear", "Monte Carlo, 5 branches", "random"}
    assert "12 successes (12 tasks), 12 failures" in figure.caption
    (left,) = figures._of_evaluations(runs, Asked())
    assert isinstance(left, LeftOut) and "no run holds evaluations" in left.why


def test_sources_that_do_not_fit_are_named(finished: Callable[..., Run]) -> None:
    made, left = _made([finished(0, cloned="100000")], Asked(1))
    assert left["contributions-success"] == "no space for the sources mine; choose with --sources"
    assert "contribution[mine]" not in made["contributions-success"].numbers
    assert "sum[mine]" in made["running-sum-success"].numbers


def test_an_imported_log_is_a_run_like_any_other(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(
        '{"outcome": 0, "steps": [{"action": "a", "grounded": true}, {"text": "b", "grounded": false}], '
        '"credits": {"judge": [1, -1]}}\n'
    )
    run, _ = import_log("steps", log, tmp_path / "run")
    made, left = _made([run])
    assert list(made) == ["contributions-failure", "running-sum-failure", "advantages-failure"]
    assert left["contributions-success"] == "no success has credits" and "success, differences" in " ".join(
        left
    )
    assert "preset none" in in_words(provenance_of([run]))


def test_requested_trajectory_and_sources(finished: Callable[..., Run]) -> None:
    run = finished(0, cloned="100000")
    made, _ = _made([run], Asked(2, "x/0.0", ("mine",)))
    assert made["contributions-failure"].facts["trajectory"] == "x/0.0"
    assert "contribution[spa]" not in made["contributions-failure"].numbers
    with pytest.raises(ValueError, match=r"no trajectory 'y' among 2 with credits"):
        _made([run], Asked(2, "y"))
    with pytest.raises(ValueError, match=r"no source 'theirs'; there are: mine, spa"):
        _made([run], Asked(sources=("theirs",)))


def test_runs_of_other_settings_are_refused(finished: Callable[..., Run], tmp_path: Path) -> None:
    first = finished(0, cloned="100000")
    changed = PRESET | {"ppo": {"gamma": 1.0, "lam": 0.5}}
    other = finished(1, preset=changed, cloned="100000")
    with pytest.raises(ValueError, match=r"run-1: preset\.ppo\.gamma is 1\.0, but 0\.9 in .*run-0"):
        figures.figures(runs=[first.path, other.path], out=tmp_path / "out")
    with pytest.raises(ValueError, match="at least 1 run"):
        figures.figures(runs=[], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
