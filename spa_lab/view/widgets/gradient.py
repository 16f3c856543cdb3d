"""What a training update saw of every step and token, linked to the other views."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from spa_lab.types import Trajectory
from spa_lab.view.html.gradient import PUSH_NOTE, alarms_html, update_steps_html, update_tokens_html
from spa_lab.view.text import outcome_text, step_label
from spa_lab.view.widgets import controls
from spa_lab.view.widgets.host import pane
from spa_lab.view.widgets.linked import Linked
from spa_lab.view.widgets.selection import Selection


class GradientInspector(Linked):
    """Alarms, the steps of one trajectory with rewards and pushes, and the selected step token by token.

    Args:
        steps: of `learn.update_audit.step_table`.
        tokens: of `learn.update_audit.token_table`.
        alarms: of `learn.update_audit.GradientView`.
        selection: shared with other widgets.
        trajectories: for the text of the steps; without them steps are only numbered.
        spell: token id -> its text, e.g. `tokenizer.decode`; the id itself if None.

    Raises:
        ValueError: a table is empty.
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
            raise ValueError(f"nothing to show: {len(steps)} steps and {len(tokens)} tokens")
        panes = ["controls", "status", "alarms", "steps", "tokens"]
        super().__init__(selection, panes=panes, name="What the gradient saw")
        self.step_table, self.token_table = steps, tokens
        self.trajectories: Mapping[str, Trajectory] = {
            trajectory.id: trajectory for trajectory in trajectories
        }
        self.spell = spell or str
        self.alarms = alarms_html(alarms)
        self.ids = [str(trajectory_id) for trajectory_id in steps["trajectory_id"].unique()]
        if not self.shows(self.selection.trajectory_id):
            self.selection.choose(self.ids[0])
        self.follow()

    def on_control(self, name: str, value: str) -> None:
        """A control of the page."""
        if name == "trajectory" and value in self.ids:
            self.selection.choose(value)

    def shows(self, trajectory_id: str) -> bool:
        """Whether the update had this trajectory."""
        return trajectory_id in self.ids

    def open_selected(self) -> None:
        """Take the selected trajectory's rows."""
        self.shown_id = self.selection.trajectory_id
        self.n_steps = len(self._rows(self.step_table))
        self.selected_step = self.step

    def draw(self) -> None:
        """Steps and tokens of the trajectory that is shown now."""
        rows, trajectory = self._rows(self.step_table), self.trajectories.get(self.shown_id)
        labels = [
            step_label(trajectory, int(step), 60) if trajectory else f"step {step}" for step in rows["step"]
        ]
        self.controls = controls.row(controls.choice("trajectory", "episode", self.shown_id, self._options()))
        self.steps = f'{PUSH_NOTE}<div class="scroll high">{update_steps_html(rows, labels)}</div>'
        self.draw_step()

    def draw_step(self) -> None:
        """The tokens of the selected step."""
        rows = self._rows(self.token_table)
        painted = update_tokens_html(rows[rows["step"] == self.selected_step], self.spell)
        self.tokens = f"<h4>tokens of step {self.selected_step}: push of the advantage</h4>{painted}"

    def _options(self) -> dict[str, str]:
        """Episode id -> what a reader knows it by: its place, outcome, length and task."""
        options = {}
        for number, trajectory_id in enumerate(self.ids, start=1):
            known = self.trajectories.get(trajectory_id)
            facts = f"{number}. R = {outcome_text(known.outcome)}, {len(known)} steps: " if known else ""
            options[trajectory_id] = facts + (known.instruction if known else trajectory_id)
        return options

    def _rows(self, table: pd.DataFrame) -> pd.DataFrame:
        return table[table["trajectory_id"] == self.shown_id]
