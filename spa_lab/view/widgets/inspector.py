"""The trajectory inspector: find an episode, read its steps, compare the credit of each step to the truth."""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args

import traitlets

from spa_lab.rewards import MODEL_FREE
from spa_lab.view.html.episodes import SORTS, episodes_html
from spa_lab.view.html.notes import notes_html
from spa_lab.view.html.steps import Scale
from spa_lab.view.notes import Notes, split_tags
from spa_lab.view.tables.collection import Collection, Query
from spa_lab.view.tables.trajectory import MEASURED
from spa_lab.view.text import outcome_text, shortened
from spa_lab.view.widgets.episode import (
    CHARTS,
    STEPS_PER_PAGE,
    Episode,
    beside_chart_of,
    beside_steps,
    n_pages,
)
from spa_lab.view.widgets.host import chart_pane, pane
from spa_lab.view.widgets.inspector_forms import NUMBERS, as_number, beside_choice, drawing_html, filters_html
from spa_lab.view.widgets.linked import CollectionView, default_index
from spa_lab.view.widgets.saved_inspector import saved_page
from spa_lab.view.widgets.selection import Selection

FIRST_SOURCES = 3
"""Sources that are drawn at first."""
NOTES_FILE = "notes.jsonl"


class Inspector(CollectionView):
    """Episodes on the left; on the right a chart to scrub through, and every step with each source's credit.

    Click a step or use the arrow keys; `p` jumps to the pivotal step, `/` to the search, Enter to the steps,
    `[` and `]` to the next episode; Esc clears search and filters. `save` writes a page without kernel.

    Args:
        collection: the trajectories.
        selection: shared with other widgets.
        sources: drawn at first; the first three that a model gave, or the model-free ones, if None.
        trajectory_sets: other collections to choose from on the page, by name; read when chosen.
        trajectory_set: the name of `collection` among them.
        others: further collections that may hold another episode of the same task, by name.
        beside: name of the collection whose episodes are shown beside these at first.
        notes: the reader's tags, notes and labels so far.
        notes_path: file that the page's button writes them to.

    Raises:
        ValueError: a source that the collection does not have.
    """

    filters = pane()
    found = pane()
    head = pane()
    controls = pane()
    chart = chart_pane()
    steps = pane()
    remarks = pane()
    live_only = frozenset({"filters", "controls", "status", "found", "remarks"})
    query = traitlets.Instance(Query, args=())
    """What is listed; setting it updates the list. Its source is that of the selection."""
    query_words = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """Words that the page marks in the text."""
    sources = traitlets.List(traitlets.Unicode())
    """Whose credit is drawn; setting it redraws."""
    scale = traitlets.Enum(get_args(Scale), "common")
    chart_kind = traitlets.Enum(list(CHARTS), "sums")
    focus = traitlets.Unicode()
    """The source of the waterfall and of the tint; `tables.trajectory.MEASURED` for the truth."""
    beside_set = traitlets.Unicode()
    """The collection that is looked through for another episode of the task; "" for none."""

    def __init__(
        self,
        collection: Collection,
        selection: Selection | None = None,
        *,
        sources: list[str] | None = None,
        trajectory_sets: Mapping[str, Callable[[], Collection]] | None = None,
        trajectory_set: str = "",
        others: Mapping[str, Callable[[], Collection]] | None = None,
        beside: str = "",
        notes: Notes | None = None,
        notes_path: Path | str = NOTES_FILE,
    ) -> None:
        panes = ["status", "filters", "found", "head", "controls", "chart", "steps", "remarks"]
        super().__init__(collection, selection, panes=panes, name="Trajectory inspector")
        self.trajectory_sets, self.trajectory_set = trajectory_sets or {}, trajectory_set
        self.others = others or {}
        self.notes, self.notes_path = notes if notes is not None else Notes(), Path(notes_path)
        self.beside_set, self.partner, self.tag, self.only_differing = beside, -1, "", False
        self._beyond: int | None = None  # the page of a longer episode beside, after the last step here
        self._start(sources)
        self.follow()
        self.hear(self._on_source, "source")
        self.observe(self._search, names=["query"])
        self.observe(self._redraw, names=["sources", "scale", "chart_kind", "focus", "beside_set"])

    def _start(self, sources: list[str] | None = None) -> None:
        """Take up a collection: all of it listed, its first sources drawn."""
        known = self.collection.sources
        unknown = [source for source in sources or () if source not in known]
        if unknown:
            raise ValueError(f"{self.collection.name}: no credit by {unknown}, only by {known}")
        models = [source for source in known if source not in MODEL_FREE]
        self.sources = sources if sources is not None else (models or list(MODEL_FREE))[:FIRST_SOURCES]
        if self.selection.source not in known:
            self.selection.source = self.sources[0] if self.sources else known[0]
        self.focus = self.sources[0] if self.sources else MEASURED
        self.query, self.tag = Query(source=self.selection.source), ""
        self.numbers = self.collection.find(self.query)

    @property
    def episode(self) -> Episode:
        """The episode that is shown, as it is drawn."""
        labels = self.notes.labels(self.trajectory.id)
        return Episode(self.collection, self.index, self.sources, self.focus, self.scale, labels)

    @property
    def page(self) -> int:
        """The page of steps that is shown: the one with the selected step, or a later one of the pair."""
        return self._beyond if self._beyond is not None else max(self.step, 0) // STEPS_PER_PAGE

    def pivotal(self) -> int | None:
        """`pivotal_step` of the truth, or else of the first source that is drawn."""
        return self.episode.pivotal()

    def draw(self) -> None:
        """The trajectory that is shown now."""
        self._beyond = None
        episode, other = self.episode, self._other()
        self.head = episode.head()
        self.draw_chart("chart", beside_chart_of(episode, other) if other else episode.chart(self.chart_kind))
        self._draw_steps()
        self._draw_controls()
        self._list()

    def draw_step(self) -> None:
        """Another step was selected: its page, and the fields for its note."""
        self._beyond = None
        if self._drawn_page != self.page:
            self._draw_steps()
        self._draw_remarks()

    def save(self, path: Path | str) -> None:
        """Write all episodes as one page that stays interactive without a kernel and without a network.

        Sources, scale, focus and notes are those of now. Episodes beside these are left out, which the page
        says. A link to the page may end in `#episode=ID&step=NUMBER`. The reader's notes stay in the browser
        and can be exported from it.

        Raises:
            StoreError: the disk refuses.
            ValueError: a trajectory cannot be read (names it).
        """
        saved_page(self, Path(path))

    def on_control(self, name: str, value: str) -> None:
        """A control of the page."""
        if name == "pivotal":
            self.selection.step = self.pivotal() or 0
        elif name in ("previous", "next"):
            self._walk(-1 if name == "previous" else 1)
        elif name == "trajectory":
            self._choose(int(value))
        elif name == "page":
            self._turn_to(int(value))
        elif name == "trajectory_set" and value in self.trajectory_sets:
            self._open_set(value)
        elif name == "save_notes":
            self.notes.save(self.notes_path)
        elif name.split(":")[0] in ("tags", "note", "label", "text") and ":" in name:
            self._write(name, value)
        elif name in ("sources", "scale", "chart", "focus", "beside_set", "partner"):
            self._draw_otherwise(name, value)
        else:
            self._filter(name, value)

    def _draw_otherwise(self, name: str, value: str) -> None:
        if name == "sources":
            ticked = json.loads(value)
            self.sources = [source for source in self.collection.sources if source in ticked]
        elif name == "partner":
            self.partner = int(value)
            self.draw()
        elif name == "beside_set":
            self.partner, self.only_differing = -1, False
            self.beside_set = value if value in self._beside_sets() else ""
        elif name == "focus" and value in (MEASURED, *self.collection.sources):
            self.focus = value
        elif name in ("scale", "chart"):
            self.set_trait("chart_kind" if name == "chart" else name, value)

    def _filter(self, name: str, value: str) -> None:
        if name == "source" and value in self.collection.sources:
            self._ask(source=value)
        elif name in NUMBERS:
            self._ask(**{name: as_number(name, value) if value.strip() else None})
        elif name in ("text", "kind", "outcome", "order"):
            self._ask(**{name: value})
        elif name == "sort" and value in SORTS:
            _, down, up = SORTS[value]
            self._ask(order=up if self.query.order == down else down)
        elif name == "tag":
            self.tag = value
            self._search(None)
        elif name == "differing":
            self.only_differing = not self.only_differing
            self._search(None)
        elif name == "clear":
            defaults = {field.name: field.default for field in fields(Query)}
            if value == "tag":
                self._filter("tag", "")
            elif value in defaults:
                self._ask(**{value: defaults[value]})
        elif name == "reset":
            self.tag, self.only_differing = "", False
            self.query = Query(source=self.query.source, order=self.query.order)
            self._search(None)

    def _write(self, name: str, value: str) -> None:
        """A field of the notes: kind, position of the episode, and for a step its number."""
        kind, position, *step = name.split(":")
        trajectory_id = str(self.collection.index["trajectory_id"].iloc[int(position)])
        note = self.notes.at(trajectory_id, int(step[0]) if step else None)
        changed: dict[str, Any] = {"tags": split_tags(value)} if kind == "tags" else {}
        changed |= {"label": value.strip()} if kind == "label" else {}
        self.notes.put(replace(note, **(changed or {"text": value})))
        self._draw_remarks()
        if kind == "label":
            self._draw_steps()
        elif kind == "tags":
            self._list()

    def _choose(self, index: int) -> None:
        if not 0 <= index < len(self.collection):
            raise ValueError(
                f"{self.collection.name}: no trajectory {index}, there are {len(self.collection)}"
            )
        self.partner = -1
        self.selection.choose(str(self.collection.index["trajectory_id"].iloc[index]))

    def _ask(self, **changed: Any) -> None:
        self.query = replace(self.query, **changed)

    def _open_set(self, name: str) -> None:
        collection = self.trajectory_sets[name]()
        with self.hold_trait_notifications():  # draw once all of the state is of this collection
            self.trajectory_set, self.collection, self.partner = name, collection, -1
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

    @traitlets.validate("query")
    def _with_source(self, proposal: Any) -> Query:
        """A query that names no source keeps the one before."""
        asked = proposal["value"]
        return asked if asked.source else replace(asked, source=self.query.source)

    def _on_source(self, _: Any) -> None:
        """Another view chose a source."""
        if self.selection.source in self.collection.sources:
            self._ask(source=self.selection.source)

    def _redraw(self, _: Any) -> None:
        self.draw()

    def _search(self, change: Any) -> None:
        """List what the filters select, and open the first of it if the episode shown is not in it."""
        chosen = change is not None and change.new.source != change.old.source
        if chosen and self.query.source in self.collection.sources:
            self.selection.source = self.query.source
        self.numbers = self.collection.find(self.query)
        if self.tag:
            tagged = {name for name, tags in self.notes.tags().items() if self.tag in tags}
            ids = self.collection.index["trajectory_id"]
            self.numbers = [at for at in self.numbers if ids.iat[at] in tagged]
        if self.only_differing:
            beside = self._beside_sets().get(self.beside_set)
            differing = self.collection.ending_otherwise(beside()) if beside else set()
            self.numbers = [at for at in self.numbers if at in differing]
        self.query_words = self.query.words
        if self.numbers and self.index not in self.numbers:
            self._choose(self.numbers[0])
        else:
            self._list()

    def _beside_sets(self) -> dict[str, Callable[[], Collection]]:
        """Collections that may hold another episode of the task, the one shown among them."""
        own = self.trajectory_set or self.collection.name
        return {own: lambda: self.collection} | dict(self.trajectory_sets) | dict(self.others)

    def _partners(self) -> tuple[Collection, list[int]] | None:
        """The collection beside, and its other episodes of the task; None if nothing is to be beside."""
        sets = self._beside_sets()
        if self.beside_set not in sets:
            return None
        collection = sets[self.beside_set]()
        same = collection.same_task(self.collection, self.index)
        return collection, [at for at in same if collection is not self.collection or at != self.index]

    def _other(self) -> Episode | None:
        """The episode beside the one shown, drawn in the same way."""
        pair = self._partners()
        if pair is None or not pair[1]:
            return None
        position = self.partner if self.partner in pair[1] else pair[1][0]
        return Episode(pair[0], position, self.sources, self.focus, self.scale)

    def _turn_to(self, page: int) -> None:
        """Show a page and select its first step; beside a longer episode there may be none to select."""
        other = self._other()
        longest = max(self.n_steps, len(other.trajectory) if other else 0)
        page = min(max(page, 0), n_pages(longest) - 1)
        if page < n_pages(self.n_steps):
            self._beyond = None
            self.selection.step = page * STEPS_PER_PAGE
        else:
            self._beyond = page
        if self._drawn_page != self.page:
            self._draw_steps()

    def _draw_steps(self) -> None:
        self._drawn_page = self.page
        episode, other = self.episode, self._other()
        self.steps = beside_steps(episode, other, self.page) if other else episode.steps(self.page)

    def _draw_controls(self) -> None:
        pair, partners, chosen = self._partners(), {}, ""
        if pair is not None:
            collection, positions = pair
            rows = collection.index.iloc[positions]
            for at, row in zip(positions, rows.to_dict("records"), strict=True):
                partners[str(at)] = (
                    f"R = {outcome_text(row['outcome'])}, {shortened(row['trajectory_id'], 60)}"
                )
            chosen = str(self.partner if self.partner in positions else next(iter(positions), ""))
        sets = self._beside_sets()
        possible = len(sets) > 1 or self.collection.index["task_id"].duplicated().any()
        beside = beside_choice(sets, self.beside_set, partners, chosen) if possible else ""
        if pair is not None and not partners:
            beside += '<span class="facts">no other episode of this task there</span>'
        self.controls = drawing_html(
            self.collection,
            chart=self.chart_kind,
            focus=self.focus,
            sources=self.sources,
            scale=self.scale,
            pivotal=self.pivotal() is not None,
            beside=beside,
        )
        self._draw_remarks()

    def _draw_remarks(self) -> None:
        notes, name = self.notes, self.trajectory.id
        self.remarks = notes_html(
            notes.at(name), notes.at(name, self.step), self.index, len(notes), str(self.notes_path)
        )

    def _list(self) -> None:
        tags = self.notes.tags()
        self.filters = filters_html(
            self.collection,
            self.query,
            sets=list(self.trajectory_sets),
            shown_set=self.trajectory_set,
            tags=sorted({tag for several in tags.values() for tag in several}),
            tag=self.tag,
            only_differing=self.only_differing if self.beside_set else None,
        )
        self.found = episodes_html(
            self.collection, self.numbers, self.index,
            order=self.query.order, source=self.query.source, tags=tags,
        )  # fmt: skip
