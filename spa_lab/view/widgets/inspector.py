"""The trajectory inspector: find an episode, read its steps, compare the credit of each step to the truth."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, get_args

import traitlets

from spa_lab.view.charts.credit import credit_chart
from spa_lab.view.html.episodes import episodes_html
from spa_lab.view.html.markup import safe
from spa_lab.view.html.steps import Scale, head_html, steps_html
from spa_lab.view.tables.collection import MODEL_FREE, Collection, Outcome, Query, SortOrder
from spa_lab.view.tables.trajectory import pivotal_step
from spa_lab.view.text import shortened
from spa_lab.view.widgets import controls
from spa_lab.view.widgets.host import chart_pane, pane
from spa_lab.view.widgets.linked import CollectionView, default_index
from spa_lab.view.widgets.selection import Selection

FIRST_SOURCES = 3
"""Sources that are drawn at first."""
_NUMBERS = {"shortest": int, "longest": int, "disagreement": float}


class Inspector(CollectionView):
    """Steps as text beside every source's contributions, above them a chart of contributions and their sums.

    Click a step or use the arrow keys; `p` jumps to the pivotal step, `/` to the search.

    Args:
        collection: the trajectories.
        selection: shared with other widgets.
        sources: drawn at first; the first three that a model gave, or the model-free ones, if None.
        trajectory_sets: other collections to choose from on the page, by name; read when chosen.
        trajectory_set: the name of `collection` among them.
    """

    controls = pane()
    found = pane()
    head = pane()
    chart = chart_pane()
    steps = pane()
    live_only = frozenset({"controls", "status", "found"})
    query = traitlets.Instance(Query, args=())
    """What is listed; setting it updates the list."""
    sources = traitlets.List(traitlets.Unicode())
    """Whose credit is drawn; setting it redraws."""
    scale = traitlets.Enum(get_args(Scale), "common")

    def __init__(
        self,
        collection: Collection,
        selection: Selection | None = None,
        *,
        sources: list[str] | None = None,
        trajectory_sets: Mapping[str, Callable[[], Collection]] | None = None,
        trajectory_set: str = "",
    ) -> None:
        panes = ["controls", "status", "found", "head", "chart", "steps"]
        super().__init__(collection, selection, panes=panes, name="Trajectory inspector")
        self.trajectory_sets, self.trajectory_set = trajectory_sets or {}, trajectory_set
        self._start(sources)
        self.follow()
        self.observe(self._search, names=["query"])
        self.observe(self._redraw, names=["sources", "scale"])

    def _start(self, sources: list[str] | None = None) -> None:
        """Take up a collection: all of it listed, its first sources drawn."""
        known = self.collection.sources
        models = [source for source in known if source not in MODEL_FREE]
        self.sources = sources if sources is not None else (models or list(MODEL_FREE))[:FIRST_SOURCES]
        if self.selection.source not in known:
            self.selection.source = self.sources[0] if self.sources else known[0]
        self.query = Query(source=self.selection.source)
        self.numbers = self.collection.find(self.query)

    def pivotal(self) -> int | None:
        """`pivotal_step` of the truth, or else of the first source that is drawn."""
        return pivotal_step(self.credits(self.sources), self.truth)

    def draw(self) -> None:
        """The trajectory that is shown now."""
        credits = self.credits(self.sources)
        table = steps_html(self.trajectory, credits, self.truth, scale=self.scale)
        self.head = head_html(self.trajectory) + self._buttons() + self._missing_sources(len(credits))
        self.steps = f'<div class="scroll high">{table}</div>'
        self.draw_chart("chart", credit_chart(self.trajectory, credits, self.truth))
        self._list()

    def on_control(self, name: str, value: str) -> None:
        """A control of the page."""
        if name == "pivotal":
            self.selection.step = self.pivotal() or 0
        elif name in ("previous", "next"):
            self._walk(-1 if name == "previous" else 1)
        elif name == "trajectory":
            self._choose(int(value))
        elif name == "trajectory_set" and value in self.trajectory_sets:
            self._open_set(value)
        elif name == "sources":
            ticked = json.loads(value)
            self.sources = [source for source in self.collection.sources if source in ticked]
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

    def _missing_sources(self, n_credits: int) -> str:
        """Sources that gave this trajectory no credit: named, not drawn as zero."""
        if n_credits == len(self.sources):
            return ""
        given = {credit.source for credit in self.credits(self.sources)}
        names = ", ".join(safe(shortened(source, 40)) for source in self.sources if source not in given)
        return f'<span class="note">No credit of this trajectory by: {names}.</span>'

    def _choose(self, index: int) -> None:
        if not 0 <= index < len(self.collection):
            raise ValueError(
                f"{self.collection.name}: no trajectory {index}, there are {len(self.collection)}"
            )
        self.selection.choose(str(self.collection.index["trajectory_id"].iloc[index]))

    def _ask(self, **changed: Any) -> None:
        self.query = replace(self.query, **changed)

    def _open_set(self, name: str) -> None:
        collection = self.trajectory_sets[name]()
        with self.hold_trait_notifications():  # draw once all of the state is of this collection
            self.trajectory_set, self.collection = name, collection
            self._start()
            if self.selection.trajectory_id in collection:
                self.open_selected()
                self.draw()
            else:
                self._choose(default_index(collection))  # opens and draws it

    def _walk(self, way: int) -> None:
        """To the neighbour in the list; to the first of the list if the one shown is not in it."""
        if not self.numbers:
            return
        place = self.numbers.index(self.index) + way if self.index in self.numbers else 0
        if 0 <= place < len(self.numbers):
            self._choose(self.numbers[place])

    def _redraw(self, _: Any) -> None:
        self.draw()

    def _search(self, _: Any) -> None:
        self.numbers = self.collection.find(self.query)
        self._list()

    def _list(self) -> None:
        self.controls = self._form()
        source = self.selection.source
        gaps = self.collection.disagreements(source) if self.collection.has_truths else None
        self.found = episodes_html(
            self.collection.index, self.numbers, self.index, name=self.collection.name, disagreements=gaps
        )

    def _form(self) -> str:
        names, sources = list(self.trajectory_sets), self.collection.sources
        first = [controls.choice("trajectory_set", "episodes", self.trajectory_set, names)] if names else []
        first += [
            controls.field("text", "search the text", self.query.text, "search", "e.g. take mug"),
            controls.ticks("sources", "credit by", self.sources, sources),
            controls.choice("scale", "scale of the bars", self.scale, get_args(Scale)),
        ]
        return controls.row(*first, f"{self._filters()}")

    def _filters(self) -> str:
        """Everything else that narrows or sorts the list, folded."""
        query, collection = self.query, self.collection
        kinds = {"": "all"} | {kind: kind for kind in sorted(set(collection.index["kind"]))[:100]}
        parts = [
            controls.choice("kind", "task type", query.kind, kinds),
            controls.choice("outcome", "outcome", query.outcome, get_args(Outcome)),
            controls.field("shortest", "steps from", _shown(query.shortest), "number"),
            controls.field("longest", "to", _shown(query.longest), "number"),
        ]
        if collection.has_truths:
            parts.append(controls.choice("source", "disagreement of", query.source, collection.sources))
            parts.append(controls.field("disagreement", "at least", _shown(query.disagreement), "number"))
        parts.append(controls.choice("order", "order", query.order, get_args(SortOrder)))
        plain = Query(source=query.source, text=query.text)
        active = "" if query == plain else " (active)"
        return (
            f'<details class="filters" data-keep="filters"><summary>filter and sort{active}</summary>'
            f"{controls.row(*parts)}</details>"
        )


def _shown(number: float | None) -> str:
    return "" if number is None else f"{number:g}"
