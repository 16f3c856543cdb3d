"""The report of a run: `summary.json`, a table as text and two figures."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from spa_lab.alarms import LARGE_ERROR, PAID, drift_alarms
from spa_lab.credit.calibration import calibrate, calibration_bins
from spa_lab.credit.gaming import gaming_counts
from spa_lab.envs.worlds import task_origin
from spa_lab.pipeline.evaluations import (
    comparisons,
    evaluations,
    expert_lengths,
    panel_by_length,
    panel_frame,
    policy_titles,
)
from spa_lab.pipeline.sources import SOURCE_TITLES
from spa_lab.store import Run, replacing
from spa_lab.store.run import SUMMARY
from spa_lab.types import Credit, Trajectory

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spa_lab.pipeline.experiment import Experiment


def write_report(experiment: "Experiment") -> None:
    """Write `summary.json` and `figures/` from what the stages left."""
    run, summary = experiment.run, summarise(experiment)
    with replacing(run.path / SUMMARY) as partial:
        partial.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    run.note(n=summary["panels"][summary["main_panel"]]["cloned"]["n"], n_seeds=1)
    _draw(experiment)


def summarise(experiment: "Experiment") -> dict[str, Any]:
    """All numbers of a run, without times, so that the same seed gives the same summary.

    Returns:
        `main_panel`: the panel on which policies are compared.
        `titles`: policy -> title.
        `panels`: panel -> policy -> row of `evaluation.success_table`.
        `differences`: paired differences of success on the main panel with bootstrap intervals over tasks.
        `estimator`: see `credit.calibration.Calibration`, on held-out tasks; absent without one.
        `gaming`: policy -> `credit.gaming.GamingCounts` of its episodes on the main panel with the
            estimator's credit; absent without one.
        `drift`: method -> alarms of `alarms.drift_alarms` over its iterations; only methods with a fitted
            credit.
    """
    run, main = experiment.run, experiment.main_panel
    played = evaluations(run)
    titles = policy_titles(run)
    summary: dict[str, Any] = {
        "env": experiment.environment.name,
        "seed": run.seed,
        "main_panel": main,
        "titles": {policy: titles.get(policy, policy) for policy in played[main]},
        "panels": {panel: _success(policies) for panel, policies in played.items()},
        "differences": _differences(played[main], run.seed),
    }
    if credits := held_out_credits(run):
        fitted, held_out = experiment.explored
        summary["estimator"] = asdict(calibrate(credits, held_out, fitted)) | {
            "bins": [asdict(row) for row in calibration_bins(credits, held_out)]
        }
    if gaming := _gaming(run, played[main]):
        summary["gaming"] = gaming
    drift = {curve.method: drift_alarms(curve.rows) for curve in run.curves() if curve.method}
    summary["drift"] = {
        method: [alarm._asdict() for alarm in alarms] for method, alarms in drift.items() if alarms
    }
    return summary


def _gaming(run: Run, played: Mapping[str, Sequence[Trajectory]]) -> dict[str, dict[str, Any]]:
    """Policy -> its counts, for the policies whose episodes were credited."""
    by_id = {
        credit.trajectory_id: credit
        for entry in run.credit_sets()
        if entry.role == "evaluation"
        for credit in entry.load()
    }
    return {
        policy: asdict(gaming_counts(trajectories, [by_id[trajectory.id] for trajectory in trajectories]))
        for policy, trajectories in played.items()
        if all(trajectory.id in by_id for trajectory in trajectories)
    }


def held_out_credits(run: Run) -> list[Credit]:
    """The estimator's credit of all held-out explorations; [] if the run has no estimator."""
    return [credit for entry in run.credit_sets() if entry.role == "held_out" for credit in entry.load()]


def render_summary(run: Run) -> str:
    """The table that the command line prints at the end, from the `summary.json` of a finished run.

    `reward` is the mean outcome, shown where a world pays for partial success.

    Raises:
        ValueError: there is no report yet.
    """
    summary = run.summary()
    if summary is None:
        raise ValueError(f"{run.path}: has no {SUMMARY}, its report is not written yet")
    titles = summary["titles"]
    env, rows = summary["env"], summary["panels"][summary["main_panel"]]
    graded = any(row["outcome"] != row["success"] for row in rows.values())
    lines = [
        f"{task_origin(env)}, panel `{summary['main_panel']}`, greedy, seed {summary['seed']}",
        "",
        f"{'policy':<22} {'success':>8}   {'95 % interval':<15}{'  reward' if graded else ''} "
        f"{'grounded':>9} {'steps':>6} {'n':>5}",
    ]
    for policy, row in rows.items():
        interval = f"{row['low']:.1%} – {row['high']:.1%}"
        reward = f"  {row['outcome']:6.3f}" if graded else ""
        lines.append(
            f"{titles[policy]:<22} {row['success']:>8.1%}   {interval:<15}{reward} "
            f"{row['grounding']:>9.1%} {row['mean_steps']:>6.1f} {row['n']:>5}"
        )
    lines.append("")
    for row in summary["differences"]:
        lines.append(
            f"{titles[row['ours']]} − {titles[row['theirs']]}: {row['point']:+.1%} "
            f"[{row['low']:+.1%}, {row['high']:+.1%}], paired over {row['n']} tasks, 1 seed"
        )
    if "estimator" in summary:
        lines += ["", _estimator_line(summary["estimator"])]
    lines += [_gaming_line(titles[policy], row) for policy, row in summary.get("gaming", {}).items()]
    lines += _drift_lines(summary.get("drift", {}), titles)
    lines += ["", f"figures: {run.path / 'figures'}"]
    return "\n".join(lines)


def _estimator_line(row: dict[str, Any]) -> str:
    auc = "undefined" if row["auc"] is None else f"{row['auc']:.3f}"
    return (
        f"progress estimator on {row['n']} held-out episodes ({row['n_success']} successes): RMSE of Σĉ "
        f"{row['rmse']:.3f} (constant {row['rmse_constant']:.3f}, length alone {row['rmse_length']:.3f}), "
        f"AUC {auc}, share of |ĉ| on the last step {row['share_on_last_step']:.1%} "
        f"(even: {row['even_share']:.1%})"
    )


def _gaming_line(title: str, row: dict[str, Any]) -> str:
    largest = row["largest_sum_of_failures"]
    sums = "" if largest is None else f", largest b + Σĉ {largest:+.2f}"
    return (
        f"credit of {title}: {row['later_paid']} of {row['later_steps']} later steps paid > {LARGE_ERROR:g} "
        f"({row['paid_refused']} of them refused), {row['paid_repeats']} repeated texts paid > {PAID:g}; "
        f"{row['gamed_failures']} of {row['n_failures']} failures gamed{sums}"
    )


def _drift_lines(drift: dict[str, Any], titles: dict[str, str]) -> list[str]:
    """A sentence for each alarm that was raised, and one for each method without any."""
    lines = []
    for method, alarms in drift.items():
        title = titles.get(method, method)
        raised = [alarm for alarm in alarms if alarm["raised"]]
        lines += [f"ALARM, training of {title}: {alarm['text']}" for alarm in raised]
        if not raised:
            lines.append(f"training of {title}: its credit fits its episodes to the end, no alarm")
    return lines


def _success(played: Mapping[str, Sequence[Trajectory]]) -> dict[str, dict[str, Any]]:
    """Policy -> its row of `evaluation.success_table`."""
    # imported here: the worker processes of all stages import this package and need no tables
    from spa_lab.view.tables.evaluation import success_table

    rows = success_table(panel_frame(played)).set_index("policy").drop(columns="n_seeds")
    return rows.to_dict("index")


def _differences(played: Mapping[str, Sequence[Trajectory]], seed: int) -> list[dict[str, Any]]:
    """Rows of `evaluation.differences_table`."""
    from spa_lab.view.tables.evaluation import differences_table  # as in `_success`

    pairs = comparisons(list(played))
    table = differences_table(panel_frame(played), pairs, rng=np.random.default_rng(seed))
    return [dict(row) for row in table.drop(columns="n_seeds").to_dict("records")]


def _draw(experiment: "Experiment") -> None:
    # imported here: the worker processes of all stages import this package and need no pictures
    from spa_lab.view.paper.success_by_length import success_by_length_figure
    from spa_lab.view.tables.evaluation import success_by_length

    run = experiment.run
    played, lengths = evaluations(run), expert_lengths(run)
    figures = {}
    panel = panel_by_length(played)
    if panel is not None:
        frame = panel_frame(played[panel], lengths)
        if frame["expert_length"].notna().all():
            figures["success_by_length"] = success_by_length_figure(success_by_length(frame)).figure
    save_pictures(run, figures)
    save_contributions(experiment)


def save_contributions(experiment: "Experiment") -> None:
    """`figures/contributions` of a success and a failure among the held-out explorations, if there are both.

    They show the run's estimator, and measured values where there are any. With credit of several sources,
    `contributions-success` and `contributions-failure` show as many as fit beside each other.
    """
    # imported here: the worker processes of all stages import this package and need no pictures
    from spa_lab.pipeline.credited import credited, figure_order, telling_pair
    from spa_lab.view.paper.contributions import contributions_figure, contributions_pair_figure
    from spa_lab.view.paper.page import TWO_COLUMNS
    from spa_lab.view.paper.rows import most_sources

    run, titles = experiment.run, SOURCE_TITLES
    credits = run.credits("held_out") | run.credits("scored")
    if not credits:
        return
    shown = figure_order(credits)[: most_sources(TWO_COLUMNS.width)]
    entries = credited(run, experiment.explored.held_out, {source: credits[source] for source in shown})
    pair = telling_pair(entries)
    figures = {}
    if len(shown) > 1:
        for kind, entry in pair.items():
            figures[f"contributions-{kind}"] = contributions_figure(*entry, titles=titles).figure
    if len(pair) == 2:
        success, failure = (
            entry._replace(credits=entry.credits[:1]) for entry in (pair["success"], pair["failure"])
        )
        figures["contributions"] = contributions_pair_figure(success, failure, titles=titles).figure
    save_pictures(run, figures)


def save_pictures(run: Run, figures: "Mapping[str, Figure]") -> None:
    """Write `figures/NAME.svg` and `figures/NAME.png` of each, with the run's provenance in them."""
    from spa_lab.view.paper.paper_figure import write_picture  # as in `_draw`

    known = run.provenance
    provenance = {name: known[name] for name in ("config", "seed", "n", "n_seeds", "device", "git_commit")}
    for name, figure in figures.items():
        for ending in ("svg", "png"):
            write_picture(figure, run.path / "figures" / f"{name}.{ending}", provenance)
