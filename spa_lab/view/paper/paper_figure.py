"""A figure for print with everything that belongs to it: numbers, caption, LaTeX table, provenance."""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from spa_lab.store import replacing
from spa_lab.store.files import write_text
from spa_lab.view import style
from spa_lab.view.html.markup import safe
from spa_lab.view.paper import latex
from spa_lab.view.paper.page import Columns, width_of

DPI = 200
"""Resolution of PNG files, dots per inch."""
ENDINGS = (".pdf", ".svg", ".png")
"""Formats of a picture."""
_PROVENANCE_FIELD = {".svg": "Description", ".pdf": "Subject", ".png": "Description"}
_NO_DATE: dict[str, dict[str, None]] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".png": {}}


@dataclass(frozen=True, eq=False)
class PaperFigure:
    """One figure for print."""

    name: str
    """Of its files: letters, digits and hyphens."""
    figure: Figure
    numbers: pd.DataFrame
    """The numbers that are drawn, and no others."""
    caption: str
    """Plain text: what is shown and how the intervals were made."""
    columns: Columns
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Provenance of this figure alone: plain JSON values such as n."""
    table: str = ""
    """The same numbers as a LaTeX `tabular`; empty if the figure has none."""

    def save(
        self, folder: Path | str, provenance: Mapping[str, Any] | None = None, *, in_caption: str = ""
    ) -> list[Path]:
        """Write PDF, SVG, PNG, the numbers as CSV, and LaTeX; existing files of these names are replaced.

        Every picture holds the provenance in its metadata, every LaTeX file in a comment.

        Args:
            folder: created if missing.
            provenance: plain JSON values, see `view.provenance.provenance_of`; `facts` are added.
            in_caption: a sentence that closes the caption, e.g. `view.provenance.in_words`; "" for none.

        Returns:
            The files.

        Raises:
            ValueError: provenance that has no JSON form.
            StoreError: a file could not be written.
        """
        folder = Path(folder)
        known = {**(provenance or {}), **self.facts, "figure": self.name}
        pictures = [folder / f"{self.name}{ending}" for ending in ENDINGS]
        for path in pictures:
            write_picture(self.figure, path, known)
        comment = f"% {json.dumps(known, sort_keys=True)}\n"
        caption = f"{self.caption} {in_caption}".strip()
        texts = {
            f"{self.name}.csv": self.numbers.to_csv(index=False),
            f"{self.name}.tex": comment + latex.figure_environment(self.name, caption, columns=self.columns),
        }
        if self.table:
            texts[f"{self.name}-table.tex"] = comment + self.table
        for name, text in texts.items():
            write_text(folder / name, text)
        return [*pictures, *(folder / name for name in texts)]

    def _repr_html_(self) -> str:
        """The figure at its printed size, with its caption."""
        picture = BytesIO()
        # letters as curves: a browser may lack the font
        with rc_context(style.PAPER_RC | {"svg.fonttype": "path"}):
            self.figure.savefig(picture, format="svg", metadata={"Date": None})
        source = f"data:image/svg+xml;base64,{b64encode(picture.getvalue()).decode()}"
        words, width = safe(self.caption), f"width:{width_of(self.columns)}in"
        return (
            f'<figure style="{width};max-width:100%;margin:0"><img alt="{words}" src="{source}" '
            f'style="width:100%"><figcaption>{words}</figcaption></figure>'
        )


def write_picture(figure: Figure, path: Path, provenance: Mapping[str, Any]) -> None:
    """Write one picture file atomically, with its provenance in the file's own metadata.

    The provenance is one line of JSON: in SVG and PNG under "Description", in PDF under "Subject". No dates
    are written: the same figure and provenance give the same bytes under the same version of matplotlib.

    Args:
        figure: a figure of this package.
        path: ends in .svg, .pdf or .png; an existing file is replaced.
        provenance: plain JSON values, e.g. `Run.provenance`.

    Raises:
        ValueError: another ending, or provenance that has no JSON form.
        StoreError: the file could not be written.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise ValueError(f"{path}: the file name must end in {', '.join(ENDINGS)}, not {ending!r}")
    try:
        described = json.dumps(provenance, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: provenance has no JSON form: {error}") from error
    metadata = {_PROVENANCE_FIELD[ending]: described} | _NO_DATE[ending]
    with rc_context(style.PAPER_RC), replacing(path) as partial:
        figure.savefig(partial, format=ending[1:], dpi=DPI, metadata=metadata)
