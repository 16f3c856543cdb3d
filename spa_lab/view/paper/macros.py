r"""LaTeX macros with the numbers of figures: `\spalab{success.SPA-RL.success}` in a paper, for `\input`.

The text of a paper then never holds a number that was typed. A key that does not exist prints "??" in bold
and warns, like a missing reference.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from spa_lab.view.paper.latex import escaped
from spa_lab.view.paper.paper_figure import PaperFigure
from spa_lab.view.tables.comparison_rows import number

FILE = "numbers.tex"
PLACES = 3
"""Decimals of a number below `LARGE`."""
LARGE = 1000.0
_HEAD = r"""\makeatletter
\providecommand{\spalab}[1]{\ifcsname spalab@#1\endcsname\csname spalab@#1\endcsname\else
  \textbf{??}\@latex@warning{No number `#1'}\fi}
\long\def\spalab@def#1#2{\expandafter\def\csname spalab@#1\endcsname{#2}}
"""
_TAIL = "\\makeatother\n"


def macros(figures: Iterable[PaperFigure], provenance: Mapping[str, Any]) -> str:
    r"""A LaTeX file with `\spalab{FIGURE.ROW.COLUMN}` for every number of figures that name their rows.

    A fraction between -1 and 1 has a second key that ends in ".percent": the same in per cent, one decimal.

    Args:
        figures: their `keys` name the rows.
        provenance: for a comment; plain JSON values.
    """
    lines = [f"% {json.dumps(dict(provenance), sort_keys=True)}", _HEAD.rstrip()]
    for figure in figures:
        for key, text in _numbers(figure).items():
            lines.append(rf"\spalab@def{{{key}}}{{{escaped(text)}}}")
    return "\n".join([*lines, _TAIL])


def keys_of(figure: PaperFigure) -> list[str]:
    """The keys that `macros` defines for a figure, in its order."""
    return list(_numbers(figure))


def _numbers(figure: PaperFigure) -> dict[str, str]:
    found: dict[str, str] = {}
    if not figure.keys:
        return found
    columns = [
        name
        for name in figure.numbers.columns
        if name not in figure.keys and pd.api.types.is_numeric_dtype(figure.numbers[name])
    ]
    for row in figure.numbers.to_dict("records"):
        where = ".".join([figure.name, *(plain(str(row[key])) for key in figure.keys)])
        for name in columns:
            value = row[name]
            if pd.isna(value):
                continue
            found[f"{where}.{plain(str(name))}"] = _text(value)
            if isinstance(value, float) and abs(value) <= 1:
                found[f"{where}.{plain(str(name))}.percent"] = number(100 * value, 1)
    return found


def plain(name: str) -> str:
    """A name without what has a meaning in a key or in LaTeX: letters, digits and hyphens."""
    kept = [character if character.isascii() and character.isalnum() else "-" for character in name]
    return "-".join(part for part in "".join(kept).split("-") if part) or "-"


def _text(value: Any) -> str:
    return number(value, PLACES) if isinstance(value, float) and abs(value) < LARGE else number(value, 0)
