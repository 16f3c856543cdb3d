"""The VirtualHome world: the public graph simulator's rules and SPA-RL's text, on flats of our own.

Verified against recordings of the original engine (`parity.py`): parsing, binding, executed, message, state,
what is seen and held, and goals agree at every step. Departs from the released environment on purpose: a
reset starts anew, names are bound deterministically, and observations tell of what is seen only.
"""

from collections import OrderedDict
from collections.abc import Container
from itertools import product
from typing import NamedTuple

from spa_lab.envs.base import Reply, Task
from spa_lab.envs.virtualhome.actions import ACTIONS
from spa_lab.envs.virtualhome.attempt import Standing, attempt
from spa_lab.envs.virtualhome.commands import TEMPLATES, Bound, in_hands, meaning
from spa_lab.envs.virtualhome.goal import share_met
from spa_lab.envs.virtualhome.moment import Moment
from spa_lab.envs.virtualhome.task import Game, VirtualHomeTask, read_task
from spa_lab.envs.virtualhome.view import observe

NOTHING_HAPPENS = "Nothing happens."
NOTHING_SEEN = "You see nothing."
"""Stands for the release's empty observation, which looks like a fault."""
GAMES_KEPT = 64
"""Tasks that one world keeps read; the least recently played goes first."""


class Snapshot(NamedTuple):
    """Where an episode of a task stands."""

    payload: VirtualHomeTask
    standing: Standing
    won: bool


class VirtualHomeWorld:
    """A world of household graphs; `Task.payload` must be a `VirtualHomeTask`. Call `reset` first.

    An action that cannot be read, bound or executed is answered by "Nothing happens." and changes nothing
    but what names mean. `done` says whether the goal holds now; the world accepts actions after a win.
    """

    def __init__(self) -> None:
        self._games: OrderedDict[str, tuple[VirtualHomeTask, Game]] = OrderedDict()
        self._payload: VirtualHomeTask
        self._game: Game
        self._standing: Standing
        self._won: bool

    def reset(self, task: Task) -> str:
        """Start `task` anew; returns the task sentence.

        Raises:
            ValueError: If the payload is not a `VirtualHomeTask`, or its graph or goal cannot be read.
        """
        payload = task.payload
        if not isinstance(payload, VirtualHomeTask):
            raise ValueError(
                f"task {task.id!r}: payload must be a VirtualHomeTask, got {type(payload).__name__}"
            )
        self._game = self._read(payload)
        self._payload = payload
        start = self._game.scene.start
        self._standing = Standing(start, Bound(dict(payload.bind), None))
        self._won = self._game.won(start)
        return f"The task is {payload.instruction}."

    @property
    def progress(self) -> float:
        """Share of the goal's conditions that hold now, in [0, 1]. For looking, never a reward."""
        return share_met(self._game.goal, self._standing.state)

    def step(self, action: str) -> Reply:
        """Execute one action; free text, never an exception."""
        tried = attempt(self._game.scene, self._standing, action)
        self._standing = tried.after
        if not tried.executed:
            reason = tried.rejected or tried.message or "refused by the engine without a reason"
            return Reply(NOTHING_HAPPENS, False, self._won, float(self._won), reason)
        self._won = self._game.won(self._standing.state)
        told = observe(self._game.scene, self._standing.state) or NOTHING_SEEN
        return Reply(told, True, self._won, float(self._won))

    def snapshot(self) -> Snapshot:
        """The present moment."""
        return Snapshot(self._payload, self._standing, self._won)

    def restore(self, token: object) -> None:
        """Go back to the moment of `token`.

        Raises:
            ValueError: If the token is not a snapshot of the task that is being played.
        """
        if not isinstance(token, Snapshot) or token.payload != self._payload:
            raise ValueError(f"scene {self._payload.scene!r}: the token is not a snapshot of this task")
        self._standing, self._won = token.standing, token.won

    def admissible(self, among: Container[str] = ACTIONS) -> list[str]:
        """All actions on known names that can be executed now, sorted; only those `among` some kinds."""
        scene, (state, bound) = self._game.scene, self._standing
        now = Moment(scene, state)
        meant = {name: meaning(scene, state, bound, name) for name in scene.by_name}
        held = in_hands(scene, state)
        found = []
        for action, words in TEMPLATES:
            if action not in among:
                continue
            kind = ACTIONS[action]
            choices = [held, meant] if kind.objects == 2 else [meant] * kind.objects
            for names in product(*choices):
                ids = [choice[name] for choice, name in zip(choices, names, strict=True)]
                if len(set(ids)) == len(ids) and kind.needs(now, *ids) is None:
                    found.append(words.format(*names))
        return sorted(found)

    def _read(self, payload: VirtualHomeTask) -> Game:
        kept, game = self._games.pop(payload.scene, (None, None))
        if game is None or kept != payload:
            game = read_task(payload)
        self._games[payload.scene] = payload, game
        if len(self._games) > GAMES_KEPT:
            self._games.popitem(last=False)
        return game
