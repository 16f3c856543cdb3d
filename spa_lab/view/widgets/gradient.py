"""What the gradient saw of every step and token of an update, linked to the other views."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from spa_lab.types import Trajectory
from spa_lab.view.html.gradient import alarms_html, seen_steps_html, seen_tokens_html
from spa_lab.view.html.markup import safe
from spa_lab.view.text import shortened, step_label
from spa_lab.view.widgets import controls
from spa_lab.view.widgets.host import Host, pane
from spa_lab.view.widgets.selection import Selection


class GradientInspector(Host):
    """Alarms, the steps of one trajectory with their rewards and pushes, and the chosen step token by token.

    Args:
        steps: of `learn.update_audit.step_table`.
        tokens: of `learn.update_audit.token_table`.
        alarms: of `learn.update_audit.GradientView`.
        selection: shared with other widgets.
        trajectories: for the words of the steps; without them steps are only numbered.
        spell: token id -> its text, e.g. `tokenizer.decode`; the id itself if None.

    Raises:
        ValueError: the tables are empty.
    """

    controls = pane()
    alarms = pane()
    steps = pane()
    tokens = pane()

    def __init__(
        self,
        steps: pd.DataFrame,
        tokens: pd.DataFrame,
        alarms: Sequence[Any] = (),
        selection: Selection | None = None,
        *,
        trajectories: Sequence[Trajectory] = (),
        spell: Callable[[int], str] | None = None,
    ) -> None:
        if steps.empty or tokens.empty:
            raise ValueError(f"nothing to look at: {len(steps)} steps and {len(tokens)} tokens")
        super().__init__(
            panes=["controls", "status", "alarms", "steps", "tokens"], name="What the gradient saw"
        )
        self.selection = selection if selection is not None else Selection()
        self.step_table, self.token_table = steps, tokens
        self.known: Mapping[str, Trajectory] = {one.id: one for one in trajectories}
        self.spell = spell or str
        self.alarms = alarms_html(alarms)
        self.ids = [str(one) for one in steps["trajectory_id"].unique()]
        if self.selection.trajectory_id not in self.ids:
            self.selection.choose(self.ids[0])
        self._draw()
        self.selection.observe(self._follow, names=["trajectory_id"])
        self.selection.observe(self._mark, names=["step"])
        self.observe(self._report, names=["chosen"])

    def moved(self, name: str, value: str) -> None:
        """A control of the page."""
        if name == "trajectory" and value in self.ids:
            self.selection.choose(value)

    def _own(self, table: pd.DataFrame) -> pd.DataFrame:
        return table[table["trajectory_id"] == self.selection.trajectory_id]

    def _draw(self) -> None:
        shown = self.selection.trajectory_id
        own = self._own(self.step_table)
        self.n_steps = len(own)
        self.controls = controls.row(controls.choice("trajectory", "trajectory", shown, self.ids))
        one = self.known.get(shown)
        words = [step_label(one, int(step), 60) if one else f"step {step}" for step in own["step"]]
        self.steps = f'<div class="scroll high">{seen_steps_html(own, words)}</div>'
        self._mark(None)

    def _follow(self, _: Any) -> None:
        if self.selection.trajectory_id in self.ids:
            self._draw()

    def _mark(self, _: Any) -> None:
        if self.selection.trajectory_id not in self.ids:
            return
        self.chosen = min(self.selection.step, self.n_steps - 1)
        own = self._own(self.token_table)
        name = safe(shortened(self.selection.trajectory_id, 60))
        painted = seen_tokens_html(own[own["step"] == self.chosen], self.spell)
        self.tokens = f"<h4>tokens of step {self.chosen} of {name}: push of the advantage</h4>{painted}"

    def _report(self, _: Any) -> None:
        self.selection.step = max(self.chosen, 0)
