"""The end of a run: `summary.json`, a table to read and two figures to look at."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from spa_lab.credit.calibration import calibrate, calibration_bins
from spa_lab.envs.worlds import task_origin
from spa_lab.pipeline.evaluations import (
    COMPARISONS,
    NAMES,
    evaluations,
    expert_lengths,
    long_ones,
    longest_panel,
    panel_frame,
)
from spa_lab.pipeline.stages import split_by_task
from spa_lab.store import Run, replacing
from spa_lab.types import Credit, Trajectory


def write_report(run: Run) -> None:
    """Write `summary.json` and `figures/` from what the stages left."""
    summary = summarise(run)
    with replacing(run.path / "summary.json") as partial:
        partial.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    run.note(n=summary["panels"]["unseen"]["cloned"]["n"], n_seeds=1)
    _draw(run)


def summarise(run: Run) -> dict[str, Any]:
    """All figures of a run, without times, so that the same seed gives the same summary.

    Returns:
        `panels`: panel → policy → line of `evaluation.success_table`.
        `differences`: paired differences of success on `unseen` with bootstrap intervals over tasks.
        `estimator`: see `credit.calibration.Calibration`, on held-out tasks; absent without one.
    """
    played = evaluations(run)
    summary: dict[str, Any] = {
        "env": run.config["env"],
        "seed": run.seed,
        "panels": {panel: _judged(policies) for panel, policies in played.items()},
        "differences": _differences(played["unseen"], run.seed),
    }
    if "held-out-spa" in run.names("credits"):
        fitted, held_out = split_by_task(run.load_trajectories("explore"), run.config["preset"]["held_out"])
        credits = run.load_credits("held-out-spa")
        summary["estimator"] = asdict(calibrate(credits, held_out, fitted)) | {
            "bins": [asdict(one) for one in calibration_bins(credits, held_out)]
        }
    return summary


def render_summary(run: Run) -> str:
    """The table that the command line prints at the end, from the `summary.json` of a finished run.

    `reward` is the mean outcome, shown where a world pays for partial success.
    """
    summary = json.loads((run.path / "summary.json").read_text(encoding="utf-8"))
    env, rows = summary["env"], summary["panels"]["unseen"]
    graded = any(row["outcome"] != row["success"] for row in rows.values())
    lines = [
        f"{task_origin(env)}, panel `unseen`, greedy, seed {summary['seed']}",
        "",
        f"{'policy':<22} {'success':>8}   {'95 % interval':<15}{'  reward' if graded else ''} "
        f"{'grounded':>9} {'steps':>6} {'n':>5}",
    ]
    for policy, row in rows.items():
        interval = f"{row['low']:.1%} – {row['high']:.1%}"
        reward = f"  {row['outcome']:6.3f}" if graded else ""
        lines.append(
            f"{NAMES[policy]:<22} {row['success']:>8.1%}   {interval:<15}{reward} "
            f"{row['grounding']:>9.1%} {row['mean_steps']:>6.1f} {row['n']:>5}"
        )
    lines.append("")
    for row in summary["differences"]:
        lines.append(
            f"{NAMES[row['ours']]} − {NAMES[row['theirs']]}: {row['point']:+.1%} "
            f"[{row['low']:+.1%}, {row['high']:+.1%}], paired over {row['n']} tasks, 1 seed"
        )
    if "estimator" in summary:
        lines += ["", _estimator_line(summary["estimator"])]
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


def _judged(played: Mapping[str, Sequence[Trajectory]]) -> dict[str, dict[str, Any]]:
    """Policy → its line of `evaluation.success_table`."""
    # imported here: the worker processes of all stages import this package and need no tables
    from spa_lab.view.tables.evaluation import success_table

    rows = success_table(panel_frame(played)).set_index("policy").drop(columns="n_seeds")
    return rows.to_dict("index")


def _differences(played: Mapping[str, Sequence[Trajectory]], seed: int) -> list[dict[str, Any]]:
    """Lines of `evaluation.differences_table`."""
    from spa_lab.view.tables.evaluation import differences_table  # as in `_judged`

    table = differences_table(panel_frame(played), COMPARISONS, rng=np.random.default_rng(seed))
    return [dict(row) for row in table.drop(columns="n_seeds").to_dict("records")]


def _draw(run: Run) -> None:
    # imported here: the worker processes of all stages import this package and need no pictures
    from spa_lab.view.paper.contributions import CreditedTrajectory, contributions_pair_figure
    from spa_lab.view.paper.paper_figure import write_picture
    from spa_lab.view.paper.success_by_length import success_by_length_figure
    from spa_lab.view.tables.evaluation import success_by_length

    folder = run.path / "figures"
    known = run.provenance
    provenance = {name: known[name] for name in ("config", "seed", "n", "n_seeds", "device", "git_commit")}
    played = evaluations(run)
    table = success_by_length(panel_frame(played[longest_panel(played)], expert_lengths(run)))
    drawn = {"success_by_length": success_by_length_figure(table).figure}
    pair = long_pair(run) if "held-out-spa" in run.names("credits") else None
    if pair:
        success, failure = (CreditedTrajectory(*shown) for shown in pair)
        drawn["contributions"] = contributions_pair_figure(success, failure).figure
    for name, figure in drawn.items():
        for form in ("svg", "png"):
            write_picture(figure, folder / f"{name}.{form}", provenance)


def long_pair(run: Run) -> tuple[tuple[Trajectory, list[Credit]], tuple[Trajectory, list[Credit]]] | None:
    """A long success and a failure among the held-out trajectories, with credits; None if one is missing."""
    _, held_out = split_by_task(run.load_trajectories("explore"), run.config["preset"]["held_out"])
    credits = {credit.trajectory_id: credit for credit in run.load_credits("held-out-spa")}
    found = long_ones(held_out)
    if len(found) < 2:
        return None
    success, failure = ((one, [credits[one.id]]) for one in (found["success"], found["failure"]))
    return success, failure
