"""The tables of a comparison as cells of text: the same for Markdown and LaTeX."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from spa_lab.view.text import signed_in_full, with_best

_MINUS = "\N{MINUS SIGN}"


class TextTable(NamedTuple):
    """Column titles and rows of plain text; the best value of a column is `text.Bold`."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def comparison_rows(table: pd.DataFrame, reference: str) -> TextTable:
    """The table of `comparison.comparison_table`; rates in per cent, differences in points.

    Where the reference and a policy have other seeds, the seeds that both have are in brackets: the
    difference is over these, and not the difference of the two rates.
    """
    most = dict(zip(table["policy"], table["n_seeds"], strict=True)).get(reference, 0)
    heads = [
        "policy", "success (%)", "95 %", "seeds", "tasks", "IQM (%)", "95 %", f"− {reference}", "95 %",
        "Holm p", "P(better)", "grounded (%)", "steps",
    ]  # fmt: skip
    success, iqms = (
        with_best([percent(value) for value in table[name]], list(table[name])) for name in ("success", "iqm")
    )
    rows = [
        [
            row.policy, best, interval(row.low, row.high), _seeds(row.n_seeds, row.shared_seeds, most),
            str(row.n // row.n_seeds), iqm, interval(row.iqm_low, row.iqm_high),
            percent(row.difference, "+"), interval(row.difference_low, row.difference_high, "+"),
            number(row.p_holm, 3), number(row.improvement, 2), percent(row.grounding),
            number(row.mean_steps, 1),
        ]
        for row, best, iqm in zip(table.itertuples(), success, iqms, strict=True)
    ]  # fmt: skip
    return TextTable(heads, rows)


def _seeds(own: int, shared: Any, reference: int) -> str:
    """The number of seeds, and how many are compared if these are not all of both sides."""
    return str(own) if pd.isna(shared) or own == shared == reference else f"{own} ({shared})"


def group_rows(table: pd.DataFrame, by: str) -> TextTable:
    """Success in per cent by the values of a column ("bin", "kind", "run_seed"), with n in brackets."""
    groups = list(table.loc[table["n"] > 0, by].drop_duplicates())
    if by == "run_seed":
        groups.sort()  # the first policy may lack a seed
    rows = []
    for policy in table["policy"].unique():
        rates = table[table["policy"] == policy].set_index(by)
        cells = [
            f"{percent(rates.at[group, 'success'])} ({rates.at[group, 'n']})" if group in rates.index else "–"
            for group in groups
        ]
        rows.append([policy, *cells])
    return TextTable(["policy", *map(str, groups)], rows)


def length_difference_rows(table: pd.DataFrame) -> TextTable:
    """The table of `length_differences.difference_by_length`, points with intervals; heads hold n tasks."""
    known = table[table["n"] > 0]
    tasks = known.groupby("bin", sort=False)["n"].max()
    rows = []
    for policy in table["policy"].unique():
        measured = known[known["policy"] == policy].set_index("bin")
        texts = {
            row.Index: f"{percent(row.difference, '+')} {interval(row.low, row.high, '+')}"
            for row in measured.itertuples()
        }
        rows.append([policy, *(texts.get(name, "–") for name in tasks.index)])
    return TextTable(["policy", *(f"{name} (n = {n})" for name, n in tasks.items())], rows)


def cost_rows(table: pd.DataFrame) -> TextTable:
    """The table of `comparison.cost_table`: means over the seeds."""
    heads = [
        "policy", "episodes", "explorations", "extra rollouts", "extra updates", "seconds", "CPU seconds",
        "peak MB", "shared seconds", "seeds", "seeds timed",
    ]  # fmt: skip
    columns = (
        "episodes", "explorations", "extra_rollouts", "extra_updates", "seconds", "cpu_seconds", "peak_mb",
        "shared_seconds",
    )  # fmt: skip
    counts = ("n_seeds", "n_timed")
    rows = [
        [row["policy"], *(number(row[column], 0) for column in columns), *(str(row[name]) for name in counts)]
        for row in table.to_dict("records")
    ]
    return TextTable(heads, rows)


def power_rows(table: pd.DataFrame) -> TextTable:
    """The table of `comparison.power_table`; differences in points."""
    margin = f"{100 * table['margin'].iloc[0]:.1f}" if len(table) else "margin"
    heads = [
        "policy", "seeds", "tasks", "detectable (points)", f"tasks for {margin} points",
        f"seeds for {margin} points", "SD seed", "SD task", "SD rest",
    ]  # fmt: skip
    rows = [
        [
            row.policy, str(row.seeds), str(row.tasks), percent(row.detectable), number(row.tasks_needed, 0),
            number(row.seeds_needed, 0), percent(row.sd_seed), percent(row.sd_task), percent(row.sd_rest),
        ]
        for row in table.itertuples()
    ]  # fmt: skip
    return TextTable(heads, rows)


def number(value: float, places: int, sign: str = "") -> str:
    """Fixed places; "–" for NaN, "no number" for infinity."""
    if math.isnan(value):
        return "–"
    if not math.isfinite(value):
        return "no number"
    return signed_in_full(value, places) if sign else f"{value:.{places}f}".replace("-", _MINUS)


def percent(value: float, sign: str = "") -> str:
    """A fraction in per cent with one place, without the sign of per cent."""
    return number(100 * value, 1, sign)


def interval(low: float, high: float, sign: str = "") -> str:
    """Bounds in per cent; "–" where they are undefined."""
    return "–" if math.isnan(low) else f"[{percent(low, sign)}, {percent(high, sign)}]"


def rate_text(value: float, low: float, high: float) -> str:
    """A success rate in per cent with its interval; "–" where nothing is known."""
    return "–" if math.isnan(value) else f"{percent(value)} {interval(low, high)}"
