"""A figure for print with everything that belongs to it: numbers, caption, LaTeX table, provenance."""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from spa_lab.store import replacing
from spa_lab.store.files import write_text
from spa_lab.view.html.markup import safe
from spa_lab.view.paper import latex
from spa_lab.view.paper.page import TWO_COLUMNS, Page

DPI = 200
"""Resolution of PNG files, dots per inch."""
ENDINGS = (".pdf", ".svg", ".png")
"""Formats of a picture."""
FORMATS = ("pdf", "svg", "png", "csv", "tex")
"""What a figure can be saved as."""
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
    page: Page
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Provenance of this figure alone: plain JSON values such as n."""
    table: str = ""
    """The same numbers as a LaTeX `tabular`; empty if the figure has none."""
    keys: tuple[str, ...] = ()
    """Columns of `numbers` that name a row in LaTeX macros; without any there are none of this figure."""

    def on_panel(self, panel: str, world: str, n_tasks: int) -> "PaperFigure":
        """The same figure, whose caption and provenance name the tasks on which policies were evaluated."""
        tasks = "1 task" if n_tasks == 1 else f"{n_tasks} tasks"
        caption = f"{self.caption} {tasks} of panel {panel}, {world}."
        return replace(self, caption=caption, facts={**self.facts, "panel": panel, "world": world})

    def save(
        self,
        folder: Path | str,
        provenance: Mapping[str, Any] | None = None,
        *,
        in_caption: str = "",
        formats: Sequence[str] = FORMATS,
    ) -> list[Path]:
        """Write PDF, SVG, PNG, the numbers as CSV, and LaTeX; existing files of these names are replaced.

        Every picture holds the provenance in its metadata, every LaTeX file in a comment.

        Args:
            folder: created if missing.
            provenance: plain JSON values, see `view.provenance.provenance_of`; `facts` are added.
            in_caption: a sentence that closes the caption, e.g. `view.provenance.in_words`; "" for none.
            formats: of `FORMATS`; LaTeX includes the PDF, or else the PNG.

        Returns:
            The files.

        Raises:
            ValueError: provenance that has no JSON form, or an unknown format.
            StoreError: a file could not be written.
        """
        check_formats(formats)
        folder = Path(folder)
        known = {**(provenance or {}), **self.facts, "figure": self.name}
        pictures = [folder / f"{self.name}{ending}" for ending in ENDINGS if ending[1:] in formats]
        for path in pictures:
            write_picture(self.figure, path, known, self.page)
        texts = self._texts(f"% {json.dumps(known, sort_keys=True)}\n", in_caption, formats)
        for name, text in texts.items():
            write_text(folder / name, text)
        return [*pictures, *(folder / name for name in texts)]

    def _texts(self, comment: str, in_caption: str, formats: Sequence[str]) -> dict[str, str]:
        """Name of a file -> what it holds."""
        texts = {}
        if "csv" in formats:
            texts[f"{self.name}.csv"] = self.numbers.to_csv(index=False)
        if "tex" in formats:
            picture = f"{self.name}.{'png' if 'png' in formats and 'pdf' not in formats else 'pdf'}"
            caption = f"{self.caption} {in_caption}".strip()
            spans = self.page.spans_columns
            environment = latex.figure_environment(self.name, caption, picture=picture, spans_columns=spans)
            texts[f"{self.name}.tex"] = comment + environment
            if self.table:
                texts[f"{self.name}-table.tex"] = comment + self.table
        return texts

    def _repr_html_(self) -> str:
        """The figure at its printed size, with its caption."""
        picture = BytesIO()
        # letters as curves: a browser may lack the font
        with rc_context(self.page.settings | {"svg.fonttype": "path"}):
            self.figure.savefig(picture, format="svg", metadata={"Date": None})
        source = f"data:image/svg+xml;base64,{b64encode(picture.getvalue()).decode()}"
        words, width = safe(self.caption), f"width:{self.figure.get_size_inches()[0]:g}in"
        return (
            f'<figure style="{width};max-width:100%;margin:0"><img alt="{words}" src="{source}" '
            f'style="width:100%"><figcaption>{words}</figcaption></figure>'
        )


def check_formats(formats: Sequence[str]) -> None:
    """Raise ValueError unless each is one of `FORMATS`."""
    for name in formats:
        if name not in FORMATS:
            raise ValueError(f"format {name!r} is not known; there are: {', '.join(FORMATS)}")


def write_picture(
    figure: Figure, path: Path, provenance: Mapping[str, Any], page: Page = TWO_COLUMNS
) -> None:
    """Write one picture file atomically, with its provenance in the file's own metadata.

    The provenance is one line of JSON: in SVG and PNG under "Description", in PDF under "Subject". No dates
    are written: the same figure and provenance give the same bytes under the same version of matplotlib.

    Args:
        figure: a figure of this package.
        path: ends in .svg, .pdf or .png; an existing file is replaced.
        provenance: plain JSON values, e.g. `Run.provenance`.
        page: that it was drawn for.

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
    with page.printing(), replacing(path) as partial:
        figure.savefig(partial, format=ending[1:], dpi=DPI, metadata=metadata)
