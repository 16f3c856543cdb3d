"""Tables as results of notebook cells: text flush left, numbers flush right with few digits."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from spa_lab.view.html.markup import safe, styled
from spa_lab.view.text import shortened

LONGEST = 120
"""Characters of a cell."""
MOST_ROWS = 100
UNKNOWN = "–"


class Table:
    """A frame to be displayed; its own text and that of agents is escaped.

    Args:
        frame: what is shown; its index, too, unless that only counts and has no name.
        names: column -> its heading; "_" becomes a space where there is none.
        digits: after the decimal point of numbers that are not whole.
        caption: above the table.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        *,
        names: Mapping[str, str] | None = None,
        digits: int = 2,
        caption: str = "",
    ) -> None:
        self.frame, self.names, self.digits, self.caption = frame, dict(names or {}), digits, caption

    def _repr_html_(self) -> str:
        shown = self.frame
        if not isinstance(shown.index, pd.RangeIndex) or shown.index.name:
            names = [name or " " * (level + 1) for level, name in enumerate(shown.index.names)]
            shown = shown.rename_axis(names).reset_index()
        kinds = [is_numeric_dtype(kind) and not is_bool_dtype(kind) for kind in shown.dtypes]
        head = _row("th", map(self._heading, shown), kinds)
        rows = shown.head(MOST_ROWS).itertuples(index=False)
        body = "".join(_row("td", map(self._text, row), kinds) for row in rows)
        left = len(shown) - MOST_ROWS
        note = f'<span class="note">{left:,} more rows</span>' if left > 0 else ""
        title = f"<caption>{safe(self.caption)}</caption>" if self.caption else ""
        table = f'<table class="plain">{title}<thead>{head}</thead><tbody>{body}</tbody></table>'
        return styled(f'<div class="scroll-across">{table}</div>{note}')

    def _heading(self, name: Any) -> str:
        parts = name if isinstance(name, tuple) else (name,)
        return ", ".join(
            self.names.get(str(part), str(part).replace("_", " ")) for part in parts if part != ""
        )

    def _text(self, value: Any) -> str:
        if isinstance(value, bool | np.bool_):
            return "yes" if value else "no"
        if value is None or value is pd.NA:
            return UNKNOWN
        if isinstance(value, float | np.floating) and not np.isfinite(value):
            return UNKNOWN
        if isinstance(value, float | np.floating):
            whole = float(value).is_integer() and abs(float(value)) > 1
            return f"{value:z,.{0 if whole else self.digits}f}".replace("-", "−")
        if isinstance(value, int | np.integer):
            return f"{value:,}".replace("-", "−")
        return shortened(str(value), LONGEST)


def _row(tag: str, texts: Iterable[str], figures: Sequence[bool]) -> str:
    scope = ' scope="col"' if tag == "th" else ' dir="auto"'
    cells = (
        f"<{tag}{scope}{' class=figure' if figure else ''}>{safe(text)}</{tag}>"
        for text, figure in zip(texts, figures, strict=True)
    )
    return f"<tr>{''.join(cells)}</tr>"
