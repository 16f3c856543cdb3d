"""What has been done so far: how often each kind of step has happened before each step (ours).

A hidden state of the cloned policy says where a history is, but hardly how much has been done: it was trained
to write the next step, and whether this is the first object that is put down or the third makes little
difference to that. For the value of a history it makes much.

The kind of a step is the first word of its action ("go", "take", "click"); refused steps are one kind.
Nothing is read that the agent has not written or been told.
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from spa_lab.types import FloatArray, Step, Trajectory

N_KINDS = 16
"""Kinds that are told apart: refused steps, rare words, and the most frequent words."""
_REFUSED, _RARE = 0, 1


class StepKinds:
    """Counts steps by kind; the words are those of the trajectories that it was made of.

    Args:
        words: first words of actions, the most frequent first; those beyond `N_KINDS` - 2 count as rare.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words[: N_KINDS - 2])
        self._place = {word: _RARE + 1 + i for i, word in enumerate(self.words)}

    @classmethod
    def of(cls, trajectories: Sequence[Trajectory]) -> "StepKinds":
        """The words of the executed actions of N trajectories."""
        counted = Counter(
            word for trajectory in trajectories for step in trajectory.steps if (word := _word(step))
        )
        return cls([word for word, _ in counted.most_common()])

    def counts(self, trajectory: Trajectory) -> FloatArray:
        """(T, `N_KINDS`) log(1 + n), n how many of the steps before each one are of each kind."""
        happened = np.zeros((len(trajectory), N_KINDS))
        for t, step in enumerate(trajectory.steps):
            word = _word(step)
            happened[t, _REFUSED if word is None else self._place.get(word, _RARE)] = 1.0
        before = np.cumsum(happened, axis=0) - happened
        return np.log1p(before)


def _word(step: Step) -> str | None:
    """The first word of an action in lower case, "" if it has none; None if the world refused it."""
    if step.grounded is False:
        return None
    found = re.search(r"\w+", step.action)
    return found.group().lower() if found else ""
