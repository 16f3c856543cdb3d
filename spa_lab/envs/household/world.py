"""The household as a world: ALFWorld's rules and text on games in ALFWorld's PDDL layout.

Verified against recordings of the original engine (`parity.py`): the words of grammar "move". Grammar "put"
follows the texts of the public package alfworld 0.3.3 and has not been compared with recordings.
"""

import json
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

from spa_lab.envs.base import Reply, Task
from spa_lab.envs.household import actions, text
from spa_lab.envs.household.game import Game, HouseholdTask
from spa_lab.envs.household.reader import read_game
from spa_lab.envs.household.row import Row

GAMES_KEPT = 64
"""Games that one world keeps read, least recently played first out; one takes about 0.3 MB."""


class Moment(NamedTuple):
    """A snapshot: where an episode of a game stands."""

    game: Game
    row: tuple[int, ...]
    won: bool


class HouseholdWorld:
    """A world of household games; `Task.payload` must be a `HouseholdTask`.

    An action is stripped of white space at both ends and must then be exactly one of the admissible commands;
    everything else is answered by "Nothing happens." and changes nothing. `done` says whether the goal holds
    now: it is judged anew after each step, and the world keeps accepting commands after a win.
    """

    def __init__(self) -> None:
        self._games: OrderedDict[str | Path, Game] = OrderedDict()
        self._task: HouseholdTask | None = None

    def reset(self, task: Task) -> str:
        """Start `task`; returns the view of the room and the task sentence, without the engine's banner.

        Raises:
            ValueError: If the payload is not a `HouseholdTask`, or its problem cannot be read.
        """
        payload = task.payload
        if not isinstance(payload, HouseholdTask):
            raise ValueError(f"task {task.id!r}: payload must be a HouseholdTask, got {type(payload).__name__}")
        self._game = self._read(payload)
        self._task = payload
        self._row: Row = list(self._game.start)
        self._won = self._game.won(self._row)
        return text.opening(self._game, self._row, payload.task)

    @property
    def won(self) -> bool:
        """Whether the goal holds now."""
        return self._won

    def step(self, action: str) -> Reply:
        """Execute one command; free text, never an exception."""
        try:
            observation = actions.execute(self._game, self._row, action.strip(), self._task.grammar)
        except actions.RefusedError as refusal:
            return Reply(text.NOTHING_HAPPENS, False, self._won, float(self._won), str(refusal))
        self._won = self._game.won(self._row)
        return Reply(observation, True, self._won, float(self._won))

    def snapshot(self) -> Moment:
        """The present moment."""
        return Moment(self._game, tuple(self._row), self._won)

    def restore(self, token: object) -> None:
        """Go back to the moment of `token`.

        Raises:
            ValueError: If the token was not taken from the game that is being played.
        """
        if not isinstance(token, Moment) or token.game is not self._game:
            raise ValueError(f"game {self._game.game_id!r}: the snapshot is not of this game")
        self._row = list(token.row)
        self._won = token.won

    def admissible(self) -> list[str]:
        """All commands that can be executed now, sorted."""
        return actions.admissible(self._game, self._row, self._task.grammar)

    def _read(self, payload: HouseholdTask) -> Game:
        game = self._games.pop(payload.problem, None)
        if game is None:
            game = read_game(_problem_text(payload), payload.game_id)
        self._games[payload.problem] = game
        if len(self._games) > GAMES_KEPT:
            self._games.popitem(last=False)
        return game


def _problem_text(payload: HouseholdTask) -> str:
    if isinstance(payload.problem, str):
        return payload.problem
    return json.loads(payload.problem.read_text(encoding="utf-8"))["pddl_problem"]
