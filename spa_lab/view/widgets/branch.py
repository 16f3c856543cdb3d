"""Branch from here: grow continuations of a moment while one watches, and try another action."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from spa_lab.types import Trajectory
from spa_lab.view.html.branches import beside_html, branches_html, value_interval
from spa_lab.view.html.markup import safe
from spa_lab.view.tables.collection import Collection
from spa_lab.view.text import shortened, step_label
from spa_lab.view.widgets import controls
from spa_lab.view.widgets.host import pane
from spa_lab.view.widgets.linked import Linked
from spa_lab.view.widgets.selection import Selection

Grow = Callable[[Trajectory, int, int], Sequence[float]]
"""(trajectory, step < T, n) -> outcomes in [0, 1] of n fresh continuations from before that step."""
WhatIf = Callable[[Trajectory, int, str], Trajectory]
"""(trajectory, step, action) -> the episode with another action at that step, played to its end."""
_Moment = tuple[str, Trajectory, int]
"""What it is called, and the moment before a step of an episode."""


class BranchView(Linked):
    """The value of the moments around the chosen step, by continuations that are grown on the page.

    The kernel stays free between two chunks, so that growing can be stopped and other views go on working.

    Args:
        collection: what there is to look at.
        grow: plays on.
        selection: shared with other widgets.
        what_if: plays on after another action; without it there is no such box.
        chunk: continuations grown at a time, >= 1.
        budget: continuations of each moment that the button grows, >= 1.
    """

    controls = pane()
    values = pane()
    beside = pane()

    def __init__(
        self,
        collection: Collection,
        grow: Grow,
        selection: Selection | None = None,
        *,
        what_if: WhatIf | None = None,
        chunk: int = 8,
        budget: int = 64,
    ) -> None:
        if chunk < 1 or budget < 1:
            raise ValueError(f"chunk and budget must be >= 1, got {chunk} and {budget}")
        super().__init__(
            collection, selection, panes=["controls", "status", "values", "beside"], name="Branch from here"
        )
        self.grow, self.what_if, self.chunk, self.budget = grow, what_if, chunk, budget
        self.grown: dict[tuple[str, int], list[float]] = {}
        """Trajectory id and step -> outcomes."""
        self.action = ""
        self.other: Trajectory | None = None
        self._task: asyncio.Task[None] | None = None
        self.draw()
        self.selection.observe(self._moved_on, names=["step"])

    def to_frame(self) -> pd.DataFrame:
        """One row per moment that has grown: trajectory_id, step, n, value, low, high (outcome units)."""
        rows = []
        for (trajectory_id, step), outcomes in self.grown.items():
            low, mean, high = value_interval(outcomes)
            facts = {"trajectory_id": trajectory_id, "step": step, "n": len(outcomes)}
            rows.append(facts | {"value": mean, "low": low, "high": high})
        return pd.DataFrame(rows, columns=["trajectory_id", "step", "n", "value", "low", "high"])

    def moved(self, name: str, value: str) -> None:
        """A control of the page."""
        if name == "grow":
            self.start()
        elif name == "stop":
            self.stop()
        elif name == "action":
            self.action = value
        elif name == "what_if" and self.what_if is not None:
            self.try_action(self.action)

    def try_action(self, action: str) -> None:
        """Play on after another action at the chosen step; raises ValueError if it is empty."""
        if not action.strip():
            raise ValueError("type an action first")
        assert self.what_if is not None
        self.other = self.what_if(self.trajectory, self.step, action.strip())
        self.draw()

    def start(self) -> None:
        """Grow `budget` more continuations of every moment shown; where there is an event loop, beside it."""
        self.stop()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            for _ in range(0, self.budget, self.chunk):
                self._grow_chunk()
            return
        self._task = loop.create_task(self._growing())
        self.draw()

    def stop(self) -> None:
        """Stop growing after the chunk that is under way."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
            self.draw()

    def draw(self) -> None:
        """The moments around the chosen step."""
        self._draw_controls()
        grown = {name: self._outcomes(one, step) for name, one, step in self._moments()}
        self.values = branches_html(grown, self.chunk)
        self.beside = beside_html(self.trajectory, self.other, self.step) if self.other else ""

    def _moments(self) -> list[_Moment]:
        step = self.step
        moments = [(f"before step {step}", self.trajectory, step)]
        moments.append((f"after “{step_label(self.trajectory, step, 30)}”", self.trajectory, step + 1))
        if self.other is not None:
            moments.append((f"after “{step_label(self.other, step, 30)}”", self.other, step + 1))
        return moments

    def _outcomes(self, trajectory: Trajectory, step: int) -> list[float]:
        """What has grown; after the last step of an episode its outcome is the value, and nothing grows."""
        if step == len(trajectory):
            return [trajectory.outcome]
        return self.grown.get((trajectory.id, step), [])

    def _grow_chunk(self) -> None:
        for _, trajectory, step in self._moments():
            if step < len(trajectory):
                outcomes = [float(one) for one in self.grow(trajectory, step, self.chunk)]
                value_interval(outcomes)  # refuses what is no outcome
                self.grown.setdefault((trajectory.id, step), []).extend(outcomes)
        self.draw()

    async def _growing(self) -> None:
        for _ in range(0, self.budget, self.chunk):
            await asyncio.sleep(0.01)  # clicks come first
            try:
                self._grow_chunk()
            except ValueError as error:
                self.status = f'<p class="trouble" role="alert">{safe(str(error))}</p>'
                break
        self._task = None
        self.draw()

    def _moved_on(self, _: Any) -> None:
        self.stop()
        self.other = None
        self.draw()

    def _draw_controls(self) -> None:
        busy = self._task is not None
        label = safe(shortened(step_label(self.trajectory, self.step, 60), 60))
        parts = [
            controls.button("grow", f"Grow {self.budget} continuations", key="g", enabled=not busy),
            controls.button("stop", "Stop", key="s", enabled=busy),
        ]
        if self.what_if is not None:
            parts.append(
                controls.field("action", "another action here", self.action, "text", enter="what_if")
            )
            parts.append(controls.button("what_if", "What if?", enabled=not busy))
        self.controls = f"<h4>step {self.step}: <code>{label}</code></h4>{controls.row(*parts)}"
