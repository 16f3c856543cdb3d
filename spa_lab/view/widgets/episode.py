"""One episode of a collection as the inspector draws it, in a live widget and in a saved page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view.charts.chart import Chart
from spa_lab.view.charts.credit import credit_chart
from spa_lab.view.charts.running_sum import beside_chart, running_sum_chart
from spa_lab.view.charts.waterfall import waterfall_chart
from spa_lab.view.html.beside import beside_html
from spa_lab.view.html.markup import safe
from spa_lab.view.html.steps import Scale, head_html, steps_html
from spa_lab.view.tables.collection import Collection
from spa_lab.view.tables.trajectory import MEASURED, as_credit, pivotal_step
from spa_lab.view.text import shortened
from spa_lab.view.widgets import controls

CHARTS = {"sums": "running sums", "waterfall": "waterfall", "both": "contributions and sums"}
"""Kind of chart above the steps -> its title."""
STEPS_PER_PAGE = 200
"""Steps that are listed at once."""


@dataclass(frozen=True)
class Episode:
    """What is drawn, and how."""

    collection: Collection
    position: int
    sources: Sequence[str]
    """Whose credit is drawn."""
    focus: str
    """The source of the waterfall and of the tint: one of the collection's, or `MEASURED`."""
    scale: Scale = "common"
    own_labels: Mapping[int, str] = field(default_factory=dict)
    """Step -> the reader's own label."""

    @cached_property
    def trajectory(self) -> Trajectory:
        """Its steps and outcome."""
        return self.collection.trajectory(self.position)

    @property
    def truth(self) -> ValueTruth | None:
        """Its measured values."""
        return self.collection.truth(self.position)

    @cached_property
    def credits(self) -> list[Credit]:
        """Those of `sources` that gave one."""
        return self.collection.credits(self.position, self.sources)

    @cached_property
    def focused(self) -> Credit | None:
        """The credit of `focus`; None if this episode has none."""
        if self.focus == MEASURED:
            return as_credit(self.truth) if self.truth else None
        return next(iter(self.collection.credits(self.position, [self.focus])), None)

    def pivotal(self) -> int | None:
        """`pivotal_step` of the truth, or else of the first source that is drawn."""
        return pivotal_step(self.trajectory, self.credits, self.truth)

    def head(self) -> str:
        """Task, facts, and the sources that gave this episode no credit: named, not drawn as zero."""
        given = {credit.source for credit in self.credits}
        missing = [safe(shortened(source, 40)) for source in self.sources if source not in given]
        note = f'<span class="note">No credit of this trajectory by: {", ".join(missing)}.</span>'
        return head_html(self.trajectory, self.collection.meta(self.position)) + (note if missing else "")

    def chart(self, kind: str) -> Chart:
        """The chart of a kind in `CHARTS`; running sums where there is no credit for a waterfall."""
        focused = self.focused
        if kind == "waterfall" and focused is not None:
            return waterfall_chart(self.trajectory, focused)
        draw = credit_chart if kind == "both" else running_sum_chart
        return draw(self.trajectory, self.credits, self.truth, beside=self.sources)

    def steps(self, page: int) -> str:
        """A page of the table of steps."""
        rows = _rows(len(self.trajectory), page)
        table = steps_html(
            self.trajectory, self.credits, self.truth, scale=self.scale, focus=self.focused, rows=rows,
            own_labels=self.own_labels, labels=self.collection.labels(self.position),
            tokens=self.collection.tokens(self.position), beside=self.sources,
        )  # fmt: skip
        return _paged(table, len(self.trajectory), page)


def beside_chart_of(left: Episode, right: Episode) -> Chart:
    """Running sums of the focus of both."""
    return beside_chart((left.trajectory, left.focused), (right.trajectory, right.focused))


def beside_steps(left: Episode, right: Episode, page: int) -> str:
    """A page of the steps of both."""
    sides = [(each.trajectory, each.focused) for each in (left, right)]
    n_steps = max(len(trajectory) for trajectory, _ in sides)
    alike = left.trajectory.policy == right.trajectory.policy  # the names of their files then tell them apart
    names = [each.collection.name for each in (left, right)] if alike else []
    return _paged(beside_html(sides[0], sides[1], _rows(n_steps, page), names), n_steps, page)


def n_pages(n_steps: int) -> int:
    """How many pages a table of so many steps has."""
    return max(1, -(-n_steps // STEPS_PER_PAGE))


def _rows(n_steps: int, page: int) -> range:
    return range(page * STEPS_PER_PAGE, min((page + 1) * STEPS_PER_PAGE, n_steps))


def _paged(table: str, n_steps: int, page: int) -> str:
    """The table in its box, with buttons for the pages if there are several."""
    box = f'<div class="scroll high">{table}</div>'
    last = n_pages(n_steps) - 1
    if not last:
        return box
    rows = _rows(n_steps, page)
    buttons = [
        controls.button("page", title, value=str(target), enabled=target != page)
        for title, target in (
            ("First", 0), ("Earlier", max(page - 1, 0)), ("Later", min(page + 1, last)), ("Last", last)
        )
    ]  # fmt: skip
    shown = f"steps {rows.start} to {rows.stop - 1} of {n_steps:,}"
    return (
        f'<p class="pager"><span class="facts" role="status">{shown}</span> '
        f'<span class="only-live">{"".join(buttons)}</span></p>{box}'
    )
