"""Success by the length of the task, for any set of policies."""

import json
from typing import Any

import numpy as np
import pandas as pd
import traitlets

from spa_lab.view.charts.lengths import length_chart
from spa_lab.view.html.lengths import length_numbers_html, lengths_note_html
from spa_lab.view.tables.evaluation import LengthColumn, success_by_length
from spa_lab.view.widgets import controls
from spa_lab.view.widgets.host import Host, chart_pane, pane

BY = {"expert_length": "the expert's solution", "n_steps": "the episode itself (misleading, see the note)"}

NOT_KNOWN = "None of the ticked policies has an episode whose expert length is known."


class LengthView(Host):
    """Strict success in bins of length, with the number of episodes in each.

    Args:
        frame: of `frames.trajectories_frame`, N rows. If no expert length is known, only episode lengths can
            be shown, and the view says so. With several training runs (column `run_seed`, as in `evaluation`)
            only bins by the expert's length are shown.
        rng: draws the resamples; needed if a policy has several runs. The numbers are drawn once, so they
            stay the same whatever is selected, and equal those of a figure for print with an equal `rng`.

    Raises:
        ValueError: no rows, no length to show, or as `evaluation.success_by_length`.
    """

    controls = pane()
    note = pane()
    chart = chart_pane()
    numbers = pane()
    policies = traitlets.List(traitlets.Unicode())
    """Which are drawn; setting it redraws."""
    by: Any = traitlets.Enum(list(BY), "expert_length")

    def __init__(self, frame: pd.DataFrame, *, rng: np.random.Generator | None = None) -> None:
        if frame.empty:
            raise ValueError("success by length: the frame has no rows")
        self._tables = {
            by: success_by_length(frame[frame[by].notna()], by=by, rng=rng) for by in _length_columns(frame)
        }
        panes = ["controls", "status", "note", "chart", "numbers"]
        super().__init__(panes=panes, name="Success by length")
        self.frame = frame
        self.policies = self._all_policies()
        self.by = next(iter(self._tables))
        self._draw()
        self.observe(self._redraw, names=["policies", "by"])

    def to_frame(self) -> pd.DataFrame:
        """What is drawn, see `evaluation.success_by_length`."""
        table = self._tables[self.by]
        return table[table["policy"].isin(self.policies)].reset_index(drop=True)

    def on_control(self, name: str, value: str) -> None:
        """A control of the page."""
        if name == "policies":
            ticked = json.loads(value)
            self.policies = [policy for policy in self._all_policies() if policy in ticked]
        elif name == "by" and value in self._tables:
            self.by = value

    def _all_policies(self) -> list[str]:
        return [str(policy) for policy in self.frame["policy"].unique()]

    def _redraw(self, _: Any) -> None:
        self._draw()

    def _draw(self) -> None:
        table = self.to_frame()
        if table.empty:
            why = NOT_KNOWN if self.policies else "Select at least one policy."
            self.note, self.numbers = f'<span class="note">{why}</span>', ""
            self.draw_chart("chart", None)
        else:
            self.draw_chart("chart", length_chart(table, beside=self._all_policies()))
            self.note = self._missing() + lengths_note_html(self.by)
            self.numbers = length_numbers_html(table)
        options = {str(by): BY[by] for by in self._tables}
        self.controls = controls.row(
            controls.choice("by", "bins by the length of", self.by, options),
            controls.ticks("policies", "policies", self.policies, self._all_policies()),
        )

    def _missing(self) -> str:
        """How many episodes have no expert length, where bins are by that."""
        missing = int(self.frame["expert_length"].isna().sum())
        if not missing or self.by != "expert_length":
            return ""
        return (
            f'<span class="note">Left out: {missing:,} of {len(self.frame):,} episodes, whose tasks have no '
            "known expert length.</span>"
        )


def _length_columns(frame: pd.DataFrame) -> list[LengthColumn]:
    """The lengths to bin by; episodes of several runs would put different tasks into each bin."""
    columns: list[LengthColumn] = ["expert_length"] if frame["expert_length"].notna().any() else []
    if "run_seed" not in frame or frame.groupby("policy")["run_seed"].nunique().max() == 1:
        columns.append("n_steps")
    if not columns:
        raise ValueError(
            "success by length: no expert length is known, and bins by episode length would hold different "
            f"tasks for each of {frame['run_seed'].nunique()} training runs"
        )
    return columns
