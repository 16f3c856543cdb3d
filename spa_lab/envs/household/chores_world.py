"""A household game whose tasks are given one after another: the next when an object is put down.

Whether it was the right object in the right place makes no difference, so the world never says that a task is
done or failed. The game is won while the goals of all tasks hold at the same time.
"""

from dataclasses import replace
from typing import NamedTuple

from spa_lab.envs.base import Reply, Task
from spa_lab.envs.household.generator import JOINT
from spa_lab.envs.household.world import HouseholdWorld
from spa_lab.envs.household.world import Snapshot as GameSnapshot

_PUT_DOWN = "You move the "


class Snapshot(NamedTuple):
    """The state of an episode."""

    game: GameSnapshot
    given: int
    """Tasks given so far."""


class ChoresWorld(HouseholdWorld):
    """As `HouseholdWorld`; the task sentences of the payload are joined by `JOINT`."""

    def reset(self, task: Task) -> str:
        """Start `task`; returns the view of the room and the first task sentence."""
        view, *sentences = super().reset(task).removesuffix(".").split(JOINT)
        self._sentences, self._given = sentences, 1
        return f"{view}{JOINT}{sentences[0]}."

    def step(self, action: str) -> Reply:
        """Execute one command; the reply to one that puts an object down ends in the next task sentence."""
        reply = super().step(action)
        if not reply.observation.startswith(_PUT_DOWN) or self._given == len(self._sentences):
            return reply
        sentence = self._sentences[self._given]
        self._given += 1
        return replace(reply, observation=f"{reply.observation.removesuffix('.')}{JOINT}{sentence}.")

    def snapshot(self) -> Snapshot:  # type: ignore[override]
        """The present state."""
        return Snapshot(super().snapshot(), self._given)

    def restore(self, token: object) -> None:
        """Return to the state of `token`.

        Raises:
            ValueError: the token is not a snapshot of the task that is being played.
        """
        game, given = token if isinstance(token, Snapshot) else (token, 0)
        super().restore(game)
        self._given = given
