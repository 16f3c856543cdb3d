"""The report of a grid from made-up outcomes: what is written, read again, and drawn."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from spa_lab.pipeline.comparison import CELLS, COSTS, CURVES, Comparison, Outcomes
from spa_lab.pipeline.grid.report import write_report
from spa_lab.pipeline.joined import joined
from spa_lab.view import paper
from spa_lab.view.markdown import markdown_table

RATES = {"base": 0.05, "cloned": 0.4, "terminal reward": 0.55, "SPA-RL, <b>beta</b> 0.5": 0.7}
POLICIES = list(RATES)[1:]
SEEDS, TASKS = (0, 1, 2), 12


def made_up() -> Comparison:
    """Three seeds of three arms and the base on two panels; one cell has failed."""
    rng = np.random.default_rng(5)
    episodes = [
        {
            "env": "toy", "run_seed": seed, "panel": panel, "policy": policy, "task_id": f"{panel}-{i}",
            "kind": ("find", "carry", "heat")[i % 3], "expert_length": 3 + 2 * i,
            "success": bool(rng.random() < rate), "outcome": 0.5, "n_steps": 9, "grounding": 0.75,
        }
        for policy, rate in RATES.items()
        for seed in SEEDS
        for panel in ("unseen", "unseen_by_length")
        for i in range(TASKS)
        if (policy, panel) != ("base", "unseen_by_length")
    ]  # fmt: skip
    costs = [
        dict(zip(COSTS, ("toy", policy, seed, 64.0, 0.0, 0.0, 0.0, 5.0, 4.5, 300.0, 9.0, 8.0), strict=True))
        for policy in POLICIES
        for seed in SEEDS
    ]
    curves = [
        dict(zip(CURVES, ("toy", policy, seed, i, 32.0 * (i + 1), RATES[policy]), strict=True))
        for policy in POLICIES[1:]
        for seed in SEEDS
        for i in range(4)
    ]
    cells = [("runs/toy/a-seed-0", "terminal reward", "done", 1, 5.0, 4.5, 300.0, "")]
    cells += [("runs/toy/b-seed-0", "broken | arm", "failed", 2, 1.0, 0.0, 0.0, "ValueError: <no> | luck")]
    frame = pd.DataFrame(episodes).astype({"expert_length": "Int64", "kind": "string"})
    outcomes = Outcomes(
        frame, pd.DataFrame(costs), pd.DataFrame(curves), pd.DataFrame(cells, columns=list(CELLS))
    )
    facts = {"worlds": ["toy"], "seeds": list(SEEDS), "reference": "terminal reward", "policies": POLICIES}
    return Comparison(facts, outcomes)


@pytest.fixture(scope="module")
def made() -> Comparison:
    return made_up()


@pytest.fixture(scope="module")
def written(made: Comparison, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    folder = tmp_path_factory.mktemp("report")
    return folder, write_report(made, folder)


def test_the_report_has_every_table_and_figure(written: tuple[Path, list[Path]]) -> None:
    folder, (report, *pictures) = written
    text = report.read_text(encoding="utf-8")
    by = [f"Success by {what} (n)" for what in ("training seed", "type of task")]
    for heading in ("Success", *by, "Costs", "Power", "Cells that failed"):
        assert f"## {heading}\n" in text
    assert "What an attempt used that was killed is not\nknown" in text and "Joined from" not in text
    assert "adjusted by Holm's rule" in text and "− terminal reward" in text
    assert r"ValueError: \<no\> \| luck" in text and r"SPA-RL, \<b\>beta\</b\> 0.5" in text
    assert [path.stem for path in pictures] == [
        "success-toy", "success-bars-toy", "aggregates-toy", "differences-toy", "success-by-length-toy",
        "differences-by-length-toy", "profiles-toy", "success-by-episodes-toy", "success-by-time-toy",
    ]  # fmt: skip
    panels = [line for line in text.splitlines() if line.startswith("*") and " tasks of panel " in line]
    assert [line.split(" tasks of panel ")[1] for line in panels] == [
        *["unseen, toy.*"] * 4, *["unseen\\_by\\_length, toy.*"] * 2, "unseen, toy.*",
    ]  # fmt: skip
    assert "paired bootstrap over tasks and 3 seeds, 95 %" in text
    assert "### Differences by length of the expert's solution (tasks)\n" in text
    assert "Neither adjusted for the number of bins" in text and "In points, to 'terminal reward'" in text
    for path in pictures:
        assert f"(figures/{path.name})" in text
        assert {other.suffix for other in path.parent.glob(f"{path.stem}.*")} >= {".pdf", ".svg", ".csv"}
    assert "\\toprule" in (folder / "success-toy.tex").read_text()
    table = pd.read_csv(folder / "success-toy.csv")
    assert list(table["policy"]) == list(RATES)
    known = json.loads((folder / "grid.json").read_text())
    assert known["reference"] == "terminal reward"


def test_captions_where_all_pairs_of_one_task_differ_alike(made: Comparison, tmp_path: Path) -> None:
    """Their interval is no bootstrap's. The name of the reference is no markup."""
    frame = made.outcomes.episodes
    one = frame[frame["task_id"] == "unseen-0"].assign(success=lambda rows: rows["policy"] == "cloned")
    others = {"reference": POLICIES[2], "worlds": ["toy"]}
    report, *_ = write_report(
        Comparison({**made.facts, **others}, replace(made.outcomes, episodes=one)), tmp_path
    )
    text = report.read_text(encoding="utf-8")
    assert "points; Wilson's bound over tasks where all pairs differ alike, 95 %. 1 task of panel" in text
    assert r"Differences are to 'SPA-RL, \<b\>beta\</b\> 0.5' on" in text


@pytest.mark.parametrize(
    ("arm", "said"),
    [
        ("cloned", "'cloned'."),
        (POLICIES[1], "'terminal reward'; without the reference there are no differences."),
    ],
)
def test_arms_without_a_finished_run_are_named(arm: str, said: str, made: Comparison, tmp_path: Path) -> None:
    frame = made.outcomes.episodes
    fewer = replace(made.outcomes, episodes=frame[frame["policy"] != arm])
    report, *_ = write_report(Comparison(made.facts, fewer), tmp_path)
    assert f"\nNo run is done of {said}\n" in report.read_text(encoding="utf-8")


@pytest.mark.parametrize("commits", [[], ["a" * 40, "b" * 40]])
def test_figures_hold_the_commits_of_the_runs(commits: list[str], made: Comparison, tmp_path: Path) -> None:
    """That of the drawing has another name; of reports of earlier versions it is all that is known."""
    facts = {**made.facts, "git_commit": commits} if commits else made.facts
    pictures = write_report(Comparison(facts, made.outcomes), tmp_path / "report")[1:]
    with Image.open(pictures[0]) as image:
        known = json.loads(image.info["Description"])
    assert known["git_commit"] == commits and {"git_commit", "versions"} == known["drawn_with"].keys()
    again = Comparison.read(tmp_path / "report")
    assert again.facts.get("git_commit", []) == commits
    both = joined([again, made]).facts["git_commit"]
    assert both == ([*commits, "unknown"] if commits else []), (
        "parts of unknown commit are no part of the others"
    )
    assert joined([joined([again, made]), again]).facts["git_commit"] == both


def test_all_numbers_come_from_the_raw_outcomes(
    made: Comparison, written: tuple[Path, list[Path]], tmp_path: Path
) -> None:
    again = Comparison.read(written[0])
    names = (
        "tables", "by_seed", "by_kind", "by_length", "differences_by_length", "profiles", "learning", "costs",
        "power",
    )  # fmt: skip
    for name in names:
        ours, theirs = getattr(made, name)["toy"], getattr(again, name)["toy"]
        pd.testing.assert_frame_equal(ours, theirs, check_dtype=False)
    assert again.failed["error"].tolist() == ["ValueError: <no> | luck"]
    again.save(tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (written[0] / path.name).read_bytes(), path.name


def test_another_arm_to_compare_with(made: Comparison) -> None:
    others = made.against("cloned")
    assert others.reference == "cloned" and made.reference == "terminal reward"
    table = others.tables["toy"].set_index("policy")
    assert math.isnan(table.at["cloned", "difference"])
    means = others.by_seed["toy"].groupby("policy")["difference"].mean()
    assert means["terminal reward"] == pytest.approx(table.at["terminal reward", "difference"])
    with pytest.raises(ValueError, match=r"no arm 'none' to compare with; there are: 'cloned', 'terminal"):
        made.against("none")


def test_times_of_what_was_killed_are_not_known(made: Comparison) -> None:
    arm = "terminal reward"
    first = made.outcomes.cells["cell"].iloc[0]
    env, seed = first.split("/")[1], first.rpartition("-seed-")[2]
    shared = f"shared/{env}/clone-0-seed-{1 - int(seed)}"
    killed = made.outcomes.cells.iloc[[0, 0]].assign(cell=[first, shared], policy=[arm, ""], attempts=2)
    again = replace(made, outcomes=replace(made.outcomes, cells=killed))
    known = again.known_costs.set_index(["policy", "run_seed"])
    assert list(known.index[known["seconds"].isna()]) == [(arm, int(seed))]
    of_seed = known["shared_seconds"].isna().groupby("run_seed").all()
    assert not of_seed[int(seed)] and of_seed[1 - int(seed)]
    table = again.costs["toy"].set_index("policy")
    untimed = table["n_seeds"] - table["n_timed"]
    assert untimed[arm] == 1 and not untimed.drop(arm).any()
    by_time, timed = again.learning_by_time["toy"].set_index("policy")["n_seeds"], table["n_timed"]
    assert set(by_time.loc[[arm]]) == {timed[arm]} and timed[arm] == timed["cloned"] - 1


@pytest.mark.parametrize("names", [("null", "None", "NA"), ("0.10", "0.20", "1")])
def test_any_name_of_an_arm_is_read_again(names: tuple[str, ...], made: Comparison, tmp_path: Path) -> None:
    named = dict(zip(POLICIES, names, strict=True))
    tables = (made.outcomes.episodes, made.outcomes.costs, made.outcomes.curves, made.outcomes.cells)
    outcomes = Outcomes(*(table.assign(policy=table["policy"].replace(named)) for table in tables))
    facts = {**made.facts, "reference": names[1], "policies": list(names)}
    Comparison(facts, outcomes).save(tmp_path)
    again = Comparison.read(tmp_path)
    assert list(again.tables["toy"]["policy"]) == ["base", *names]
    assert list(again.costs["toy"]["policy"]) == list(names)
    assert set(again.learning["toy"]["policy"]) == set(names[1:])


@pytest.mark.parametrize(
    "name, content, said",
    [
        ("grid.json", "{", r"grid\.json: truncated or broken JSON"),
        ("grid.json", '{"worlds": [], "seeds": []}', r"grid\.json: lacks reference, policies"),
        (
            "grid.json",
            '{"worlds": [], "seeds": 5, "reference": "a", "policies": []}',
            "seeds: expected a list",
        ),
        ("grid.json", '{"worlds": [], "seeds": [-1], "reference": "a", "policies": []}', r">= 0, got \[-1\]"),
        (
            "grid.json",
            '{"worlds": "x", "seeds": [], "reference": "a", "policies": []}',
            "worlds: .*, got 'x'",
        ),
        (
            "grid.json",
            '{"worlds": [], "seeds": [], "reference": ["a"], "policies": []}',
            "reference: .* text",
        ),
        ("curves.csv", "env,policy,run_seed,episodes,success\n", r"curves\.csv: lacks the columns iteration"),
    ],
)
def test_a_broken_report_is_named(
    name: str, content: str, said: str, written: tuple[Path, list[Path]], tmp_path: Path
) -> None:
    folder = tmp_path / "report"
    shutil.copytree(written[0], folder)
    (folder / name).write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        Comparison.read(folder)


def test_charts_and_notebook(made: Comparison) -> None:
    charts = made.charts("toy")
    assert list(charts) == ["success", "profiles", "learning", "length", "length differences"]
    for chart in charts.values():
        json.loads(chart.to_json())
        chart.to_figure()
    (bars,) = charts["success"].traces
    assert list(bars["x"]) == list(made.tables["toy"]["success"])
    assert "&lt;b&gt;beta&lt;/b&gt;" in bars["customdata"][3] and "Holm p" in bars["customdata"][3]
    html = made._repr_html_()
    assert "&lt;b&gt;beta" in html and "1 done, 1 failed" in html
    with pytest.raises(ValueError, match="nothing is done in world 'moon'; there are: toy"):
        made.charts("moon")


def test_one_seed_lacks_what_needs_several(made: Comparison) -> None:
    tables = (made.outcomes.episodes, made.outcomes.curves)
    episodes, curves = (table[table["run_seed"] == 0] for table in tables)
    outcomes = Outcomes(episodes, made.outcomes.costs, curves, made.outcomes.cells)
    one = Comparison({**made.facts, "seeds": [0]}, outcomes)
    assert one.profiles == {} and one.power == {}
    assert one.tables["toy"]["iqm_low"].isna().all() and one.tables["toy"]["p"].notna().sum() == 2
    assert list(one.charts("toy")) == ["success", "learning", "length", "length differences"]


def test_nothing_is_reported_of_nothing(made: Comparison, tmp_path: Path) -> None:
    nothing = (made.outcomes.episodes.iloc[:0], made.outcomes.costs.iloc[:0], made.outcomes.curves.iloc[:0])
    with pytest.raises(ValueError, match="no arm of the grid is done"):
        write_report(Comparison(made.facts, Outcomes(*nothing, made.outcomes.cells)), tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_samples_around_markers_are_long_enough_to_show_dashes(made: Comparison) -> None:
    table = made.profiles[made.worlds[0]]
    figure = paper.profile_figure(table, beside=made.beside)
    assert {legend.handlelength for legend in figure.figure.legends} == {3.6}
    assert "(none where the resamples do not differ)" in figure.caption
    bare = paper.profile_figure(table.assign(low=table["value"] - 0.1))
    assert "none where" not in bare.caption


@pytest.mark.parametrize("make", [paper.profile_figure, paper.learning_figure])
def test_an_empty_table_cannot_be_drawn(make) -> None:
    with pytest.raises(ValueError, match="no rows"):
        make(pd.DataFrame(columns=["policy", "n_seeds"]))


def test_markdown_is_text() -> None:
    assert markdown_table(["a", "b"], [["x|y", "[a](b) `c`"]]) == (
        "| a | b |\n|---|---:|\n| x\\|y | [a]\\(b) \\`c\\` |\n"
    )
    with pytest.raises(ValueError, match="row 0 has 1 cells, there are 2"):
        markdown_table(["a", "b"], [["x"]])
