r"""LaTeX macros with the numbers of figures: `\spalab{success.SPA-RL.success}` in a paper, for `\input`.

The text of a paper then never holds a number that was typed. A key that does not exist prints "??" in bold
and warns, like a missing reference.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from spa_lab.view.paper.latex import escaped
from spa_lab.view.paper.paper_figure import PaperFigure
from spa_lab.view.tables.comparison_rows import number

FILE = "numbers.tex"
PLACES = 3
"""Decimals of a number below `LARGE`."""
LARGE = 1000.0
KEY_DIGITS = 3
"""Significant digits of a number in a key."""
_HEAD = r"""\makeatletter
\providecommand{\spalab}[1]{\ifcsname spalab@#1\endcsname\csname spalab@#1\endcsname\else
  \textbf{??}\@latex@warning{No number `#1'}\fi}
\long\def\spalab@def#1#2{\expandafter\def\csname spalab@#1\endcsname{#2}}
"""
_TAIL = "\\makeatother\n"


def macros(figures: Iterable[PaperFigure], provenance: Mapping[str, Any]) -> str:
    r"""A LaTeX file with `\spalab{FIGURE.ROW.COLUMN}` for every number of figures that name their rows.

    A fraction between -1 and 1 has a second key that ends in ".percent": the same in per cent, one decimal.
    Rows whose names have the same ASCII letters and digits are numbered, "SPA" and "SPA-2".

    Args:
        figures: their `keys` name the rows.
        provenance: for a comment; plain JSON values.

    Raises:
        ValueError: two figures have the same name.
    """
    figures = list(figures)
    names = [figure.name for figure in figures if figure.keys]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise ValueError(f"numbers of figures: {twice[0]!r} is the name of {names.count(twice[0])} figures")
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
    titles = _numbered([plain(name) for name in columns])
    records = figure.numbers.to_dict("records")
    places = _numbered([".".join(plain(row[key]) for key in figure.keys) for row in records])
    for row, place in zip(records, places, strict=True):
        for name, title in zip(columns, titles, strict=True):
            value = row[name]
            if pd.isna(value):
                continue
            key = f"{figure.name}.{place}.{title}"
            found[key] = _text(value)
            if isinstance(value, float) and abs(value) <= 1:
                found[f"{key}.percent"] = number(100 * value, 1)
    return found


def plain(name: Any) -> str:
    """A name or number without what has a meaning in a key or in LaTeX: ASCII letters, digits and hyphens.

    The sign of a number stays, and one that is not whole is rounded: -0.215723 becomes "-0-216".
    """
    if isinstance(name, float):
        name = np.format_float_positional(name, precision=KEY_DIGITS, fractional=False, trim="-")
    text = str(name).strip().replace("\N{MINUS SIGN}", "-")
    kept = [character if character.isascii() and character.isalnum() else "-" for character in text]
    joined = "-".join(part for part in "".join(kept).split("-") if part)
    return ("-" if re.match(r"-[.\d]", text) else "") + joined or "-"


def _numbered(keys: list[str]) -> list[str]:
    """The keys, each once: the second "SPA" becomes "SPA-2", or the next number that is free."""
    taken, result = set(keys), list[str]()
    for key in keys:
        name, count = key, 1
        while name in result or (count > 1 and name in taken):
            count += 1
            name = f"{key}-{count}"
        result.append(name)
    return result


def _text(value: Any) -> str:
    return number(value, PLACES) if isinstance(value, float) and abs(value) < LARGE else number(value, 0)
