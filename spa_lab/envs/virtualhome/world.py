"""The VirtualHome world: the public graph simulator's rules and SPA-RL's text protocol.

Compared with recordings of the original engine (`parity.py`): parsing, name resolution, executed, message,
state, visible and held objects, and goals agree at every step. Departs from the released environment on
purpose: reset restores the initial graph, names are resolved deterministically, and observations contain only
what the agent sees.
"""

from collections import OrderedDict
from collections.abc import Container
from itertools import product
from typing import NamedTuple

from spa_lab.envs.base import Reply, Task
from spa_lab.envs.virtualhome.actions import ACTIONS
from spa_lab.envs.virtualhome.commands import TEMPLATES, Bindings, held_by_name, resolve
from spa_lab.envs.virtualhome.goal import share_met
from spa_lab.envs.virtualhome.hints import rejection
from spa_lab.envs.virtualhome.observation import observe
from spa_lab.envs.virtualhome.scene_state import SceneState
from spa_lab.envs.virtualhome.task import Game, VirtualHomeTask, read_task
from spa_lab.envs.virtualhome.transition import EpisodeState, Transition, apply_text

MANUAL = """You act in a flat. Each step, write one action in one of these forms:
walk to {}, run to {}, find {}, turn to {}, look at {}, watch {}
grab {}, put {} on {}, put {} in {}, release {}, drop {}
open {}, close {}, switch on {}, switch off {}, plug in {}, plug out {}
wash {}, wipe {}, pour {} into {}, drink {}, eat {}, cut {}
sit on {}, stand up, sleep, wake up, type on {}, read {}, move {}
{} is the name of an object or a room, like "fridge". You can hold two objects; to open something you need a
free hand. You must be near an object to use it. An action that cannot be done is answered by "Nothing
happens."."""
NOTHING_HAPPENS = "Nothing happens."
NOTHING_SEEN = "You see nothing."
"""Replaces the release's empty observation, which looks like an error."""
GAMES_KEPT = 64
"""Parsed tasks that one world caches, least recently used first out."""


class Snapshot(NamedTuple):
    """The state of an episode, and the task it belongs to."""

    payload: VirtualHomeTask
    episode: EpisodeState
    won: bool


class VirtualHomeWorld:
    """A world of household graphs; `Task.payload` must be a `VirtualHomeTask`. Call `reset` first.

    The reply to an action that cannot be parsed, resolved or executed is "Nothing happens."; at most the
    bindings of names change. `done` says whether the goal holds now; the world accepts actions after a win.
    """

    def __init__(self) -> None:
        self._games: OrderedDict[str, tuple[VirtualHomeTask, Game]] = OrderedDict()
        self._payload: VirtualHomeTask
        self._game: Game
        self._episode: EpisodeState
        self._won: bool

    def reset(self, task: Task) -> str:
        """Start `task`; returns the task sentence.

        Raises:
            ValueError: the payload is not a `VirtualHomeTask`, or its graph or goal is invalid.
        """
        payload = task.payload
        if not isinstance(payload, VirtualHomeTask):
            raise ValueError(
                f"task {task.id!r}: payload must be a VirtualHomeTask, got {type(payload).__name__}"
            )
        self._game = self._read(payload)
        self._payload = payload
        start = self._game.scene.start
        self._episode = EpisodeState(start, Bindings(dict(payload.bind), None))
        self._won = self._game.won(start)
        return f"The task is {payload.instruction}."

    def goal_conditions_met(self) -> float:
        """Share of the goal's conditions that hold now, in [0, 1]."""
        return share_met(self._game.goal, self._episode.state)

    def step(self, action: str) -> Reply:
        """Execute one action, given as any text; never raises."""
        result = apply_text(self._game.scene, self._episode, action)
        self._episode = result.after
        if not result.executed:
            reason = self._reason(result, action)
            return Reply(NOTHING_HAPPENS, False, self._won, float(self._won), reason)
        self._won = self._game.won(self._episode.state)
        observation = observe(self._game.scene, self._episode.state) or NOTHING_SEEN
        return Reply(observation, True, self._won, float(self._won))

    def snapshot(self) -> Snapshot:
        """The current state."""
        return Snapshot(self._payload, self._episode, self._won)

    def restore(self, token: object) -> None:
        """Return to the state `token`.

        Raises:
            ValueError: the token is not a snapshot of the current task.
        """
        if not isinstance(token, Snapshot) or token.payload != self._payload:
            raise ValueError(f"scene {self._payload.scene!r}: the token is not a snapshot of this task")
        self._episode, self._won = token.episode, token.won

    def admissible(self, kinds: Container[str] = ACTIONS) -> list[str]:
        """All actions on names of the scene that can be executed now, sorted.

        Args:
            kinds: keys of `ACTIONS` to consider.
        """
        scene, (state, bindings) = self._game.scene, self._episode
        now = SceneState(scene, state)
        resolved = {name: resolve(scene, state, bindings, name) for name in scene.by_name}
        held = held_by_name(scene, state)
        actions = []
        for kind, words in TEMPLATES:
            if kind not in kinds:
                continue
            rule = ACTIONS[kind]
            choices = [held, resolved] if rule.objects == 2 else [resolved] * rule.objects
            for names in product(*choices):
                ids = [choice[name] for choice, name in zip(choices, names, strict=True)]
                if len(set(ids)) == len(ids) and rule.needs(now, *ids) is None:
                    actions.append(words.format(*names))
        return sorted(actions)

    def _reason(self, result: Transition, action: str) -> str:
        """Why an action was not executed."""
        if result.rejected:
            known = {*self._game.scene.by_name, *self._episode.bindings.names}
            return rejection(result.rejected, result.command, action, known)
        return result.message or "refused by the engine without a message"

    def _read(self, payload: VirtualHomeTask) -> Game:
        cached, game = self._games.pop(payload.scene, (None, None))
        if game is None or cached != payload:
            game = read_task(payload)
        self._games[payload.scene] = payload, game
        if len(self._games) > GAMES_KEPT:
            self._games.popitem(last=False)
        return game
