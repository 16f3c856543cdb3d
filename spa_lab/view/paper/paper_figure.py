"""A figure for a paper with all that belongs to it: its numbers, its caption, its table, where it comes from.

`save_paper_figure` turns one into files: PDF, SVG and PNG, the numbers as CSV, LaTeX that sets it. The
functions here make the plate of each kind from the data that the screen shows.
"""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from spa_lab.store.files import write_text
from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view import style
from spa_lab.view.html.markup import safe
from spa_lab.view.paper import curves as paper_curves
from spa_lab.view.paper import figures as paper
from spa_lab.view.paper import latex
from spa_lab.view.paper import steps as paper_steps
from spa_lab.view.paper import success as paper_success
from spa_lab.view.paper.page import ONE_COLUMN, TWO_COLUMNS
from spa_lab.view.paper.scoreboard import metrics_that_fit, scoreboard_paper
from spa_lab.view.tables.advantages import AdvantageSettings, advantage_table, credit_term, grounding_term
from spa_lab.view.tables.evaluation import intervals_in_words
from spa_lab.view.tables.scoreboard import DEFAULT_METRICS, sample_sizes
from spa_lab.view.tables.trajectory import contribution_table, running_sum_table
from spa_lab.view.text import one_line, truth_label

Columns = Literal[1, 2]
ENDINGS = (".pdf", ".svg", ".png")


@dataclass(frozen=True, eq=False)
class PaperFigure:
    """One figure with all that belongs to it."""

    name: str
    """Of its files: letters, digits and hyphens."""
    figure: Figure
    numbers: pd.DataFrame
    """What is drawn, and nothing that is not."""
    caption: str
    """Plain text: what is shown and how the intervals were made."""
    columns: Columns
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Of this figure alone, for its provenance: plain JSON values such as n."""
    table: str = ""
    """The same numbers as a LaTeX `tabular`; empty if the figure has none."""

    def _repr_html_(self) -> str:
        """As it will be printed, at its own size, with its caption."""
        picture = BytesIO()
        # letters as curves: a browser may lack the font, and no script runs in an image
        with rc_context(style.PAPER_RC | {"svg.fonttype": "path"}):
            self.figure.savefig(picture, format="svg", metadata={"Date": None})
        source = f"data:image/svg+xml;base64,{b64encode(picture.getvalue()).decode()}"
        words, width = safe(self.caption), f"width:{width_of(self.columns)}in"
        return (
            f'<figure style="{width};max-width:100%;margin:0"><img alt="{words}" src="{source}" '
            f'style="width:100%"><figcaption>{words}</figcaption></figure>'
        )


def width_of(columns: Columns) -> float:
    """Inches of a figure over so many columns."""
    return ONE_COLUMN if columns == 1 else TWO_COLUMNS


def save_paper_figure(
    plate: PaperFigure, folder: Path, provenance: Mapping[str, Any], *, in_caption: str = ""
) -> list[Path]:
    """Write all files of a plate; those of the same name are replaced.

    Every picture carries the provenance in its metadata, every LaTeX file as a comment.

    Args:
        plate: the figure.
        folder: made if missing.
        provenance: plain JSON values; the plate's facts come on top.
        in_caption: a sentence on the provenance to close the caption with; "" for none.

    Returns:
        The files.

    Raises:
        ValueError: provenance that has no JSON form.
        StoreError: the disk refused.
    """
    known = {**provenance, **plate.facts, "figure": plate.name}
    pictures = [folder / f"{plate.name}{ending}" for ending in ENDINGS]
    for path in pictures:
        paper.save_figure(plate.figure, path, known)
    comment = f"% {json.dumps(known, sort_keys=True)}\n"
    caption = f"{plate.caption} {in_caption}".strip()
    texts = {
        f"{plate.name}.csv": plate.numbers.to_csv(index=False),
        f"{plate.name}.tex": comment + latex.figure_environment(plate.name, caption, columns=plate.columns),
    }
    if plate.table:
        texts[f"{plate.name}-table.tex"] = comment + plate.table
    for name, text in texts.items():
        write_text(folder / name, text)
    return [*pictures, *(folder / name for name in texts)]


def contributions_plate(
    trajectory: Trajectory,
    credits: Sequence[Credit],
    truth: ValueTruth | None = None,
    *,
    columns: Columns = 2,
    name: str = "contributions",
) -> PaperFigure:
    """What each source says of each step, see `paper.contributions_paper`."""
    figure = paper.contributions_paper(trajectory, credits, truth, width=width_of(columns))
    caption = (
        f"Contribution of every step of one {_outcome(trajectory)} according to "
        f"{_listed([credit.source for credit in credits])}, and base value plus contributions so far."
    )
    numbers = contribution_table(trajectory, credits, truth)
    return PaperFigure(name, figure, numbers, caption + _measured(truth), columns, _facts(trajectory, truth))


def running_sum_plate(
    trajectory: Trajectory,
    credits: Sequence[Credit],
    truth: ValueTruth | None = None,
    *,
    columns: Columns = 2,
    name: str = "running-sum",
) -> PaperFigure:
    """How the credits add up, see `paper_steps.running_sum_paper`."""
    figure = paper_steps.running_sum_paper(trajectory, credits, truth, width=width_of(columns))
    caption = (
        f"Base value plus contributions so far in one {_outcome(trajectory)} according to "
        f"{_listed([credit.source for credit in credits])}; the line is the outcome R."
    )
    numbers = running_sum_table(trajectory, credits, truth)
    return PaperFigure(name, figure, numbers, caption + _measured(truth), columns, _facts(trajectory, truth))


def advantages_plate(
    trajectory: Trajectory,
    credit: Credit,
    knobs: AdvantageSettings,
    *,
    columns: Columns = 2,
    name: str = "advantages",
) -> PaperFigure:
    """What PPO makes of a credit, see `paper_steps.advantages_paper`; without a critic."""
    numbers = advantage_table(trajectory, credit, knobs)
    figure = paper_steps.advantages_paper(numbers, width=width_of(columns))
    reward = f"{credit_term(numbers)} + {grounding_term(numbers)}"
    caption = (
        f"Reward r = {reward}, its advantage and the reach of a reward at the end, in one "
        f"{_outcome(trajectory)}, with the credit of {credit.source}{_error(numbers)}: α = {knobs.alpha:g}, "
        f"β = {knobs.beta:g} ({knobs.grounding_form}), γ = {knobs.gamma:g}, λ = {knobs.lam:g} per "
        f"{knobs.granularity}, no critic; tokens are counted as words and signs."
    )
    return PaperFigure(name, figure, numbers, caption, columns, _facts(trajectory, None))


def lengths_plate(
    table: pd.DataFrame,
    *,
    columns: Columns = 2,
    name: str = "success-by-length",
    order: Sequence[str] = (),
) -> PaperFigure:
    """Success by length of the task, see `evaluation.success_by_length`."""
    figure = paper_success.success_by_length_paper(table, width=width_of(columns), order=order)
    by = "the length of the expert's solution" if table["by"].iloc[0] == "expert_length" else "episode length"
    caption = f"Strict success by {by} with {intervals_in_words(table)}; n counts trajectories."
    return PaperFigure(name, figure, table, caption, columns, _counted(table), latex.length_rows(table))


def success_plate(table: pd.DataFrame, *, columns: Columns = 2, name: str = "success") -> PaperFigure:
    """Success of every policy, see `evaluation.success_table`."""
    figure = paper_success.success_paper(table, width=width_of(columns))
    caption = f"Strict success in per cent with {intervals_in_words(table)}."
    return PaperFigure(name, figure, table, caption, columns, _counted(table), latex.success_rows(table))


def differences_plate(table: pd.DataFrame, *, columns: Columns = 2, name: str = "differences") -> PaperFigure:
    """Policies against each other, see `evaluation.differences_table`."""
    figure = paper_success.differences_paper(table, width=width_of(columns))
    caption = f"Difference of strict success in percentage points; {_listed(table['method'].unique())}."
    facts = {"n": int(table["n"].max()), "n_seeds": int(table["n_seeds"].max())}
    return PaperFigure(name, figure, table, caption, columns, facts, latex.difference_rows(table))


def scoreboard_plate(
    table: pd.DataFrame,
    metrics: Sequence[str] = DEFAULT_METRICS,
    *,
    columns: Columns = 2,
    name: str = "scoreboard",
) -> PaperFigure:
    """Credit against the truth, see `credit.fidelity.scoreboard`; as many metrics as have room."""
    shown = metrics_that_fit(table, metrics, width_of(columns))
    figure = scoreboard_paper(table, shown, width=width_of(columns))
    drawn = table[table["metric"].isin(shown) & (table["outcome"] != "both")]
    caption = f"Credit against the measured truth; {sample_sizes(table)}."
    return PaperFigure(name, figure, drawn, caption, columns, {}, latex.board_rows(drawn, shown))


def curves_plate(
    table: pd.DataFrame, *, columns: Columns = 2, name: str = "training", order: Sequence[str] = ()
) -> PaperFigure:
    """Metrics of training, see `paper_curves.training_table`."""
    figure = paper_curves.curves_paper(table, width=width_of(columns), order=order)
    n_seeds = int(table["n_seeds"].max())
    seeds = f"mean and range of {n_seeds} seeds" if n_seeds > 1 else "1 seed"
    caption = f"Training of {_listed(table['stage'].unique())} over the updates, {seeds}."
    return PaperFigure(name, figure, table, caption, columns, {"n_seeds": n_seeds})


def _outcome(trajectory: Trajectory) -> str:
    kind = "success" if trajectory.success else "failure"
    return f"{kind} of {len(trajectory)} steps (task: {one_line(trajectory.instruction)})"


def _error(numbers: pd.DataFrame) -> str:
    return ", whose error e = R − b − Σĉ is spread over the steps" if numbers["from_error"].any() else ""


def _measured(truth: ValueTruth | None) -> str:
    return f" Diamonds: measured values, {truth_label(truth)}, with standard errors." if truth else ""


def _listed(names: Sequence[str]) -> str:
    *most, last = map(one_line, names)
    return f"{', '.join(most)} and {last}" if most else last


def _facts(trajectory: Trajectory, truth: ValueTruth | None) -> dict[str, Any]:
    facts: dict[str, Any] = {"n": 1, "trajectory": trajectory.id, "policy": trajectory.policy}
    return facts | ({"branches": truth.branches} if truth else {})


def _counted(table: pd.DataFrame) -> dict[str, Any]:
    per_policy = table.groupby("policy", sort=False)["n"].sum()
    return {"n": int(per_policy.max()), "n_seeds": int(table["n_seeds"].max())}
