"""`spa_lab.credit_picture`: one episode, its outcome split by a source, and what was measured."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from spa_lab.store.files import write_text
from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view.html.markup import styled
from spa_lab.view.paper.captions import episode_facts
from spa_lab.view.paper.paper_figure import write_picture
from spa_lab.view.picture.columns import most_blocks
from spa_lab.view.picture.layout import Episode, scene_of
from spa_lab.view.picture.plot import plot
from spa_lab.view.picture.scene import Scene
from spa_lab.view.picture.svg import inline_svg, svg
from spa_lab.view.picture.tikz import tikz
from spa_lab.view.tables.blocks import MOST, block_table

WIDTH = 8.0
"""Inches: as wide as a page of text on a screen."""
NARROWEST = 2.5
"""Inches."""
ENDINGS = (".svg", ".pdf", ".png", ".tex")


@dataclass(frozen=True, eq=False)
class CreditPicture:
    """What `credit_picture` returns; shows itself in a notebook, light or dark as the notebook is."""

    scene: Scene
    table: pd.DataFrame
    """The numbers that are drawn, a row per box; see `tables.blocks.block_table`."""
    facts: Mapping[str, Any]
    """Provenance of the picture: plain JSON values."""

    @property
    def description(self) -> str:
        """The picture in words, its alternative text."""
        return self.scene.description

    def save(self, path: Path | str, provenance: Mapping[str, Any] | None = None) -> Path:
        r"""Write the picture; an existing file is replaced.

        SVG is dark where the reader's system is; PDF and PNG are light; .tex is a `tikzpicture` to `\input`
        (packages tikz, and fontenc with T1), set in the fonts of the paper. The provenance is in the
        metadata, in TikZ in a comment.

        Args:
            path: ends in .svg, .pdf, .png or .tex.
            provenance: plain JSON values, see `view.provenance.provenance_of`; `facts` are added.

        Returns:
            The path.

        Raises:
            ValueError: another ending, or provenance that has no JSON form.
            StoreError: the file could not be written.
        """
        path = Path(path)
        ending = path.suffix.lower()
        if ending not in ENDINGS:
            raise ValueError(f"{path}: the file name must end in {', '.join(ENDINGS)}, not {ending!r}")
        known = {**(provenance or {}), **self.facts}
        try:
            json.dumps(known, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: provenance has no JSON form: {error}") from error
        if ending in (".svg", ".tex"):
            write_text(path, (svg if ending == ".svg" else tikz)(self.scene, known))
        else:
            write_picture(plot(self.scene), path, known)
        return path

    def _repr_html_(self) -> str:
        """The drawing as a part of the page; it follows the theme of the notebook."""
        return styled(inline_svg(self.scene))


def credit_picture(
    trajectory: Trajectory,
    credit: Credit,
    truth: ValueTruth | None = None,
    *,
    width: float = WIDTH,
    most: int = MOST,
    title: str = "",
) -> CreditPicture:
    """Draw how one source splits the outcome of an episode over its steps, beside what was measured.

    Of a source that splits no outcome, such as advantages, the picture says that it gives a number per step.

    Steps are boxes with their actions, the outcome R stands at the end, and an arrow leads from it to one
    bar for every box. Measured progress stands beside the bars with one standard error. Where both differ by
    more than two standard errors and 0.05 the column is highlighted, and words say how. Of a long episode
    neighbouring steps that are alike share a box, and their numbers are sums.

    Args:
        trajectory: T steps; the outcome may be unknown.
        credit: of this trajectory, any source.
        truth: a measurement of this trajectory; without one, only the split is drawn.
        width: inches; text does not shrink, so a narrower picture has fewer boxes. 5.5 and 6.95 are usual
            in papers.
        most: boxes at most, 1 to 7.
        title: what the source is called; its name if "".

    Raises:
        ValueError: a credit or truth of another trajectory, a width below 2.5, or `most` below 1.
    """
    if not width >= NARROWEST:
        raise ValueError(f"width must be at least {NARROWEST} inches, got {width}")
    blocks = block_table(trajectory, credit, truth, most=most_blocks(72 * width, most) if most >= 1 else most)
    episode = Episode(trajectory, credit, truth, blocks, title or credit.source)
    facts = {**episode_facts(trajectory, truth), "source": credit.source, "figure": "credit picture"}
    return CreditPicture(scene_of(episode, 72 * width), blocks, facts)
