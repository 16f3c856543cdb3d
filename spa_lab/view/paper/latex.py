"""LaTeX for papers: escaped text, tables in booktabs style, an environment for a figure.

Text from agents and worlds is data: whatever it holds, it comes out as letters and is never executed.
"""

import math
from collections.abc import Sequence

import pandas as pd

from spa_lab.view.text import one_line

_JOINED = "-',"
"""Two of these would become one sign: a dash or a quotation mark."""
_SPECIAL = str.maketrans(
    {
        "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
        "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
        ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}", "`": r"\textasciigrave{}",
        "\N{MINUS SIGN}": "$-$", "±": r"$\pm$", "Σ": r"$\Sigma$", "ĉ": r"$\hat{c}$", "Δ": r"$\Delta$",
        "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "λ": r"$\lambda$", "ρ": r"$\rho$",
        "τ": r"$\tau$", "·": r"$\cdot$", "…": r"\ldots{}", "–": "--", "—": "---", "→": r"$\to$",
        "≤": r"$\le$", "≥": r"$\ge$", "\N{NO-BREAK SPACE}": "~", "₀": "$_0$",
    }
    | dict.fromkeys("ĦħĸĿŀŉŦŧſ", "?")  # letters of Latin Extended-A that T1 fonts lack
)  # fmt: skip
"""What LaTeX would take for a command, and signs that pdfLaTeX's default fonts lack."""


def escaped(text: str) -> str:
    r"""The text on one line as LaTeX letters; what pdfLaTeX could not set (emoji, other scripts) is a "?".

    Needs `\usepackage[T1]{fontenc}`.
    """
    line = one_line(text)
    signs = [character.translate(_SPECIAL) for character in line]
    for place in range(1, len(line)):
        if line[place] == line[place - 1] and line[place] in _JOINED:
            signs[place] = "{}" + signs[place]
    return "".join(sign if sign.isascii() or ord(sign) < 0x180 else "?" for sign in signs)


def booktabs(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    r"""A `tabular` in booktabs style; the first column is flush left, all others flush right.

    Args:
        heads: titles of the columns, plain text.
        rows: cells, plain text, as many as titles.

    Raises:
        ValueError: a row has another number of cells than there are titles.
    """
    for number, row in enumerate(rows):
        if len(row) != len(heads):
            raise ValueError(f"table row {number} has {len(row)} cells, there are {len(heads)} columns")
    lines = [rf"\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}", r"\toprule", _row(heads), r"\midrule"]
    return "\n".join([*lines, *map(_row, rows), r"\bottomrule", r"\end{tabular}", ""])


def figure_environment(name: str, caption: str, *, columns: int) -> str:
    r"""The environment that sets `name`.pdf at its own size; `figure*` over both columns."""
    kind = "figure*" if columns == 2 else "figure"
    return "\n".join(
        [rf"\begin{{{kind}}}[t]", r"\centering", rf"\includegraphics{{{name}.pdf}}",
         rf"\caption{{{escaped(caption)}}}", rf"\label{{fig:{name}}}", rf"\end{{{kind}}}", ""]
    )  # fmt: skip


def success_rows(table: pd.DataFrame) -> str:
    """The table of `evaluation.success_table`, rates in per cent."""
    heads = ["policy", "success (%)", "95 % interval", "grounded (%)", "steps", "n", "seeds"]
    rows = [
        [row.policy, _percent(row.success), _interval(row.low, row.high), _percent(row.grounding),
         _number(row.mean_steps, 1), str(row.n), str(row.n_seeds)]
        for row in table.itertuples()
    ]  # fmt: skip
    return booktabs(heads, rows)


def difference_rows(table: pd.DataFrame) -> str:
    """The table of `evaluation.differences_table`, in percentage points."""
    heads = ["comparison", "difference", "95 % interval", "tasks", "seeds"]
    rows = [
        [f"{row.ours} − {row.theirs}", _percent(row.point, "+"), _interval(row.low, row.high, "+"),
         str(row.n), str(row.n_seeds)]
        for row in table.itertuples()
    ]  # fmt: skip
    return booktabs(heads, rows)


def length_rows(table: pd.DataFrame) -> str:
    """The table of `evaluation.success_by_length`: a row per policy, a column per bin, per cent."""
    bins = list(table["bin"].unique())
    rows = []
    for policy in table["policy"].unique():
        own = table[table["policy"] == policy].set_index("bin").loc[bins]
        rows.append([policy, *(f"{_percent(row.success)} ({row.n})" for row in own.itertuples())])
    return booktabs(["policy", *bins], rows)


def board_rows(table: pd.DataFrame, metrics: Sequence[str]) -> str:
    """The table of `credit.fidelity.scoreboard`: a row per source, success / failure."""
    titles = table.drop_duplicates("metric").set_index("metric")["title"]
    values = table.pivot_table(index="source", columns=["metric", "outcome"], values="value", dropna=False)
    rows = []
    for source in table["source"].unique():
        pairs = ((values.get((metric, outcome)) for outcome in ("success", "failure")) for metric in metrics)
        cells = [
            " / ".join("–" if own is None else _number(own[source], 2) for own in pair) for pair in pairs
        ]
        rows.append([source, *cells])
    return booktabs(["source (success / failure)", *(str(titles[metric]) for metric in metrics)], rows)


def _row(cells: Sequence[str]) -> str:
    line = " & ".join(map(escaped, cells)) + r" \\"
    # the end of the row before would take these signs for its own
    return "{}" + line if line[0] in "[*" else line


def _number(value: float, places: int, sign: str = "") -> str:
    return "–" if math.isnan(value) else f"{value:{sign}.{places}f}".replace("-", "\N{MINUS SIGN}")


def _percent(value: float, sign: str = "") -> str:
    return _number(100 * value, 1, sign)


def _interval(low: float, high: float, sign: str = "") -> str:
    return f"[{_percent(low, sign)}, {_percent(high, sign)}]"
