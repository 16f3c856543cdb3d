"""The training monitor: the metrics of a run so far, reread every few seconds while it trains."""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import traitlets

from spa_lab.alarms import drift_alarms
from spa_lab.store import Run, StoreError
from spa_lab.store.contents import Curve
from spa_lab.view.charts.chart import Chart
from spa_lab.view.charts.training import training_chart
from spa_lab.view.html.gradient import alarms_html
from spa_lab.view.html.markup import frame_table, safe
from spa_lab.view.tables.training import is_number, main_metrics, metric_title, training_table
from spa_lab.view.widgets import controls
from spa_lab.view.widgets.host import Host, chart_pane, pane, trouble_html

MAX_POINTS = 300
"""Points of one curve; neighbouring updates beyond that are averaged."""
STAGES = ("clone", "estimate")
"""Stages before training, in their order."""


class Monitor(Host):
    """Curves of a run's metrics, its finished stages, and alarms about credits that no longer fit.

    It opens on the stage that was written last, or on all training methods once one of them trains, with the
    few metrics that tell how it goes; "All metrics" shows the others.

    In a notebook it rereads the run every `seconds` while `live` is true and the kernel is idle. It only
    reads, so the run may be training in another process.

    Args:
        run: the run or its folder.
        seconds: between two reads, > 0.

    Raises:
        StoreError: there is no such run.
        ValueError: `seconds` is not positive, or a file is broken.
    """

    controls = pane()
    stages = pane()
    alarms = pane()
    curves = chart_pane()
    live = traitlets.Bool(False)
    """Whether it rereads the run periodically."""
    shown = traitlets.List(traitlets.Unicode())
    """Stages whose metrics are drawn; setting it redraws."""
    all_metrics = traitlets.Bool(False)
    """Whether all metrics are drawn; setting it redraws."""

    def __init__(self, run: Run | Path | str, *, seconds: float = 2.0) -> None:
        if not seconds > 0:
            raise ValueError(f"seconds between two reads must be > 0, got {seconds}")
        super().__init__(panes=["controls", "status", "stages", "alarms", "curves"], name="Training monitor")
        self.run = run if isinstance(run, Run) else Run.open(run)
        self.seconds = seconds
        self._curves: Mapping[str, Curve] = {}
        self._task: asyncio.Task[None] | None = None
        self.look()
        self.observe(self._redraw, names=["shown", "all_metrics"])
        self.observe(self._switched, names=["live"])

    def look(self) -> None:
        """Read the run again and draw what is new; a stage that appears is drawn alone."""
        before = set(self._curves)
        self._curves = {curve.name: curve for curve in self.run.curves()}
        new = [name for name in self._curves if name not in before]
        if new:
            trained = [name for name, curve in self._curves.items() if curve.method]
            self.shown = trained or [max(new, key=self._order)]
        self._draw()

    def _order(self, name: str) -> tuple[bool, int]:
        """Later stages last; names of other stages than the usual ones are the last."""
        stage = self._curves[name].stage
        return stage not in STAGES, STAGES.index(stage) if stage in STAGES else 0

    def to_frame(self) -> pd.DataFrame:
        """One row per update of every stage drawn: stage, update, and the metrics, NaN where not defined."""
        rows = [
            {"stage": name, "update": update} | row
            for name in self.shown
            for update, row in enumerate(self._rows(name))
        ]
        return pd.DataFrame(rows)

    def on_control(self, name: str, value: str) -> None:
        """Answer a control of the page."""
        if name == "shown":
            ticked = json.loads(value)
            self.shown = [name for name in self._curves if name in ticked]
        elif name == "all_metrics":
            self.all_metrics = not self.all_metrics
        elif name == "look":
            self.look()
        elif name == "live":
            self.live = not self.live

    def _switched(self, _: Any) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self.live:
            with contextlib.suppress(RuntimeError):  # no event loop: a plain script, which calls `look`
                self._task = asyncio.get_running_loop().create_task(self._keep_looking())
        self._draw()

    async def _keep_looking(self) -> None:
        said = ""
        while self.live:
            await asyncio.sleep(self.seconds)
            try:
                self.look()
                trouble = ""
            except (ValueError, StoreError) as error:  # no caller sees it here; the next look may succeed
                trouble = trouble_html(error)
            if trouble or self.status == said:  # else it is of a control
                self.status = trouble
            said = trouble

    def _redraw(self, _: Any) -> None:
        self._draw()

    def _draw(self) -> None:
        self.controls = controls.row(
            controls.button("look", "Refresh", key="r"),
            controls.button("live", "Stop watching" if self.live else "Watch", key="w"),
            controls.button("all_metrics", "Fewer metrics" if self.all_metrics else "All metrics"),
            controls.ticks("shown", "stages", self.shown, list(self._curves)),
        )
        facts = self.run.provenance["stages"]
        rows = [[safe(name), f"{stage['seconds']:.1f}"] for name, stage in facts.items()]
        finished = (
            frame_table(["finished stage", "seconds"], rows, numeric=1)
            if rows
            else "no stage is finished yet"
        )
        empty = "" if any(map(self._rows, self._curves)) else '<span class="note">No metrics yet.</span>'
        state = f"<b>{safe(self.run.path.name)}</b> · {len(rows)} stage{'s' * (len(rows) != 1)} finished"
        self.stages = f"<details><summary>{state}</summary>{finished}</details>{empty}"
        self.alarms = "".join(
            f"<h4>{safe(name)}</h4>{alarms_html(alarms)}"
            for name in self.shown
            if (alarms := drift_alarms(self._rows(name)))
        )
        self.draw_chart("curves", self._chart())

    def _chart(self) -> Chart | None:
        """The metrics of the stages that are shown; `progress` is the time axis itself."""
        shown = [self._curves[name] for name in self.shown if name in self._curves and self._rows(name)]
        metrics = dict.fromkeys(
            metric
            for curve in shown
            for record in curve.rows
            for metric, value in record.items()
            if metric != "progress" and is_number(value)
        )
        chosen = list(metrics) if self.all_metrics else main_metrics([*metrics])
        alarming = [alarm.metric for curve in shown for alarm in drift_alarms(curve.rows) if alarm.raised]
        chosen = list(dict.fromkeys([*chosen, *alarming]))
        table = training_table(
            {curve.name: {0: curve.rows} for curve in shown}, chosen, max_points=MAX_POINTS
        )
        if table.empty:
            return None
        titles = {metric: metric_title(metric, [curve.stage for curve in shown]) for metric in chosen}
        return training_chart(
            table, titles=titles, x="iteration" if all(curve.method for curve in shown) else "update"
        )

    def _rows(self, name: str) -> list[dict[str, Any]]:
        return self._curves[name].rows if name in self._curves else []
