"""The training monitor: what a run has written down so far, anew every few seconds while it works."""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import traitlets

from spa_lab.store import Run
from spa_lab.view.html.curves import curves_html
from spa_lab.view.html.markup import frame_table, safe
from spa_lab.view.widgets import controls
from spa_lab.view.widgets.host import Host, pane


class Monitor(Host):
    """Curves of all metrics of a run, and its finished stages.

    In a notebook it looks again every `seconds` for as long as `live` is true and the kernel is not busy. It
    only reads, so the run may be at work in another process.

    Args:
        run: the run or its folder.
        seconds: between two looks, > 0.

    Raises:
        StoreError: there is no such run.
        ValueError: `seconds` is not positive, or a file is broken.
    """

    controls = pane()
    stages = pane()
    curves = pane()
    live = traitlets.Bool(False)
    """Whether it looks again by itself."""
    shown = traitlets.List(traitlets.Unicode())
    """Stages whose metrics are drawn; setting it draws anew."""

    def __init__(self, run: Run | Path | str, *, seconds: float = 2.0) -> None:
        if not seconds > 0:
            raise ValueError(f"seconds between two looks must be > 0, got {seconds}")
        super().__init__(panes=["controls", "status", "stages", "curves"], name="Training monitor")
        self.run = run if isinstance(run, Run) else Run.open(run)
        self.seconds = seconds
        self._metrics: Mapping[str, list[dict[str, Any]]] = {}
        self._task: asyncio.Task[None] | None = None
        self.look()
        self.shown = list(self._metrics)
        self.observe(self._redraw, names=["shown"])
        self.observe(self._switched, names=["live"])

    def look(self) -> None:
        """Read the run again and draw what is new; stages that appear are drawn."""
        before = set(self._metrics)
        self._metrics = {curve.name: curve.rows for curve in self.run.curves()}
        self.shown = [*self.shown, *(name for name in self._metrics if name not in before)]
        self._draw()

    def to_frame(self) -> pd.DataFrame:
        """One row per update of every stage drawn: stage, update, and the metrics, NaN where not defined."""
        rows = [
            {"stage": name, "update": number} | row
            for name in self.shown
            for number, row in enumerate(self._metrics.get(name, []))
        ]
        return pd.DataFrame(rows)

    def moved(self, name: str, value: str) -> None:
        """A control of the page."""
        if name == "shown":
            self.shown = [one for one in self._metrics if one in json.loads(value)]
        elif name == "look":
            self.look()
        elif name == "live":
            self.live = not self.live

    def _switched(self, _: Any) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self.live:
            with contextlib.suppress(RuntimeError):  # no event loop: a plain script, which looks by itself
                self._task = asyncio.get_running_loop().create_task(self._keep_looking())
        self._draw()

    async def _keep_looking(self) -> None:
        while self.live:
            await asyncio.sleep(self.seconds)
            self.look()

    def _redraw(self, _: Any) -> None:
        self._draw()

    def _draw(self) -> None:
        self.controls = controls.row(
            controls.button("look", "Look again", key="r"),
            controls.button("live", "Stop watching" if self.live else "Watch", key="w"),
            controls.ticks("shown", "stages", self.shown, list(self._metrics)),
        )
        facts = self.run.provenance["stages"]
        rows = [[safe(name), f"{stage['seconds']:.1f}"] for name, stage in facts.items()]
        table = (
            frame_table(["finished stage", "seconds"], rows, numeric=1)
            if rows
            else "no stage is finished yet"
        )
        state = f"<b>{safe(self.run.path.name)}</b> · {len(rows)} stage{'s' * (len(rows) != 1)} finished"
        self.stages = f"<details><summary>{state}</summary>{table}</details>"
        self.curves = curves_html({name: self._metrics[name] for name in self.shown if name in self._metrics})
