"""Widgets that follow the trajectory and the step of a `Selection`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from spa_lab.rewards import MODEL_FREE
from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view.tables.collection import Collection
from spa_lab.view.widgets.host import Host
from spa_lab.view.widgets.selection import Selection


class Linked(Host):
    """Follows a selection and writes to it; a subclass holds trajectories and draws them.

    A subclass calls `follow` at the end of its `__init__`.
    """

    shown_id: str
    """Id of the trajectory that is shown; `open_selected` sets it."""
    _heard: tuple[tuple[Callable[[Any], None], str], ...] = ()
    """Handlers of the selection's traits."""

    def __init__(self, selection: Selection | None, **traits: Any) -> None:
        super().__init__(**traits)
        self.selection = selection if selection is not None else Selection()

    def follow(self) -> None:
        """Show the selected trajectory and follow later changes of the selection."""
        self.open_selected()
        self.draw()
        self.hear(self._on_trajectory, "trajectory_id")
        self.hear(self._on_step, "step")
        self.observe(self._on_selected_step, names=["selected_step"])

    def hear(self, handler: Callable[[Any], None], name: str) -> None:
        """Call the handler when that trait of the selection changes, until the widget is closed."""
        self.selection.observe(handler, names=[name])
        self._heard += ((handler, name),)

    def close(self) -> None:
        """Also leave the selection, which may outlive the widget."""
        for handler, name in self._heard:
            self.selection.unobserve(handler, names=[name])
        self._heard = ()
        super().close()

    def shows(self, trajectory_id: str) -> bool:
        """Whether this widget can show that trajectory; others are ignored."""
        raise NotImplementedError

    def open_selected(self) -> None:
        """Load the selected trajectory, which `shows` accepts.

        Sets `shown_id`, `n_steps` and `selected_step`.
        """
        raise NotImplementedError

    def draw(self) -> None:
        """Fill the panes for the trajectory that is shown now."""
        raise NotImplementedError

    def draw_step(self) -> None:
        """Fill the panes that depend on the selected step, if there are any."""

    @property
    def step(self) -> int:
        """The selected step, clipped to the trajectory."""
        return min(self.selection.step, self.n_steps - 1)

    def _on_trajectory(self, _: Any) -> None:
        if self.shows(self.selection.trajectory_id):
            self.open_selected()
            self.draw()

    def _on_step(self, _: Any) -> None:
        # a step of an episode that is yet to be opened would be clipped to the length of this one
        if self.selection.trajectory_id == self.shown_id:
            self.selected_step = self.step
            self.draw_step()

    def _on_selected_step(self, _: Any) -> None:
        self.selection.step = max(self.selected_step, 0)


class CollectionView(Linked):
    """A linked widget over a `Collection`.

    Args:
        collection: the trajectories.
        selection: shared with other widgets; a new one if None. If it names no trajectory of the collection,
            `default_index` is selected.
    """

    index: int
    """Index of the trajectory that is shown, in the collection."""
    trajectory: Trajectory

    def __init__(self, collection: Collection, selection: Selection | None = None, **traits: Any) -> None:
        super().__init__(selection, **traits)
        self.collection = collection
        if not self.shows(self.selection.trajectory_id):
            self.selection.choose(str(collection.index["trajectory_id"].iloc[default_index(collection)]))

    @property
    def truth(self) -> ValueTruth | None:
        """The measured values of the trajectory shown."""
        return self.collection.truth(self.index)

    def credits(self, sources: list[str]) -> list[Credit]:
        """Credits of the trajectory shown, by those of the sources that gave one."""
        return self.collection.credits(self.index, sources)

    def shows(self, trajectory_id: str) -> bool:
        """Whether the collection holds that trajectory."""
        return trajectory_id in self.collection

    def open_selected(self) -> None:
        """Load the selected trajectory from the collection."""
        self.shown_id = self.selection.trajectory_id
        self.index = self.collection.position(self.shown_id)
        self.trajectory = self.collection.trajectory(self.index)
        self.n_steps = len(self.trajectory)
        self.selected_step = self.step


def default_index(collection: Collection) -> int:
    """Index of the trajectory with the largest measured progress of one step, which has most to show.

    Without a truth, the first with a credit by a model, else 0.
    """
    indices = range(len(collection))
    largest = [
        (float(np.abs(truth.progress).max()), -at) for at in indices if (truth := collection.truth(at))
    ]
    if largest:
        return -max(largest)[1]
    sources = [source for source in collection.sources if source not in MODEL_FREE]
    return next((index for index in indices if collection.credits(index, sources)), 0)
