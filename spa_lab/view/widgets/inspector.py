"""The trajectory inspector: find an episode, read its steps, see who credits which step, beside the truth."""

import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import traitlets

from spa_lab.types import FloatArray
from spa_lab.view.html.markup import safe
from spa_lab.view.html.steps import Scale, head_html, steps_html, sums_html
from spa_lab.view.tables.collection import MODEL_FREE, Collection, Outcome, Query, SortOrder
from spa_lab.view.tables.trajectory import pivotal_step
from spa_lab.view.text import shortened
from spa_lab.view.widgets import controls
from spa_lab.view.widgets.host import pane
from spa_lab.view.widgets.linked import Linked, default_index
from spa_lab.view.widgets.selection import Selection

MOST_FOUND = 200
"""Trajectories listed at once."""
FIRST_SOURCES = 3
"""Sources whose bars are drawn at first."""
_NUMBERS = {"shortest": int, "longest": int, "disagreement": float}


class Inspector(Linked):
    """Steps as text, every source's contributions beside them, and how they add up.

    Click a step or use the arrow keys; `p` jumps to the pivotal step, `/` to the search.

    Args:
        collection: what there is to look at.
        selection: shared with other widgets.
        sources: whose bars to draw at first; the first three that a model gave, or the plain ones, if None.
        shelves: other collections to choose from on the page, by name; read when chosen.
        shelf: the name of `collection` among them.
    """

    controls = pane()
    found = pane()
    head = pane()
    steps = pane()
    sums = pane()
    live_only = frozenset({"controls", "status", "found"})
    query = traitlets.Instance(Query, args=())
    """What is listed; setting it lists anew."""
    sources = traitlets.List(traitlets.Unicode())
    """Whose bars are drawn; setting it draws anew."""
    scale = traitlets.Enum(get_args(Scale), "common")

    def __init__(
        self,
        collection: Collection,
        selection: Selection | None = None,
        *,
        sources: list[str] | None = None,
        shelves: Mapping[str, Callable[[], Collection]] | None = None,
        shelf: str = "",
    ) -> None:
        panes = ["controls", "status", "found", "head", "steps", "sums"]
        super().__init__(collection, selection, panes=panes, name="Trajectory inspector")
        self.shelves, self.shelf = shelves or {}, shelf
        self._begin(sources)
        self.observe(self._search, names=["query"])
        self.observe(self._redraw, names=["sources", "scale"])

    def _begin(self, sources: list[str] | None = None) -> None:
        """Take up a collection: all of it listed, its first sources drawn."""
        there = self.collection.sources
        models = [source for source in there if source not in MODEL_FREE]
        self.sources = sources if sources is not None else (models or list(MODEL_FREE))[:FIRST_SOURCES]
        if self.selection.source not in there:
            self.selection.source = self.sources[0] if self.sources else there[0]
        self.query = Query(source=self.selection.source)
        self.numbers = self.collection.find(self.query)
        self.draw()

    def pivotal(self) -> int | None:
        """The step that `tables.trajectory.pivotal_step` names for the sources that are drawn."""
        return pivotal_step(self.credits(self.sources), self.truth)

    def draw(self) -> None:
        """The trajectory that is shown now."""
        credits = self.credits(self.sources)
        self.head = head_html(self.trajectory) + self._buttons() + self._silent(len(credits))
        table = steps_html(self.trajectory, credits, self.truth, scale=self.scale)
        self.steps = f'<div class="scroll high">{table}</div>'
        self.sums = sums_html(self.trajectory, credits, self.truth)
        self._list()

    def moved(self, name: str, value: str) -> None:
        """A control of the page."""
        if name == "pivotal":
            self.selection.step = self.pivotal() or 0
        elif name in ("previous", "next"):
            self._walk(-1 if name == "previous" else 1)
        elif name == "trajectory":
            self._choose(int(value))
        elif name == "shelf" and value in self.shelves:
            self._take(value)
        elif name == "sources":
            self.sources = [one for one in self.collection.sources if one in json.loads(value)]
        elif name == "scale":
            self.scale = value
        elif name == "source":
            self.selection.source = value
            self.query = replace(self.query, source=value)
        elif name in _NUMBERS:
            self._ask(**{name: _NUMBERS[name](value) if value.strip() else None})
        elif name in ("text", "kind", "outcome", "order"):
            self._ask(**{name: value})

    def _buttons(self) -> str:
        jump = controls.button("pivotal", "Pivotal step", key="p", enabled=self.pivotal() is not None)
        walk = controls.button("previous", "Previous", key="[") + controls.button("next", "Next", key="]")
        keys = '<span class="facts"><kbd>←</kbd> <kbd>→</kbd> steps · <kbd>/</kbd> search</span>'
        return f'<div class="only-live">{controls.row(jump, walk, keys)}</div>'

    def _silent(self, n_credits: int) -> str:
        """Who was asked and gave this trajectory no credit: said, not drawn as zero."""
        if n_credits == len(self.sources):
            return ""
        said = {credit.source for credit in self.credits(self.sources)}
        names = ", ".join(safe(shortened(one, 40)) for one in self.sources if one not in said)
        return f'<span class="note">No credit of this trajectory by: {names}.</span>'

    def _choose(self, number: int) -> None:
        if not 0 <= number < len(self.collection):
            raise ValueError(
                f"{self.collection.name}: no trajectory {number}, there are {len(self.collection)}"
            )
        self.selection.choose(str(self.collection.index["trajectory_id"].iloc[number]))

    def _ask(self, **changed: Any) -> None:
        self.query = replace(self.query, **changed)

    def _take(self, shelf: str) -> None:
        """Look at another collection."""
        self.shelf, self.collection = shelf, self.shelves[shelf]()
        self.numbers = []
        if self.selection.trajectory_id not in self.collection:
            self._choose(default_index(self.collection))
        self.open_chosen()
        self._begin()

    def _walk(self, way: int) -> None:
        """To the neighbour in the list; the first of the list where the one shown is not in it."""
        if not self.numbers:
            return
        place = self.numbers.index(self.number) + way if self.number in self.numbers else 0
        if 0 <= place < len(self.numbers):
            self._choose(self.numbers[place])

    def _redraw(self, _: Any) -> None:
        self.draw()

    def _search(self, _: Any) -> None:
        self.numbers = self.collection.find(self.query)
        self._list()

    def _list(self) -> None:
        self.controls = self._form()
        self.found = self._table()

    def _form(self) -> str:
        query, collection = self.query, self.collection
        kinds = {"": "all"} | {kind: kind for kind in sorted(set(collection.index["kind"]))[:100]}
        parts = [controls.choice("shelf", "episodes", self.shelf, list(self.shelves))] if self.shelves else []
        parts += [
            controls.field("text", "search the words", query.text, "search", "e.g. take mug"),
            controls.choice("kind", "task type", query.kind, kinds),
            controls.choice("outcome", "outcome", query.outcome, get_args(Outcome)),
            controls.field("shortest", "steps from", _shown(query.shortest), "number"),
            controls.field("longest", "to", _shown(query.longest), "number"),
        ]
        if collection.has_truths:
            parts.append(controls.choice("source", "disagreement of", query.source, collection.sources))
            parts.append(controls.field("disagreement", "at least", _shown(query.disagreement), "number"))
        order = controls.choice("order", "order", query.order, get_args(SortOrder))
        bars = [order, controls.ticks("sources", "bars of", self.sources, collection.sources)]
        bars.append(controls.choice("scale", "scale of the bars", self.scale, get_args(Scale)))
        return controls.row(*parts) + controls.row(*bars)

    def _table(self) -> str:
        shown = self.numbers[:MOST_FOUND]
        gaps = self.collection.disagreements(self.selection.source) if self.collection.has_truths else None
        focused = self.number if self.number in shown else next(iter(shown), -1)
        records = self.collection.index.iloc[shown].to_dict("records")
        rows = "".join(
            self._row(number, one, gaps, focused=number == focused)
            for number, one in zip(shown, records, strict=True)
        )
        names = ["trajectory", "task type", "outcome", "R", "steps", "grounded"]
        names += ["disagreement"] if gaps is not None else []
        heads = "".join(
            f'<th scope="col" role="columnheader"{" class=figure" if place > 2 else ""}>{name}</th>'
            for place, name in enumerate(names)
        )
        total = f"{len(self.numbers):,} of {len(self.collection):,} trajectories of {self.collection.name}"
        left = f", the first {MOST_FOUND} listed" if len(self.numbers) > MOST_FOUND else ""
        return (
            f'<p class="facts" role="status">{safe(total)}{left}</p><div class="scroll low" data-keep>'
            f'<table class="found" role="grid" aria-label="trajectories"><thead><tr role="row">{heads}</tr>'
            f"</thead><tbody>{rows}</tbody></table></div>"
        )

    def _row(
        self, number: int, one: Mapping[Hashable, Any], gaps: FloatArray | None, *, focused: bool
    ) -> str:
        cells = [
            f"<td>{safe(shortened(str(one['trajectory_id']), 60))}</td><td>{safe(str(one['kind']))}</td>",
            f"<td>{'✓ success' if one['success'] else '✗ failure'}</td>",
            f'<td class="figure">{one["outcome"]:.2f}</td><td class="figure">{one["n_steps"]}</td>',
            f'<td class="figure">{one["grounding"]:.0%}</td>',
        ]
        if gaps is not None:
            cells.append(
                f'<td class="figure">{"–" if np.isnan(gaps[number]) else f"{gaps[number]:.3f}"}</td>'
            )
        here = "true" if number == self.number else "false"
        state = f'tabindex="{0 if focused else -1}" aria-selected="{here}"'
        return f'<tr role="row" data-trajectory="{number}" {state}>{"".join(cells)}</tr>'


def _shown(number: float | None) -> str:
    return "" if number is None else f"{number:g}"
