"""The run browser: the runs of a folder, side by side; one of them opens in the inspector."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from spa_lab.store import Run, StoreError
from spa_lab.view.html.markup import safe
from spa_lab.view.html.objects import run_html
from spa_lab.view.widgets.host import Host, pane
from spa_lab.view.widgets.inspect import inspect
from spa_lab.view.widgets.inspector import Inspector

DEPTH = 2
"""Folders below the given one that are searched for runs."""
NUMBERS = ("seed", "n", "stages", "seconds", "trajectory_files")


class RunBrowser(Host):
    """Every run below a folder: its settings, success, duration and contents; those left out are named.

    Two runs that are ticked open side by side, the episodes of the same task beside one another.

    Args:
        folder: the folder of the runs, e.g. "runs".
        opened: called with the inspector of the run that was chosen, or of two that were ticked.

    Raises:
        ValueError: there is no run, or none that can be read.
    """

    found = pane()
    details = pane()
    live_only = frozenset({"status"})

    def __init__(self, folder: Path | str, *, opened: Callable[[Inspector], None] | None = None) -> None:
        self.folder, self.opened = Path(folder), opened
        self.frame, unread = runs_frame(self.folder)
        if self.frame.empty:
            raise ValueError(
                "; ".join(unread) or f"{self.folder}: no run (a folder with a run.json) was found in it"
            )
        self.inspector: Inspector | None = None
        self.chosen = -1
        """Row that is chosen; -1 for none."""
        self.ticked: list[str] = []
        """Names of the runs to open side by side."""
        super().__init__(panes=["status", "found", "details"], name="Runs")
        self._unread = "".join(f'<p class="note">left out: {safe(why)}</p>' for why in unread)
        self.status = self._unread
        self._list()

    def to_frame(self) -> pd.DataFrame:
        """See `runs_frame`."""
        return self.frame.copy()

    def on_control(self, name: str, value: str) -> None:
        """A row of the page was chosen, or runs were ticked."""
        if name == "ticked":
            known = list(self.frame["run"])
            self.ticked = [run for run in json.loads(value) if run in known]
            if len(self.ticked) == 2:
                self._open_beside(*self.ticked)
            return
        if name != "trajectory":  # rows of every list report under this name
            return
        index = int(value)
        if not 0 <= index < len(self.frame):
            raise ValueError(f"{self.folder}: no run {index}, there are {len(self.frame)}")
        run = Run.open(self.folder / str(self.frame["run"].iloc[index]))
        self.details, self.chosen = run_html(run), index
        self._list()
        if self.opened is not None:
            self.inspector = inspect(run)
            self.opened(self.inspector)

    def _open_beside(self, first: str, second: str) -> None:
        """Two runs side by side."""
        if self.opened is not None:
            self.inspector = inspect(Run.open(self.folder / first), beside=Run.open(self.folder / second))
            self.opened(self.inspector)

    def _body(self, show: Any) -> str:
        """Without ticks and the request to choose, which do nothing on a page without a kernel."""
        return f"{self._unread}{self._table(ticks=False, live=False)}{self.details}"

    def _list(self) -> None:
        self.found = self._table(ticks=self.opened is not None)

    def _table(self, *, ticks: bool, live: bool = True) -> str:
        looks = {name: " class=figure" if name in NUMBERS else "" for name in self.frame.columns}
        heads = "".join(
            f'<th scope="col" role="columnheader"{look}>{name.replace("_", " ")}</th>'
            for name, look in looks.items()
        )
        hint = "; choose one" if live else ""
        hint += ", or tick two to see them side by side" if ticks else ""
        if ticks:
            heads = f'<th scope="col" role="columnheader">beside</th>{heads}'
        rows = []
        for index, row in enumerate(self.frame.to_dict("records")):
            cells = "".join(f"<td{looks[name]}>{safe(_shown(value))}</td>" for name, value in row.items())
            if ticks:
                cells = self._tick(str(row["run"])) + cells
            focus = 0 if index == max(self.chosen, 0) else -1
            rows.append(
                f'<tr role="row" data-trajectory="{index}" tabindex="{focus}" '
                f'aria-selected="{str(index == self.chosen).lower()}">{cells}</tr>'
            )
        return (
            f'<p class="facts" role="status">{len(rows)} found{hint}</p>'
            f'<div class="scroll low" data-keep>'
            f'<table class="found" role="grid" aria-label="runs"><thead><tr role="row">{heads}</tr></thead>'
            f"<tbody>{''.join(rows)}</tbody></table></div>"
        )

    def _tick(self, name: str) -> str:
        state = " checked" if name in self.ticked else ""
        attributes = f'name="ticked" value="{safe(name)}" aria-label="{safe(name)} beside another"{state}'
        return f'<td><input type="checkbox" {attributes}></td>'


def runs_frame(folder: Path | str) -> tuple[pd.DataFrame, list[str]]:
    """One row per run below a folder, sorted by name, and why other runs could not be read.

    Columns:
        run: str, the path below the folder.
        env, method, preset: str, from its config; "–" where the config has no such key.
        seed, n: as in `run.json`; n is the number of evaluated tasks.
        stages, trajectory_files: number of finished stages, and of files of trajectories.
        success: str, greedy success of every policy on the main panel; "–" before the report is written.
        seconds: float64, of all finished stages.
        begun: str.
    """
    root = Path(folder)
    patterns = ["/".join(["*"] * depth + ["run.json"]) for depth in range(DEPTH + 1)]
    files = sorted(file for pattern in patterns for file in root.glob(pattern))
    rows, unread = [], []
    for file in files:
        try:
            rows.append(_facts(Run.open(file.parent), root))
        except (ValueError, StoreError) as error:
            unread.append(str(error))  # names the file
    return pd.DataFrame(rows), unread


def _facts(run: Run, root: Path) -> dict[str, Any]:
    facts = run.provenance
    config = facts["config"]
    preset = config.get("preset", "–")
    methods = config.get("methods", config.get("method", "–"))
    return {
        "run": str(run.path.relative_to(root)),
        "env": str(config.get("env", "–")),
        "method": ", ".join(map(str, methods)) if isinstance(methods, list) else str(methods),
        "preset": str(preset.get("name", "–") if isinstance(preset, dict) else preset),
        "seed": facts["seed"],
        "n": facts.get("n"),
        "success": _success(run),
        "stages": len(facts["stages"]),
        "seconds": round(sum(stage["seconds"] for stage in facts["stages"].values()), 1),
        "trajectory_files": len(run.names("trajectories")),
        "begun": str(facts.get("begun", "–")),
    }


def _success(run: Run) -> str:
    summary = run.summary()
    if summary is None:
        return "–"
    rows = summary["panels"][summary["main_panel"]]
    return ", ".join(f"{summary['titles'][policy]} {row['success']:.1%}" for policy, row in rows.items())


def _shown(value: Any) -> str:
    return (
        "–" if value is None or pd.isna(value) else f"{value:g}" if isinstance(value, float) else str(value)
    )
