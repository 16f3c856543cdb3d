"""The fidelity scoreboard: every source against the truth, beside a second measurement."""

import json
from typing import Any

import pandas as pd
import traitlets

from spa_lab.store import Run, StoreError
from spa_lab.view.html.scoreboard import board_html, check_board
from spa_lab.view.tables.scoreboard import DEFAULT_METRICS
from spa_lab.view.widgets import controls
from spa_lab.view.widgets.host import Host, pane

NUMBERS = ("value", "low", "high", "ceiling", "chance", "best")
OUTCOMES = ("success", "failure", "both")


class Scoreboard(Host):
    """How close each source is to the truth.

    Args:
        table: of `credit.fidelity.scoreboard`, or a run in which `spa-lab fidelity` left one.

    Raises:
        ValueError: the table is empty or lacks a column.
        StoreError: the run has no scoreboard.
    """

    controls = pane()
    board = pane()
    metrics = traitlets.List(traitlets.Unicode())
    """Columns that are drawn; setting it redraws."""
    outcomes = traitlets.List(traitlets.Unicode(), ["success", "failure"])

    def __init__(self, table: pd.DataFrame | Run) -> None:
        if isinstance(table, Run):
            rows = table.results("scoreboard")
            if rows is None:
                raise StoreError(table.path, "no scoreboard; make one with spa-lab fidelity")
            table = pd.DataFrame(rows)
        known = [name for name in NUMBERS if name in table.columns]
        table = table.assign(**{name: pd.to_numeric(table[name]) for name in known})  # None is NaN
        check_board(table, (), ())
        super().__init__(panes=["controls", "status", "board"], name="Fidelity scoreboard")
        self.table = table
        known = self._all_metrics()
        self.metrics = [metric for metric in DEFAULT_METRICS if metric in known] or known
        self._draw()
        self.observe(self._redraw, names=["metrics", "outcomes"])

    def to_frame(self) -> pd.DataFrame:
        """The rows that are drawn."""
        table = self.table
        return table[table["metric"].isin(self.metrics) & table["outcome"].isin(self.outcomes)]

    def on_control(self, name: str, value: str) -> None:
        """A control of the page."""
        if name == "metrics":
            titles = json.loads(value)
            self.metrics = [metric for metric in self._all_metrics() if self._title(metric) in titles]
        elif name == "outcomes":
            self.outcomes = [outcome for outcome in OUTCOMES if outcome in json.loads(value)]

    def _all_metrics(self) -> list[str]:
        return [str(metric) for metric in self.table["metric"].unique()]

    def _title(self, metric: str) -> str:
        return str(self.table.loc[self.table["metric"] == metric, "title"].iloc[0])

    def _redraw(self, _: Any) -> None:
        self._draw()

    def _draw(self) -> None:
        titles = [self._title(metric) for metric in self._all_metrics()]
        outcomes = [outcome for outcome in OUTCOMES if outcome in set(self.table["outcome"])]
        self.controls = controls.row(
            controls.ticks("metrics", "metrics", [self._title(metric) for metric in self.metrics], titles),
            controls.ticks("outcomes", "episodes", self.outcomes, outcomes),
        )
        self.board = board_html(
            self.table, self.metrics, [outcome for outcome in self.outcomes if outcome in outcomes]
        )
