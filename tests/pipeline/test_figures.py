"""`spa-lab figures` on runs made by hand: figures drawn or left out, and pooling over seeds."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spa_lab.commands.figures import FIGURES
from spa_lab.envs.household import environment
from spa_lab.importers import import_log
from spa_lab.pipeline.compared_runs import compared_runs, settings_of
from spa_lab.pipeline.credited import figure_order, telling_pair
from spa_lab.pipeline.evaluations import task_records
from spa_lab.pipeline.figures import MAKERS, Asked, LeftOut, figures
from spa_lab.pipeline.figures.boards import of_scoreboards
from spa_lab.pipeline.figures.command import NAMES
from spa_lab.pipeline.figures.compared import comparison_figures
from spa_lab.pipeline.figures.credit import steps_of
from spa_lab.pipeline.figures.episodes import _advantage_settings
from spa_lab.pipeline.figures.evaluations import of_evaluations
from spa_lab.store import Run
from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view.paper import find_page
from spa_lab.view.paper.contributions import CreditedTrajectory
from spa_lab.view.paper.paper_figure import PaperFigure
from spa_lab.view.provenance import in_words, provenance_of

ROOT = Path(__file__).resolve().parents[2]
PRESET = {
    "name": "micro", "held_out_fraction": 0.5, "evaluation_tasks": 6, "by_length_tasks": 0,
    "rollouts_per_task": 2,
    "reward": {"alpha": 1.0, "beta": 0.25, "grounding_form": "penalty"}, "ppo": {"gamma": 0.9, "lam": 0.5},
}  # fmt: skip


EVALUATED = Asked(only=("success", "differences", "success-by-length"))


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
    asked = asked or Asked()
    makers = [maker for maker in MAKERS if any(map(asked.wants, maker.names))]
    results = [result for maker in makers for result in maker.make(runs, asked)]
    left = {result.name: result.why for result in results if isinstance(result, LeftOut)}
    return {result.name: result for result in results if isinstance(result, PaperFigure)}, left


def test_one_run(finished: Callable[..., Run]) -> None:
    made, left = _made([finished(0, cloned="100000", spa="111100", terminal="110000")])
    assert list(made) == [
        "contributions-success", "running-sum-success", "episode-success", "advantages-success",
        "contributions-failure", "running-sum-failure", "episode-failure", "advantages-failure",
        "credit-heat", "reliability", "credit-by-kind", "success", "differences", "success-by-length",
        "training-ppo",
    ]  # fmt: skip
    assert set(left) == {
        "credit-by-position", "credit-against-truth", "scoreboard", "gradient", "training-clone",
        "training-estimator",
    }  # fmt: skip
    table = made["success"].numbers.set_index("policy")
    assert table["k"].to_dict() == {"cloned (SFT)": 1, "terminal reward": 2, "SPA-RL": 4}
    assert "Wilson" in made["success"].caption and made["success"].facts["n"] == 6
    for name in ("success", "differences", "success-by-length"):
        assert made[name].caption.endswith(". 6 tasks of panel unseen, household."), name
        assert (made[name].facts["panel"], made[name].facts["world"]) == ("unseen", "household")
    assert [column for column in made["contributions-success"].numbers if "contrib" in column] == [
        "contribution[spa]", "contribution[mine]",
    ]  # fmt: skip
    assert "β = 0.25 (penalty), γ = 0.9, λ = 0.5" in made["advantages-success"].caption


def test_a_policy_looks_the_same_in_all_figures(finished: Callable[..., Run]) -> None:
    run = finished(0, cloned="100000", spa="111100", terminal="110000")
    run.save_metrics("ppo-terminal", [{"success": 0.5}] * 3, stage="ppo", method="terminal")
    made, _ = _made([run], Asked(only=("success-by-length", "training-ppo")))

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
    made, left = _made([run], EVALUATED)
    assert {"success", "differences"} <= set(made) and "success-by-length" not in made
    assert "1 of 6 tasks, the first 'of old'" in left["success-by-length"]


def test_several_seeds_are_pooled(finished: Callable[..., Run]) -> None:
    """Two folders of one seed share their clone, which counts once."""
    runs = [
        finished(0, cloned="100000", spa="111100"), finished(1, cloned="000000", spa="111111"),
        finished(1, "other", cloned="000000", terminal="110000"),
    ]  # fmt: skip
    made, _ = _made(runs, Asked(only=(*EVALUATED.only, "training-ppo")))
    table = made["success"].numbers.set_index("policy")
    assert table["n"].to_dict() == {"cloned (SFT)": 12, "terminal reward": 6, "SPA-RL": 12}
    assert table["n_seeds"].tolist() == [2, 1, 2] and table.loc["SPA-RL", "k"] == 10
    assert "over tasks and up to 2 seeds" in made["success"].caption
    compared = made["differences"].numbers.set_index(["ours", "theirs"])
    assert compared.loc[("SPA-RL", "cloned (SFT)"), ["n", "n_seeds"]].tolist() == [6, 2]
    assert compared.loc[("SPA-RL", "terminal reward"), "n_seeds"] == 1
    assert made["training-ppo"].numbers.set_index("metric").loc["success", "high"].iloc[0] == 0.25


def test_written_files_and_report(finished: Callable[..., Run], tmp_path: Path) -> None:
    run, out = finished(3, cloned="100000", spa="111100"), tmp_path / "out"
    names = ("success", "differences", "success-by-length")
    asked = Asked(find_page(columns=1), only=(*names, "scoreboard"), formats=("pdf", "csv", "tex"))
    report = figures(runs=[run.path], out=out, asked=asked, in_caption=True)
    assert report.startswith(f"3 figures in {out}, 3.35 in wide\n\nsuccess  ")
    assert report.endswith("left out: scoreboard: no run has measured values; see spa-lab fidelity")
    endings = (".pdf", ".csv", ".tex", "-table.tex")
    files = {f"{name}{end}" for name in names for end in endings}
    assert {path.name for path in out.iterdir()} == files | {"numbers.tex"}
    caption = (out / "success.tex").read_text()
    assert "n = 6; seed 3; 2 rollouts per task; preset micro; commit" in caption
    assert r"\begin{figure}[t]" in caption
    numbers = (out / "numbers.tex").read_text()
    assert r"\spalab@def{success.SPA-RL.success.percent}{66.7}" in numbers


def test_what_is_asked_for_must_exist(finished: Callable[..., Run], tmp_path: Path) -> None:
    run, out = finished(3, cloned="100000", spa="111100"), tmp_path / "out"
    for asked, message in (
        (Asked(only=("succes",)), "no figure 'succes'; there are: contributions, "),
        (Asked(formats=("jpg",)), "format 'jpg' is not known; there are: pdf, svg, png, csv, tex"),
    ):
        with pytest.raises(ValueError, match=message):
            figures(runs=[run.path], out=out, asked=asked)
    with pytest.raises(ValueError, match="at least 1 run"):
        figures(runs=[], out=out)
    assert not out.exists()


def test_the_tour_has_truths_and_no_evaluations() -> None:
    runs = [Run.open(ROOT / "data" / "tour")]
    results = list(of_scoreboards(runs, Asked()))
    (figure,) = [result for result in results if isinstance(result, PaperFigure)]
    sources = {"SPA, linear", "Monte Carlo, 5 branches", "random", "second measurement"}
    assert set(figure.numbers["source"]) == sources
    assert figure.numbers["ceiling"].notna().any(), "the second measurement gives a ceiling"
    assert "12 successes (12 tasks), 12 failures" in figure.caption
    (left,) = of_evaluations(runs, Asked())
    assert isinstance(left, LeftOut) and "no run holds evaluations" in left.why


def test_sources_that_do_not_fit_are_named(finished: Callable[..., Run]) -> None:
    made, left = _made([finished(0, cloned="100000")], Asked(find_page(columns=1)))
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
    assert list(made) == [
        "contributions-failure", "running-sum-failure", "episode-failure", "advantages-failure",
        "credit-heat", "credit-by-kind",
    ]  # fmt: skip
    assert left["contributions-success"] == "no success has credits" and "success, differences" in " ".join(
        left
    )
    assert "preset none" in in_words(provenance_of([run]))


def test_figures_name_the_commits_that_resumed_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for commit in ("a" * 40, "b" * 40):
        monkeypatch.setattr("spa_lab.store.folder.git_commit", lambda commit=commit: commit)
        run = Run.create(tmp_path / "run", {}, seed=0)
    made = provenance_of([run])
    assert made["git_commit"] == ["a" * 40, "b" * 40]
    assert in_words(made).endswith(f"commit {'a' * 10}, {'b' * 10}.")


def test_runs_that_share_a_name_keep_their_episodes_apart(finished: Callable[..., Run]) -> None:
    runs = [finished(seed, name=f"{folder}/seed-0", spa="110000") for seed, folder in enumerate("ab")]
    steps = steps_of(runs, Asked())
    assert steps.groupby(["source", "trajectory_id"]).size().tolist() == [3] * 8, "2 runs, episodes, sources"
    assert steps["trajectory_id"].str.startswith(("1/seed-0/x/", "2/seed-0/x/")).all()


def test_sources_without_space_are_told() -> None:
    """Figures of many episodes have few panels, too."""
    made, left = _made([Run.open(ROOT / "data/measured")], Asked(only=("credit-by-kind", "reliability")))
    assert list(made) == ["reliability", "credit-by-kind"]
    assert left == {"credit-by-kind": "no space for the sources random; choose with --sources"}


def test_requested_trajectory_and_sources(finished: Callable[..., Run]) -> None:
    run = finished(0, cloned="100000")
    made, _ = _made([run], Asked(trajectory="x/0.0", sources=("mine",)))
    assert made["contributions-failure"].facts["trajectory"] == "x/0.0"
    assert "contribution[spa]" not in made["contributions-failure"].numbers
    with pytest.raises(ValueError, match=r"no trajectory 'y' among 2 with credits"):
        _made([run], Asked(trajectory="y"))
    with pytest.raises(ValueError, match=r"no source 'theirs'; there are: mine, spa"):
        _made([run], Asked(sources=("theirs",)))


def test_runs_of_other_settings_are_compared(finished: Callable[..., Run], tmp_path: Path) -> None:
    """Two seeds of each setting; the clone does not depend on what differs and counts once a seed."""
    changed = PRESET | {"ppo": {"gamma": 1.0, "lam": 0.5}}
    runs = [
        finished(seed, f"{name}-{seed}", preset, cloned="100000", spa=won)
        for name, preset, won in (("first", PRESET, "110000"), ("other", changed, "111110"))
        for seed in (0, 1)
    ]
    comparison = compared_runs(runs)
    assert comparison.facts["policies"] == ["cloned (SFT)", "SPA-RL", "SPA-RL, gamma 1.0"]
    assert comparison.reference == "cloned (SFT)"
    (table,) = (table.set_index("policy") for table in comparison.tables.values())
    assert table["k"].to_dict() == {"cloned (SFT)": 2, "SPA-RL": 4, "SPA-RL, gamma 1.0": 10}
    assert table["n_seeds"].tolist() == [2, 2, 2]
    report = figures(
        runs=[run.path for run in runs], out=tmp_path / "out",
        asked=Asked(only=("success-bars", "aggregates", "differences", "profiles"), formats=("csv", "tex")),
    )  # fmt: skip
    assert report.startswith("4 figures in ")
    lines = (tmp_path / "out" / "success-bars-table.tex").read_text()
    assert r"SPA-RL, gamma 1.0 & \textbf{83.3} & " in lines


def test_settings_keep_labels_of_their_own(finished: Callable[..., Run]) -> None:
    """One number of two parts, two worlds with settings of their own, and a run that is given twice."""
    presets = [PRESET, PRESET | {"ppo": PRESET["ppo"] | {"lr": 0.1}}, PRESET | {"clone": {"lr": 0.1}}]
    runs = [finished(0, f"run-{i}", preset, spa="10") for i, preset in enumerate(presets)]
    assert [setting.label for setting in settings_of(runs)] == ["", "lr 0.1", "clone.lr 0.1"]
    other = Run.create(runs[0].path.parent / "shop", {"env": "webshop", "preset": presets[1]}, seed=0)
    assert [setting.label for setting in settings_of([runs[0], other])] == ["", ""]
    with pytest.raises(ValueError, match="this run is given twice"):
        settings_of([runs[0], Run.open(runs[0].path)])


def _entry(
    make_trajectory: Callable[..., Trajectory], name: str, n_steps: int, apart: float | None, won: bool = True
) -> CreditedTrajectory:
    """An episode whose credit is `apart` from the truth at every step; None: not measured."""
    trajectory = make_trajectory(float(won), [True] * n_steps, id=name)
    values = np.linspace(0.5, 0.5, n_steps + 1)
    truth = ValueTruth(name, values, np.full(n_steps + 1, 0.1), 8, "clone", 40)
    credit = Credit(name, "spa", (apart or 0.0) + 0.01 * np.arange(n_steps))
    return CreditedTrajectory(trajectory, [credit], None if apart is None else truth)


def test_worlds_are_no_seeds_of_one_setting(finished: Callable[..., Run]) -> None:
    household, other = finished(0, cloned="100000"), finished(1, name="other", cloned="110000")
    facts = json.loads((other.path / "run.json").read_text())
    facts["config"]["env"] = "virtualhome"
    (other.path / "run.json").write_text(json.dumps(facts))
    runs = [household, Run.open(other.path)]
    assert [[run.path.name for run in setting.runs] for setting in settings_of(runs)] == [
        ["run-0"],
        ["other"],
    ]


def test_the_default_episode_is_a_short_telling_one(make_trajectory: Callable[..., Trajectory]) -> None:
    entries = [
        _entry(make_trajectory, "dull", 5, 0.0), _entry(make_trajectory, "telling", 6, 0.5),
        _entry(make_trajectory, "long", 20, 0.9), _entry(make_trajectory, "not measured", 7, None),
        _entry(make_trajectory, "lost", 30, 0.1, won=False),
    ]  # fmt: skip
    chosen = telling_pair(entries)
    assert {kind: entry.trajectory.id for kind, entry in chosen.items()} == {
        "success": "telling",
        "failure": "lost",
    }
    lengths = [_entry(make_trajectory, f"{n} steps", n, None) for n in (2, 15, 4, 9, 16, 40)]
    assert telling_pair(lengths)["success"].trajectory.id == "4 steps", "median of 2, 4, 9, 15"
    flat = _entry(make_trajectory, "flat", 25, None)
    flat = flat._replace(credits=[Credit("flat", "spa", [0.0] * 25)])
    assert telling_pair([lengths[-1], flat, lengths[-2]])["success"].trajectory.id == "flat", "it is two rows"


def test_sources_in_the_order_of_figures() -> None:
    given = ["random", "terminal", "mine", "SPA, linear", "gigpo", "spa_progress", "spa"]
    assert figure_order(given) == [
        "spa",
        "spa_progress",
        "SPA, linear",
        "gigpo",
        "mine",
        "terminal",
        "random",
    ]


def test_figures_help_names_every_figure() -> None:
    assert FIGURES == NAMES


@pytest.mark.parametrize("name", ["measured", "gamed/published", "gamed/repaired"])
def test_advantages_need_no_settings_of_other_parts(name: str) -> None:
    """Of the shipped runs, whose settings of the progress model have other names now."""
    run = Run.open(ROOT / "data" / name)
    settings, stored = _advantage_settings(run), run.config["preset"]
    assert (settings.beta, settings.residual) == (stored["reward"]["beta"], stored["reward"]["residual"])
    assert (settings.gamma, settings.lam) == (stored["ppo"]["gamma"], stored["ppo"]["lam"])


@pytest.mark.parametrize(
    ("part", "setting"),
    [("reward", {"step_weight": "remaining"}), ("reward", {"grounding_rule": "substring"}),
     ("ppo", {"gamma_step": 0.95}), ("ppo", {"gae_over": "all_tokens"})],
)  # fmt: skip
def test_advantages_under_settings_that_the_figure_does_not_know_are_left_out(
    finished: Callable[..., Run], part: str, setting: dict
) -> None:
    run = finished(0, preset=PRESET | {part: PRESET[part] | setting}, cloned="100000", spa="111100")
    made, left = _made([run], Asked(only=("advantages",)))
    (name, value), *_ = setting.items()
    assert not any(figure.startswith("advantages") for figure in made)
    assert f"{part}.{name} = {value}" in left["advantages-success"]


def test_one_policy_is_not_said_to_be_better_than_another(
    finished: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commits of the runs are known, also of those that went on under another one."""
    commits = iter(("a" * 40, "b" * 40))
    monkeypatch.setattr("spa_lab.store.folder.git_commit", lambda: next(commits))
    run = finished(0, cloned="100000")
    Run.create(run.path, run.config, seed=0)
    comparison = compared_runs([run])
    assert comparison.facts["git_commit"] == ["a" * 40, "b" * 40]
    (world,) = comparison.worlds
    made = {figure.name: figure for figure in comparison_figures(comparison, world)}
    assert "better" not in made["aggregates"].caption


def test_a_report_is_drawn_alone_and_claims_no_commit(tmp_path: Path) -> None:
    """The commit of the runs behind a report is unknown; that of the drawing is another thing."""
    report, asked = ROOT / "data/results/household", Asked(only=("success",), formats=("tex",))
    figures(runs=[report], out=tmp_path, asked=asked, in_caption=True)
    assert "commit unknown" in (tmp_path / "success.tex").read_text()
    with pytest.raises(ValueError, match="household: a report, or curves of controls, is drawn alone"):
        figures(runs=[report, ROOT / "data/tour"], out=tmp_path, asked=asked)
    for one in (Asked(trajectory="x"), Asked(sources=("spa",))):
        with pytest.raises(ValueError, match="household: holds no episodes, so that --trajectory and"):
            figures(runs=[report], out=tmp_path, asked=one)
