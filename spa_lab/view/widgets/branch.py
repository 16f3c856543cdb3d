"""Branch from here: play continuations of a step on request, and try another action."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

import pandas as pd

from spa_lab.types import Trajectory
from spa_lab.view.charts.branches import branch_chart
from spa_lab.view.html.branches import beside_html, values_html
from spa_lab.view.html.markup import safe
from spa_lab.view.tables.branches import interval_table, value_interval
from spa_lab.view.tables.collection import Collection
from spa_lab.view.text import shortened, step_label
from spa_lab.view.widgets import controls
from spa_lab.view.widgets.host import chart_pane, pane, trouble_html
from spa_lab.view.widgets.linked import CollectionView
from spa_lab.view.widgets.selection import Selection

Grow = Callable[[Trajectory, int, int], Sequence[float]]
"""(trajectory, step < T, n) -> outcomes in [0, 1] of n new continuations from before that step."""
WhatIf = Callable[[Trajectory, int, str], Trajectory]
"""(trajectory, step, action) -> the episode with another action at that step, played to its end."""
Actions = Callable[[Trajectory, int], Sequence[str]]
"""(trajectory, step) -> the actions that the world allows before that step."""
_Prefix = tuple[str, Trajectory, int]
"""A label that no other prefix has, and the steps of an episode before the given one."""
LABEL = 30
"""Characters of an action in a label."""


class BranchView(CollectionView):
    """The values before and after the selected step, from continuations that are played on request.

    The kernel is free between two chunks, so playing can be stopped and other views keep responding.

    Args:
        collection: the trajectories.
        grow: plays continuations.
        selection: shared with other widgets.
        what_if: plays on after another action; without it that box is missing.
        actions: lists the allowed actions, which the box then offers; any other text can be tried, too.
        chunk: continuations played at a time, >= 1.
        budget: continuations of each prefix that the button plays, >= 1.
    """

    head = pane()
    controls = pane()
    chart = chart_pane()
    values = pane()
    beside = pane()

    def __init__(
        self,
        collection: Collection,
        grow: Grow,
        selection: Selection | None = None,
        *,
        what_if: WhatIf | None = None,
        actions: Actions | None = None,
        chunk: int = 8,
        budget: int = 64,
    ) -> None:
        if chunk < 1 or budget < 1:
            raise ValueError(f"chunk and budget must be >= 1, got {chunk} and {budget}")
        panes = ["head", "controls", "status", "chart", "values", "beside"]
        super().__init__(collection, selection, panes=panes, name="Branch from here")
        self.grow, self.what_if, self.chunk, self.budget = grow, what_if, chunk, budget
        self.actions = actions
        self.grown: dict[tuple[str, int], list[float]] = {}
        """Trajectory id and step -> outcomes."""
        self.action = ""
        self.other: Trajectory | None = None
        self._task: asyncio.Task[None] | None = None
        self.follow()

    def to_frame(self) -> pd.DataFrame:
        """One row per prefix with continuations: trajectory_id, step, n, value, low, high (outcome units)."""
        rows = []
        for (trajectory_id, step), outcomes in self.grown.items():
            low, mean, high = value_interval(outcomes)
            facts = {"trajectory_id": trajectory_id, "step": step, "n": len(outcomes)}
            rows.append(facts | {"value": mean, "low": low, "high": high})
        return pd.DataFrame(rows, columns=["trajectory_id", "step", "n", "value", "low", "high"])

    def on_control(self, name: str, value: str) -> None:
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
        """Play on after another action at the selected step, and a chunk of continuations of every prefix.

        Raises:
            ValueError: the action is empty.
        """
        if not action.strip():
            raise ValueError("choose or type an action first")
        assert self.what_if is not None
        self.stop()
        self.other = self.what_if(self.trajectory, self.step, action.strip())
        self.draw()
        self.start(self.chunk)

    def start(self, budget: int | None = None) -> None:
        """Play more continuations of every prefix shown; in the background if an event loop runs.

        Args:
            budget: how many of each; that of the view if None.
        """
        self.stop()
        budget = self.budget if budget is None else budget
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            for n in self._chunks(budget):
                self._grow_chunk(n)
            return
        self._task = loop.create_task(self._growing(budget))
        self.draw()

    def stop(self) -> None:
        """Stop after the current chunk."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
            self.draw()

    def draw(self) -> None:
        """The values around the selected step."""
        self._draw_controls()
        prefixes = self._prefixes()
        outcomes = {name: self.grown.get((each.id, step), []) for name, each, step in prefixes}
        outcomes = {name: values for name, values in outcomes.items() if values}
        # after the last step nothing is left to be played: the value is the outcome
        known = {
            name: float(each.outcome)
            for name, each, step in prefixes
            if step == len(each) and each.outcome is not None
        }
        self.draw_chart("chart", branch_chart(interval_table(outcomes, self.chunk)) if outcomes else None)
        self.values = values_html(outcomes, known)
        self.beside = beside_html(self.trajectory, self.other, self.step) if self.other else ""

    def _prefixes(self) -> list[_Prefix]:
        step = self.step
        after = [self.trajectory] + ([] if self.other is None else [self.other])
        labels = _numbered([f"after “{step_label(each, step, LABEL)}”" for each in after])
        first: _Prefix = (f"before step {step}", self.trajectory, step)
        return [first, *((label, each, step + 1) for label, each in zip(labels, after, strict=True))]

    def _chunks(self, budget: int) -> list[int]:
        """How many continuations are played at a time, `budget` in all."""
        return [min(self.chunk, budget - done) for done in range(0, budget, self.chunk)]

    def _grow_chunk(self, n: int) -> None:
        for _, trajectory, step in self._prefixes():
            if step < len(trajectory):
                outcomes = [float(outcome) for outcome in self.grow(trajectory, step, n)]
                value_interval(outcomes)  # raises ValueError if one is not an outcome
                self.grown.setdefault((trajectory.id, step), []).extend(outcomes)
        self.draw()

    async def _growing(self, budget: int) -> None:
        try:
            for n in self._chunks(budget):
                await asyncio.sleep(0.01)  # let the page's messages through
                self._grow_chunk(n)
        except Exception as error:  # noqa: BLE001  the user's `grow`: no caller sees it here
            self.status = trouble_html(error)
        finally:
            if self._task is asyncio.current_task():  # else it was stopped, and another may have begun
                self._task = None
                self.draw()

    def draw_step(self) -> None:
        """Another step was selected: drop what was tried at the one before."""
        self.stop()
        self.other = None
        self.draw()

    def _draw_controls(self) -> None:
        busy = self._task is not None
        label = safe(shortened(step_label(self.trajectory, self.step, 60), 60))
        parts = [
            controls.button("grow", f"Play {self.budget} continuations", key="g", enabled=not busy),
            controls.button("stop", "Stop", key="s", enabled=busy),
        ]
        if self.what_if is not None:
            allowed = self.actions(self.trajectory, self.step) if self.actions is not None else ()
            hint = f"{len(allowed)} are allowed" if allowed else ""
            parts.append(
                controls.field(
                    "action", "another action here", self.action, "text", hint, "what_if", allowed,
                    f"actions-{self.uid}",
                )
            )  # fmt: skip
            parts.append(controls.button("what_if", "Try it", enabled=not busy))
        self.head = f"<h4>step {self.step}: <code>{label}</code></h4>"
        self.controls = controls.row(*parts)


def _numbered(labels: Sequence[str]) -> list[str]:
    """The labels; those that read alike, because they were cut, get a number."""
    counts, seen = Counter(labels), Counter[str]()
    numbered = []
    for label in labels:
        seen[label] += 1
        numbered.append(f"{label} ({seen[label]})" if counts[label] > 1 else label)
    return numbered
