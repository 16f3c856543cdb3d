"""A widget that looks at the trajectory and the step of a `Selection`."""

from itertools import chain
from typing import Any

from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view.tables.collection import MODEL_FREE, Collection
from spa_lab.view.widgets.host import Host
from spa_lab.view.widgets.selection import Selection


class Linked(Host):
    """Follows a selection and writes to it; a subclass draws in `draw`.

    Args:
        collection: what there is to look at.
        selection: shared with other widgets; one of its own if None. Where it names no trajectory of the
            collection, the first is chosen that was measured, or else that somebody gave credit.
    """

    def __init__(self, collection: Collection, selection: Selection | None = None, **traits: Any) -> None:
        super().__init__(**traits)
        self.collection = collection
        self.selection = selection if selection is not None else Selection()
        if self.selection.trajectory_id not in collection:
            self.selection.choose(str(collection.index["trajectory_id"].iloc[default_index(collection)]))
        self.open_chosen()
        self.selection.observe(self._follow, names=["trajectory_id"])
        self.selection.observe(self._mark, names=["step"])
        self.observe(self._report, names=["chosen"])

    number: int
    """Which trajectory of the collection is shown."""
    trajectory: Trajectory

    @property
    def truth(self) -> ValueTruth | None:
        """What was measured of the trajectory shown."""
        return self.collection.truth(self.number)

    @property
    def step(self) -> int:
        """The chosen step, on the trajectory."""
        return min(self.selection.step, len(self.trajectory) - 1)

    def credits(self, sources: list[str]) -> list[Credit]:
        """What the sources say of the trajectory shown."""
        return self.collection.credits(self.number, sources)

    def draw(self) -> None:
        """Fill the panes for the trajectory that is shown now."""

    def open_chosen(self) -> None:
        """Take up the trajectory that the selection names; a subclass calls `draw` after it."""
        self.number = self.collection.position(self.selection.trajectory_id)
        self.trajectory = self.collection.trajectory(self.number)
        self.n_steps = len(self.trajectory)
        self.chosen = self.step

    def _follow(self, _: Any) -> None:
        if self.selection.trajectory_id in self.collection:
            self.open_chosen()
            self.draw()

    def _mark(self, _: Any) -> None:
        self.chosen = self.step

    def _report(self, _: Any) -> None:
        self.selection.step = max(self.chosen, 0)


def default_index(collection: Collection) -> int:
    """Number of the first trajectory that was measured, or else that somebody gave credit; else 0."""
    numbers = range(len(collection))
    sources = [source for source in collection.sources if source not in MODEL_FREE]
    measured = (number for number in numbers if collection.truth(number))
    credited = (number for number in numbers if collection.credits(number, sources))
    return next(chain(measured, credited), 0)
