"""Fusion and advantages by hand: sliders for all that stands between a credit and a push."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import pandas as pd
import traitlets

from spa_lab.configs.reward import GroundingForm, Residual
from spa_lab.types import Trajectory
from spa_lab.view.html.advantages import advantages_html
from spa_lab.view.html.markup import safe
from spa_lab.view.tables.advantages import AdvantageSettings, Critic, Granularity, Placement, advantage_table
from spa_lab.view.tables.collection import Collection
from spa_lab.view.text import shortened
from spa_lab.view.widgets import controls
from spa_lab.view.widgets.host import pane
from spa_lab.view.widgets.linked import Linked
from spa_lab.view.widgets.selection import Selection

SLIDERS = {
    "alpha": ("α, weight of the credit", 0.0, 2.0, 0.05),
    "beta": ("β, weight of grounding", 0.0, 1.0, 0.05),
    "gamma": ("γ, discount", 0.8, 1.0, 0.005),
    "lam": ("λ, trace decay", 0.0, 1.0, 0.01),
}
"""Knob -> title, least, largest, step."""
CHOICES = {
    "placement": ("reward stands on", Placement),
    "granularity": ("an action is a", Granularity),
    "grounding_form": ("grounding is paid as", GroundingForm),
    "residual": ("the credit's error is", Residual),
    "critic": ("critic V", Critic),
}


class RewardExplorer(Linked):
    """The reward and the advantage of every step, moving with the knobs.

    Args:
        collection: what there is to look at.
        selection: shared with other widgets; its source is whose credit is fused.
        tokens: trajectory -> tokens of each of its steps, (T,); words and signs are counted if None.
    """

    controls = pane()
    chart = pane()
    knobs = traitlets.Instance(AdvantageSettings, args=())
    """The settings; setting them draws anew."""

    def __init__(
        self,
        collection: Collection,
        selection: Selection | None = None,
        *,
        tokens: Callable[[Trajectory], list[int]] | None = None,
    ) -> None:
        super().__init__(
            collection, selection, panes=["controls", "status", "chart"], name="Reward and advantage explorer"
        )
        self.tokens = tokens
        if self.selection.source not in collection.sources:
            self.selection.source = collection.sources[0]
        self.draw()
        self.observe(self._redraw, names=["knobs"])
        self.selection.observe(self._redraw, names=["source"])

    def to_frame(self) -> pd.DataFrame:
        """What is drawn, see `explore.advantage_table`; raises ValueError where the source gave no credit."""
        found = self.credits([self.selection.source])
        if not found:
            raise ValueError(f"{self.selection.source!r} gave {self.trajectory.id!r} no credit")
        counts = self.tokens(self.trajectory) if self.tokens else None
        return advantage_table(self.trajectory, found[0], self._usable(), truth=self.truth, n_tokens=counts)

    def draw(self) -> None:
        """The trajectory that is shown now."""
        name = f'<h4 dir="auto">{safe(shortened(self.trajectory.instruction, 120))}</h4>'
        if self.credits([self.selection.source]):
            self.chart = name + advantages_html(self.trajectory, self.to_frame())
        else:
            source = safe(shortened(self.selection.source, 60))
            self.chart = f'{name}<span class="note">{source} gave this trajectory no credit.</span>'
        self.controls = self._form()  # last: what somebody waits for is the picture

    def moved(self, name: str, value: str) -> None:
        """A control of the page."""
        if name in SLIDERS:
            self._turn(**{name: float(value)})
        elif name in CHOICES:
            self._turn(**{name: value})
        elif name == "source" and value in self.collection.sources:
            self.selection.source = value
        elif name == "reset":
            self.knobs = AdvantageSettings()

    def _turn(self, **changed: Any) -> None:
        self.knobs = replace(self.knobs, **changed)

    def _usable(self) -> AdvantageSettings:
        """The knobs, without the truth's values where this trajectory was not measured."""
        return self.knobs if self.truth is not None else replace(self.knobs, critic="none")

    def _redraw(self, _: Any) -> None:
        self.draw()

    def _form(self) -> str:
        sliders = [
            controls.slider(name, title, getattr(self.knobs, name), low, high, step)
            for name, (title, low, high, step) in SLIDERS.items()
        ]
        choices = [controls.choice("source", "credit by", self.selection.source, self.collection.sources)]
        for name, (title, kind) in CHOICES.items():
            options = [one for one in get_args(kind) if one != "truth" or self.collection.has_truths]
            choices.append(controls.choice(name, title, getattr(self.knobs, name), options))
        return controls.row(*sliders) + controls.row(*choices, controls.button("reset", "Defaults"))
