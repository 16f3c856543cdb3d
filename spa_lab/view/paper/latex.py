"""LaTeX for papers: escaped text, tables in booktabs style, a figure environment.

Text from agents and worlds is data: it is typeset as it is written and never executed.
"""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import pandas as pd

from spa_lab.view.tables.scoreboard import SECOND
from spa_lab.view.text import Bold, one_line, signed_in_full, with_best

_JOINED = "-',"
"""Two of these in a row would become a ligature: a dash or a quotation mark."""
_SPECIAL = str.maketrans(
    {
        "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
        "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
        ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}", "`": r"\textasciigrave{}",
        "\N{MINUS SIGN}": "$-$", "±": r"$\pm$", "Σ": r"$\Sigma$", "ĉ": r"$\hat{c}$", "Δ": r"$\Delta$",
        "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "λ": r"$\lambda$", "ρ": r"$\rho$",
        "τ": r"$\tau$", "·": r"$\cdot$", "…": r"\ldots{}", "–": "--", "—": "---", "→": r"$\to$",
        "≤": r"$\le$", "≥": r"$\ge$", "\N{NO-BREAK SPACE}": "~", "₀": "$_0$",
        "“": r"\textquotedblleft{}", "”": r"\textquotedblright{}",
        "\N{LEFT SINGLE QUOTATION MARK}": r"\textquoteleft{}",
        "\N{RIGHT SINGLE QUOTATION MARK}": r"\textquoteright{}",
    }
    | dict.fromkeys("ĦħĸĿŀŉŦŧſ", "?")  # letters of Latin Extended-A that T1 fonts lack
)  # fmt: skip
"""Characters with a meaning in LaTeX, and characters that pdfLaTeX's default fonts lack."""


def escaped(text: str) -> str:
    r"""The text on one line, escaped; what pdfLaTeX cannot typeset (emoji, other scripts) becomes "?".

    Needs `\usepackage[T1]{fontenc}`.
    """
    line = one_line(text)
    escapes = [character.translate(_SPECIAL) for character in line]
    for i in range(1, len(line)):
        if line[i] == line[i - 1] and line[i] in _JOINED:
            escapes[i] = "{}" + escapes[i]
    return "".join(text if text.isascii() or ord(text) < 0x180 else "?" for text in escapes)


Cell = str | Sequence[str]
"""Plain text, or parts of it with spaces between; a `Bold` part is set in bold."""


def booktabs(heads: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    r"""A `tabular` in booktabs style; the first column is left-aligned, all others right-aligned.

    Args:
        heads: column titles, plain text.
        rows: cells, as many as titles.

    Raises:
        ValueError: a row has another number of cells than there are titles.
    """
    for index, row in enumerate(rows):
        if len(row) != len(heads):
            raise ValueError(f"table row {index} has {len(row)} cells, there are {len(heads)} columns")
    lines = [rf"\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}", r"\toprule", _row(heads), r"\midrule"]
    return "\n".join([*lines, *map(_row, rows), r"\bottomrule", r"\end{tabular}", ""])


def figure_environment(name: str, caption: str, *, picture: str, spans_columns: bool) -> str:
    r"""The environment that includes a picture at its natural size; `figure*` spans both columns."""
    kind = "figure*" if spans_columns else "figure"
    return "\n".join(
        [rf"\begin{{{kind}}}[t]", r"\centering", rf"\includegraphics{{{picture}}}",
         rf"\caption{{{escaped(caption)}}}", rf"\label{{fig:{name}}}", rf"\end{{{kind}}}", ""]
    )  # fmt: skip


def success_rows(table: pd.DataFrame) -> str:
    """The table of `evaluation.success_table`, rates in per cent."""
    heads = ["policy", "success (%)", "95 % interval", "grounded (%)", "steps", "n", "seeds"]
    best = with_best([_percent(value) for value in table["success"]], list(table["success"]))
    rows = [
        [row.policy, success, _interval(row.low, row.high), _percent(row.grounding),
         _number(row.mean_steps, 1), str(row.n), str(row.n_seeds)]
        for row, success in zip(table.itertuples(), best, strict=True)
    ]  # fmt: skip
    return booktabs(heads, rows)


def difference_rows(table: pd.DataFrame) -> str:
    """The table of `evaluation.differences_table`, in percentage points."""
    heads = ["comparison", "difference", "95 % interval", "tasks", "seeds"]
    rows = [
        [f"{row.ours} vs {row.theirs}", _percent(row.point, "+"), _interval(row.low, row.high, "+"),
         str(row.n), str(row.n_seeds)]
        for row in table.itertuples()
    ]  # fmt: skip
    return booktabs(heads, rows)


def length_rows(table: pd.DataFrame) -> str:
    """The table of `evaluation.success_by_length`: a row per policy, a column per bin, per cent."""
    bins, policies = list(table["bin"].unique()), list(table["policy"].unique())
    columns = []
    for name in bins:
        rates = table[table["bin"] == name].set_index("policy").loc[policies]
        best = with_best([_percent(rate) for rate in rates["success"]], list(rates["success"]))
        columns.append([(rate, f"({n})") for rate, n in zip(best, rates["n"], strict=True)])
    return booktabs(
        ["policy", *bins], [[policy, *row] for policy, *row in zip(policies, *columns, strict=True)]
    )


def board_rows(
    table: pd.DataFrame, metrics: Sequence[str], source_titles: Mapping[str, str] = MappingProxyType({})
) -> str:
    """The table of `credit.fidelity.scoreboard`: a row per source, success / failure."""
    titles = table.drop_duplicates("metric").set_index("metric")["title"]
    sources = list(table["source"].unique())
    columns = []
    for metric in metrics:
        pair = [_board_cells(table, sources, metric, outcome) for outcome in ("success", "failure")]
        columns.append([(first, "/", second) for first, second in zip(*pair, strict=True)])
    names = [source_titles.get(source, source) for source in sources]
    rows = [[name, *row] for name, *row in zip(names, *columns, strict=True)]
    return booktabs(["source (success / failure)", *(str(titles[metric]) for metric in metrics)], rows)


def _board_cells(table: pd.DataFrame, sources: Sequence[str], metric: str, outcome: str) -> list[str]:
    """A cell for each source; the best of those that are no measurement is bold."""
    rows = table[(table["metric"] == metric) & (table["outcome"] == outcome)]
    values = rows.set_index("source")["value"].reindex(sources)
    cells = [_number(value, 2) for value in values]
    best = rows["best"].iloc[0] if len(rows) else math.nan
    rivals = [math.nan if source == SECOND else value for source, value in values.items()]
    return cells if math.isnan(best) else with_best(cells, rivals, best=best)


def gradient_rows(table: pd.DataFrame, metrics: Sequence[str]) -> str:
    """The table of `spa_lab.gradient_fidelity`: a row per advantage, values with intervals."""
    both = table[table["outcome"] == "both"]
    titles = both.drop_duplicates("metric").set_index("metric")["title"]
    by_key = both.set_index(["advantage", "metric"])
    rows = []
    for advantage in both["advantage"].unique():
        cells = []
        for metric in metrics:
            row = by_key.loc[(advantage, metric)]
            interval = (
                "" if math.isnan(row["low"]) else f" [{_number(row['low'], 2)}, {_number(row['high'], 2)}]"
            )
            cells.append(_number(row["value"], 2) + interval)
        rows.append([str(by_key.loc[(advantage, metrics[0])]["label"]), *cells])
    return booktabs(["advantage", *(str(titles[metric]) for metric in metrics)], rows)


def _row(cells: Sequence[Cell]) -> str:
    line = " & ".join(map(_cell, cells)) + r" \\"
    # after the `\\` of the previous row these would be parsed as its arguments
    return "{}" + line if line[0] in "[*" else line


def _cell(cell: Cell) -> str:
    parts = [cell] if isinstance(cell, str) else cell
    return " ".join(
        rf"\textbf{{{escaped(part)}}}" if isinstance(part, Bold) else escaped(part) for part in parts
    )


def _number(value: float, places: int, sign: str = "") -> str:
    if math.isnan(value):
        return "–"
    return signed_in_full(value, places) if sign else f"{value:.{places}f}".replace("-", "\N{MINUS SIGN}")


def _percent(value: float, sign: str = "") -> str:
    return _number(100 * value, 1, sign)


def _interval(low: float, high: float, sign: str = "") -> str:
    return f"[{_percent(low, sign)}, {_percent(high, sign)}]"
