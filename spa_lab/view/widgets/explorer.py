"""Reward fusion and advantages with sliders: every setting between a credit and the policy gradient."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import pandas as pd
import traitlets

from spa_lab.configs.presets import TINY
from spa_lab.configs.reward import GroundingForm, Residual
from spa_lab.types import Trajectory
from spa_lab.view.charts.advantages import advantage_chart
from spa_lab.view.html.advantages import advantage_numbers_html, advantage_summary_html
from spa_lab.view.html.markup import safe
from spa_lab.view.tables.advantages import AdvantageSettings, Critic, Granularity, Placement, advantage_table
from spa_lab.view.tables.collection import Collection
from spa_lab.view.text import shortened
from spa_lab.view.widgets import controls
from spa_lab.view.widgets.host import chart_pane, pane, trouble_html
from spa_lab.view.widgets.linked import CollectionView
from spa_lab.view.widgets.selection import Selection

SLIDERS = {
    "alpha": ("α, weight of the credit", 0.0, 2.0, 0.05),
    "beta": ("β, weight of grounding", 0.0, 1.0, 0.05),
    "gamma": ("γ, discount", 0.8, 1.0, 0.005),
    "lam": ("λ, trace decay", 0.0, 1.0, 0.01),
}
"""Setting -> title, smallest, largest, step."""
CHOICES = {
    "placement": ("step reward is paid on", Placement),
    "granularity": ("GAE runs per", Granularity),
    "grounding_form": ("grounding as a", GroundingForm),
    "residual": ("what the credit misses of R is", Residual),
    "critic": ("value baseline", Critic),
}

FORMS = {
    "terminal": "Terminal reward",
    "spa": "SPA-RL, these presets",
    "published": "SPA-RL, as published",
}
"""Buttons that set everything at once; the third has the settings of the paper and its released code. Those
of SPA-RL need a source of it."""
_OF_SPA = re.compile(r"spa(?![a-z])", re.IGNORECASE)
"""Beginning of the names of SPA-RL's sources, such as "spa_progress" and "SPA, linear"."""


class RewardExplorer(CollectionView):
    """The reward and the advantage of every step, recomputed as settings change.

    Args:
        collection: the trajectories.
        selection: shared with other widgets; its source is the credit that is fused.
        tokens: trajectory -> tokens of each of its steps, (T,); `word_count` of its text if None: roughly the
            tokens of a pretrained model, and three times those of a small agent.
    """

    controls = pane()
    summary = pane()
    chart = chart_pane()
    numbers = pane()
    settings = traitlets.Instance(AdvantageSettings, args=())
    """Setting them redraws."""

    def __init__(
        self,
        collection: Collection,
        selection: Selection | None = None,
        *,
        tokens: Callable[[Trajectory], list[int]] | None = None,
    ) -> None:
        panes = ["controls", "status", "summary", "chart", "numbers"]
        super().__init__(collection, selection, panes=panes, name="Reward and advantage explorer")
        self.tokens = tokens
        if self.selection.source not in collection.sources:
            self.selection.source = collection.sources[0]
        self.follow()
        self.observe(self._redraw, names=["settings"])
        self.hear(self._redraw, "source")

    def to_frame(self) -> pd.DataFrame:
        """What is drawn, see `tables.advantages.advantage_table`.

        Raises:
            ValueError: the selected source gave the trajectory no credit, or its outcome or grounding is
                unknown and the settings need it.
        """
        credits = self.credits([self.selection.source])
        if not credits:
            raise ValueError(f"{self.selection.source!r} gave {self.trajectory.id!r} no credit")
        counts = self.tokens(self.trajectory) if self.tokens else None
        return advantage_table(self.trajectory, credits[0], self._usable(), truth=self.truth, n_tokens=counts)

    def draw(self) -> None:
        """The trajectory that is shown now; the chart first, as it is what a user waits for."""
        source = safe(shortened(self.selection.source, 60))
        title = f'<h4 dir="auto">{safe(shortened(self.trajectory.instruction, 120))}</h4>'
        try:
            table = self.to_frame() if self.credits([self.selection.source]) else None
            trouble = f'<span class="note">{source} gave this trajectory no credit.</span>'
        except ValueError as error:  # what this trajectory lacks is no error of the view whose user opened it
            table, trouble = None, trouble_html(error)
        if table is not None:
            self.draw_chart("chart", advantage_chart(self.trajectory, table))
            self.summary = f'{title}<p class="facts">credit by {source}</p>{advantage_summary_html(table)}'
            self.numbers = advantage_numbers_html(table)
        else:
            self.draw_chart("chart", None)
            self.summary, self.numbers = title + trouble, ""
        self.controls = self._form()

    def on_control(self, name: str, value: str) -> None:
        """A control of the page."""
        if name in SLIDERS:
            self._set(**{name: float(value)})
        elif name in CHOICES:
            self._set(**{name: value})
        elif name == "source" and value in self.collection.sources:
            self.selection.source = value
        elif name == "form" and value in self._forms():
            self._choose_form(value)

    def _forms(self) -> dict[str, str]:
        """Those of `FORMS` that the collection has a source for -> the source."""
        spa = next((each for each in self.collection.sources if _OF_SPA.match(each)), None)
        return {form: source for form in FORMS if (source := "terminal" if form == "terminal" else spa)}

    def _choose_form(self, form: str) -> None:
        """Set source and settings of one of `FORMS`."""
        self.selection.source = self._forms()[form]
        reward, ppo = TINY.reward, TINY.ppo
        self.settings = AdvantageSettings() if form == "published" else AdvantageSettings(
            reward.alpha, reward.beta, ppo.gamma, ppo.lam, granularity=ppo.gae_level,
            grounding_form=reward.grounding_form, residual=reward.residual,
        )  # fmt: skip

    def _set(self, **changed: Any) -> None:
        self.settings = replace(self.settings, **changed)

    def _usable(self) -> AdvantageSettings:
        """The settings, without the truth as baseline if this trajectory was not measured."""
        return self.settings if self.truth is not None else replace(self.settings, critic="none")

    def _redraw(self, _: Any) -> None:
        self.draw()

    def _form(self) -> str:
        sliders = [
            controls.slider(name, title, getattr(self.settings, name), low, high, step)
            for name, (title, low, high, step) in SLIDERS.items()
        ]
        choices = [controls.choice("source", "credit by", self.selection.source, self.collection.sources)]
        for name, (title, kind) in CHOICES.items():
            options = [option for option in get_args(kind) if option != "truth" or self.collection.has_truths]
            choices.append(controls.choice(name, title, getattr(self.settings, name), options))
        forms = [controls.button("form", FORMS[form], value=form) for form in self._forms()]
        return controls.row(*forms) + controls.row(*sliders) + controls.row(*choices)
