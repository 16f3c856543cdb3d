"""Success by the length of the task, for any set of policies."""

import json
from typing import Any

import numpy as np
import pandas as pd
import traitlets

from spa_lab.view.html.lengths import lengths_html
from spa_lab.view.tables.evaluation import LengthColumn, success_by_length
from spa_lab.view.widgets import controls
from spa_lab.view.widgets.host import Host, pane

BY = {"expert_length": "the expert's solution", "n_steps": "the episode itself (a trap, see the note)"}


class LengthView(Host):
    """Strict success in bins of length, with the number of episodes in each.

    Args:
        frame: of `frames.trajectories_frame`, N rows; where no expert's length is known, only episode lengths
            can be shown, and the view says so. Of several training runs, with the column `run_seed` as in
            `evaluation`, it shows bins by the expert's length alone.
        rng: draws the resamples; needed where a policy has several runs. The numbers are drawn once, so that
            they stay the same whatever is chosen, and those of a figure for print with an equal `rng`.

    Raises:
        ValueError: no rows, no length to show, or as `evaluation.success_by_length`.
    """

    controls = pane()
    chart = pane()
    policies = traitlets.List(traitlets.Unicode())
    """Which are drawn; setting it draws anew."""
    by: Any = traitlets.Enum(list(BY), "expert_length")

    def __init__(self, frame: pd.DataFrame, *, rng: np.random.Generator | None = None) -> None:
        if frame.empty:
            raise ValueError("success by length: the frame has no rows")
        self._tables = {
            by: success_by_length(frame[frame[by].notna()], by=by, rng=rng) for by in _ways(frame)
        }
        super().__init__(panes=["controls", "status", "chart"], name="Success by length")
        self.frame = frame
        self.policies = [str(policy) for policy in frame["policy"].unique()]
        self.by = next(iter(self._tables))
        self._draw()
        self.observe(self._redraw, names=["policies", "by"])

    def to_frame(self) -> pd.DataFrame:
        """What is drawn, see `evaluation.success_by_length`."""
        table = self._tables[self.by]
        return table[table["policy"].isin(self.policies)].reset_index(drop=True)

    def moved(self, name: str, value: str) -> None:
        """A control of the page."""
        if name == "policies":
            wanted = json.loads(value)
            self.policies = [one for one in map(str, self.frame["policy"].unique()) if one in wanted]
        elif name == "by" and value in self._tables:
            self.by = value

    def _redraw(self, _: Any) -> None:
        self._draw()

    def _draw(self) -> None:
        known = self.frame["expert_length"].notna()
        options = {str(by): BY[by] for by in self._tables}
        there = [str(policy) for policy in self.frame["policy"].unique()]
        self.controls = controls.row(
            controls.choice("by", "bins by the length of", self.by, options),
            controls.ticks("policies", "policies", self.policies, there),
        )
        table = self.to_frame()
        if table.empty:
            self.chart = '<span class="note">No policy is chosen.</span>'
            return
        lost = int((~known).sum())
        note = f"{lost:,} of {len(self.frame):,} episodes are of tasks whose expert length is not known."
        said = lost and self.by == "expert_length"
        self.chart = (f'<span class="note">{note}</span>' if said else "") + lengths_html(table)


def _ways(frame: pd.DataFrame) -> list[LengthColumn]:
    """The lengths that bins can be of; episodes of several runs put other tasks into each bin."""
    ways: list[LengthColumn] = ["expert_length"] if frame["expert_length"].notna().any() else []
    if "run_seed" not in frame or frame.groupby("policy")["run_seed"].nunique().max() == 1:
        ways.append("n_steps")
    if not ways:
        raise ValueError(
            "success by length: no expert's length is known, and bins by the lengths of episodes would hold "
            f"different tasks for each of {frame['run_seed'].nunique()} training runs"
        )
    return ways
