"""The household as a world: ALFWorld's rules and text, on games in ALFWorld's PDDL layout.

Verified to the character against recordings of the original engine (`parity.py`): grammar "move" with the
domain and texts of alfworld 0.4.2, grammar "put" with those of alfworld 0.3.3, both run by TextWorld 1.7.0 on
generated games. Not verified: games of the official data set (their files bring the same domains and texts).
"""

import json
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

from spa_lab.envs.base import Reply, Task
from spa_lab.envs.household import actions, text
from spa_lab.envs.household.game import Game, HouseholdTask
from spa_lab.envs.household.reader import read_game
from spa_lab.envs.household.spelling import expected_form, names_in, standard_command
from spa_lab.envs.household.state import State

GAMES_KEPT = 64
"""Parsed games that a world keeps; the least recently played is dropped first."""


class Snapshot(NamedTuple):
    """The state of an episode of a game."""

    payload: HouseholdTask
    state: tuple[int, ...]
    won: bool


class HouseholdWorld:
    """A world of household games; `Task.payload` must be a `HouseholdTask`. Call `reset` first.

    An action is stripped of white space at both ends and must then be one of the admissible commands, letter
    for letter; anything else is answered by "Nothing happens." and changes nothing. `done` says whether the
    goal holds now: it is evaluated after each step, and the world keeps accepting commands after a win.
    """

    def __init__(self) -> None:
        self._games: OrderedDict[str | Path, Game] = OrderedDict()
        self._payload: HouseholdTask
        self._game: Game
        self._state: State
        self._won: bool

    def reset(self, task: Task) -> str:
        """Start `task`; returns the view of the room and the task sentence.

        The original engine prints `text.BANNER` before that.

        Raises:
            ValueError: If the payload is not a `HouseholdTask`, or its problem cannot be read.
        """
        payload = task.payload
        if not isinstance(payload, HouseholdTask):
            raise ValueError(
                f"task {task.id!r}: payload must be a HouseholdTask, got {type(payload).__name__}"
            )
        self._game = self._read(payload)
        self._payload = payload
        self._state = list(self._game.start)
        self._won = self._game.goal.holds(self._state)
        return text.opening(self._game, self._state, payload.task)

    @property
    def won(self) -> bool:
        """Whether the goal holds now."""
        return self._won

    def goal_conditions_met(self) -> float:
        """Share of the goal's conditions that hold now, in [0, 1]; several tasks have one each."""
        return self._game.goal.share_met(self._state)

    def step(self, action: str) -> Reply:
        """Execute one command; any text is accepted, none raises."""
        try:
            observation = actions.execute(self._game, self._state, action.strip(), self._payload.grammar)
        except actions.UnknownCommandError:
            reason = self._why_unknown(action.strip())
            return Reply(text.NOTHING_HAPPENS, False, self._won, float(self._won), reason)
        except actions.RefusedError as refusal:
            return Reply(text.NOTHING_HAPPENS, False, self._won, float(self._won), str(refusal))
        self._won = self._game.goal.holds(self._state)
        return Reply(observation, True, self._won, float(self._won))

    def snapshot(self) -> Snapshot:
        """The present state."""
        return Snapshot(self._payload, tuple(self._state), self._won)

    def restore(self, token: object) -> None:
        """Return to the state of `token`.

        Raises:
            ValueError: If the token is not a snapshot of the task that is being played.
        """
        if not isinstance(token, Snapshot) or token.payload != self._payload:
            raise ValueError(f"game {self._game.game_id!r}: the token is not a snapshot of this task")
        self._state = list(token.state)
        self._won = token.won

    def admissible(self) -> list[str]:
        """All commands that can be executed now, sorted."""
        return actions.admissible(self._game, self._state, self._payload.grammar)

    def _why_unknown(self, command: str) -> str:
        """What the world expects instead of a command that it cannot read."""
        grammar = self._payload.grammar
        meant = standard_command(command, grammar)
        if meant is not None and meant != command:
            return f'ALFWorld\'s form is "{meant}"'
        if meant is not None:
            known = self._game.object_index.keys() | self._game.receptacle_index.keys()
            missing = [name for name in names_in(command) if name not in known]
            if missing:
                return f"this room has no {' and no '.join(missing)}"
            return f"this command does not apply to {' and '.join(names_in(command))}"
        form = expected_form(command, grammar)
        return f'ALFWorld\'s form is "{form}", with names like "mug 1"' if form else "unknown command"

    def _read(self, payload: HouseholdTask) -> Game:
        game = self._games.pop(payload.problem, None)
        if game is None:
            game = read_game(problem_text(payload), payload.game_id)
        self._games[payload.problem] = game
        if len(self._games) > GAMES_KEPT:
            self._games.popitem(last=False)
        return game


def problem_text(payload: HouseholdTask) -> str:
    """The PDDL problem of a task, read from the official game file where the task only names that.

    Raises:
        ValueError: Names the file that cannot be read as a game.
    """
    if isinstance(payload.problem, str):
        return payload.problem
    try:
        return json.loads(payload.problem.read_text(encoding="utf-8"))["pddl_problem"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{payload.problem}: not a readable game file with a 'pddl_problem': {error!r}"
        ) from error
