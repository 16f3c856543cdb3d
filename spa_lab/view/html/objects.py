"""HTML representations of the data types in a notebook: small, foldable, complete without a kernel.

`Trajectory`, `Credit`, `ValueTruth` and `Run` call these from `_repr_html_`. Nothing that an agent or a world
wrote becomes markup.
"""

import json
from typing import TYPE_CHECKING, Any

from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view.html.markup import frame_table, safe, styled
from spa_lab.view.html.steps import head_html, steps_html
from spa_lab.view.tables.frames import progress_error
from spa_lab.view.text import decimal_places, facts, shortened, signed, sum_caption, truth_label

if TYPE_CHECKING:
    from spa_lab.store.run import Run

MOST_ROWS = 200
"""Rows of a table of numbers; a longer table states how many it leaves out."""


def trajectory_html(trajectory: Trajectory) -> str:
    """A line that unfolds to the steps."""
    task = safe(shortened(trajectory.instruction, 120)) or "(no task sentence)"
    line = f"<b>{task}</b> · {safe(facts(trajectory))}"
    return styled(
        f"<details><summary>{line}</summary>{head_html(trajectory)}"
        f'<div class="scroll high">{steps_html(trajectory, ())}</div></details>'
    )


def credit_html(credit: Credit) -> str:
    """Source and sum in a line that unfolds to the contributions."""
    places = decimal_places(credit.contributions)
    errors = credit.standard_error
    rows = []
    for step, (value, total) in enumerate(zip(credit.contributions, credit.cumulative, strict=True)):
        error = "–" if errors is None else f"{errors[step]:.{places}f}"
        rows.append([str(step), signed(value, places), error, f"{total:.{places}f}"])
    line = f"<b>credit by {safe(shortened(credit.source, 60))}</b> · {safe(sum_caption(credit))}"
    return _foldable(
        f"{line} · {len(credit)} steps · {safe(shortened(credit.trajectory_id, 80))}",
        ["step", "contribution", "s.e.", "predicted so far"],
        rows,
    )


def truth_html(truth: ValueTruth) -> str:
    """The kind of measurement in a line that unfolds to values and progress."""
    errors = progress_error(truth)
    rows = []
    for step, value in enumerate(truth.values):
        last = step == len(truth.progress)
        change = "–" if last else signed(truth.progress[step], 3)
        rows.append(
            [
                "end" if last else str(step),
                f"{value:.3f}",
                f"{truth.standard_error[step]:.3f}",
                change,
                "–" if last else f"{errors[step]:.3f}",
            ]
        )
    line = f"<b>truth, {safe(truth_label(truth))}</b> · V(h₀) = {truth.offset:.2f} · {len(rows) - 1} steps"
    return _foldable(
        f"{line} · {safe(shortened(truth.trajectory_id, 80))} · policy {safe(shortened(truth.policy, 40))}",
        ["before step", "V", "s.e.", "Δ of the step", "s.e."],
        rows,
    )


def run_html(run: "Run") -> str:
    """Provenance and contents of a run; its config unfolds."""
    facts = run.provenance
    stages = [
        [safe(str(name)), f"{stage.get('seconds', 0):.1f}"]
        for name, stage in facts["stages"].items()
        if isinstance(stage, dict)
    ]
    held = [[kind, safe(", ".join(run.names(kind)) or "–")] for kind in ("trajectories", "credits", "truths")]
    n = "–" if facts.get("n") is None else facts["n"]
    numbers = safe(f"seed {facts['seed']} · n = {n}")
    head = f"<b>run {safe(run.path.name)}</b> · {numbers}"
    commit = safe(str(facts.get("git_commit") or "unknown")[:12])
    config = safe(json.dumps(facts["config"], indent=2))
    return styled(
        f"<p>{head} · commit {commit} · begun {safe(str(facts.get('begun', '–')))}</p>"
        f"{_success(run.summary())}{frame_table(['holds', 'names'], held)}"
        f"<details><summary>seconds of the finished stages</summary>"
        f"{frame_table(['stage', 'seconds'], stages, numeric=1)}</details>"
        f'<details><summary>config</summary><span class="prose">{config}</span></details>'
    )


def _success(summary: dict[str, Any] | None) -> str:
    """A table of the policies that were evaluated; empty without a report."""
    if summary is None:
        return ""
    panel = summary["main_panel"]
    rows = [
        [
            safe(summary["titles"][policy]),
            f"{row['success']:.1%}",
            f"{row['low']:.1%} – {row['high']:.1%}",
            str(row["n"]),
        ]
        for policy, row in summary["panels"][panel].items()
    ]
    return frame_table([f"policy, panel {safe(panel)}", "success", "95 %", "n"], rows, numeric=3)


def _foldable(line: str, columns: list[str], rows: list[list[str]]) -> str:
    left = len(rows) - MOST_ROWS
    note = (
        f'<span class="note">{left:,} more rows in credits_frame and truths_frame</span>' if left > 0 else ""
    )
    table = frame_table(columns, rows[:MOST_ROWS], numeric=len(columns) - 1)
    return styled(f"<details><summary>{line}</summary>{table}{note}</details>")
