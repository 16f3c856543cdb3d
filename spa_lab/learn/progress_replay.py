"""The last iterations' episodes, as far as the progress model is fitted to them."""

from collections import deque

import torch

from spa_lab.learn.checkpoint import LearnerState
from spa_lab.learn.progress import ProgressData

_FIELDS = ("features", "lengths", "outcomes", "tasks")


class ProgressReplay:
    """Episodes to fit the progress model to: the last iterations, with the explorations until it is full.

    An iteration alone has few episodes: a model that was fitted to the first one only would know less than
    the one before it.

    Args:
        explored: of the policy that training starts from.
        iterations: that are kept.
    """

    def __init__(self, explored: ProgressData, iterations: int) -> None:
        self._explored = explored
        self._recent: deque[ProgressData] = deque(maxlen=iterations)
        self.n_added = 0
        """Iterations that were added, kept or not."""

    def add(self, data: ProgressData) -> None:
        """Keep the episodes of an iteration."""
        self._recent.append(data)
        self.n_added += 1

    def data(self) -> ProgressData:
        """What the model is fitted to now."""
        enough = len(self._recent) == self._recent.maxlen
        return ProgressData.join(self._recent if enough else [self._explored, *self._recent])

    def state(self) -> LearnerState:
        """The kept iterations; the explorations do not change."""
        tensors = {
            f"{i}/{name}": torch.from_numpy(getattr(part, name).copy())
            for i, part in enumerate(self._recent)
            for name in _FIELDS
        }
        return LearnerState(tensors, {"kept": len(self._recent), "added": self.n_added})

    def load_state(self, state: LearnerState) -> None:
        """Continue from `state`.

        Raises:
            ValueError: a part is missing.
        """
        self._recent.clear()
        for i in range(int(state.facts["kept"])):
            try:
                parts = {name: state.tensors[f"{i}/{name}"].numpy() for name in _FIELDS}
            except KeyError as error:
                raise ValueError(f"the saved replay lacks {error.args[0]!r}") from None
            self._recent.append(ProgressData(**parts))
        self.n_added = int(state.facts["added"])
