"""One action of an episode, from its text to the state after it."""

from typing import NamedTuple

from spa_lab.envs.virtualhome.actions import execute
from spa_lab.envs.virtualhome.commands import Bound, Command, UnboundError, bind, call, parse
from spa_lab.envs.virtualhome.graph import Scene, State


class Standing(NamedTuple):
    """Where an episode stands; a value, so keeping one is a snapshot."""

    state: State
    bound: Bound


class Attempt(NamedTuple):
    """What became of an action."""

    command: Command | None
    """As it was read; None if it could not be."""
    ids: tuple[int, ...] | None
    """What it was about; None if a name means nothing."""
    rejected: str
    """Why it did not reach the engine: "unknown action", "not available", "not in hand", "same object"."""
    executed: bool
    message: str
    """What the engine says; a few actions are executed with a complaint."""
    after: Standing
    """Differs from before in what names mean even where the engine refuses."""


def attempt(scene: Scene, before: Standing, text: str) -> Attempt:
    """Try an action given as text; any text."""
    command = parse(text)
    if command is None:
        return Attempt(None, None, "unknown action", False, "", before)
    try:
        ids, bound = bind(scene, before.state, before.bound, command)
    except UnboundError as error:
        return Attempt(command, None, str(error), False, "", before)
    return carry_out(scene, Standing(before.state, bound), command, ids, call(command, ids))


def carry_out(scene: Scene, before: Standing, command: Command, ids: tuple[int, ...], quoted: str) -> Attempt:
    """Execute an action on known things; `quoted` is how messages call it."""
    state, message = execute(scene, before.state, command.action, ids, quoted)
    after = before if state is None else Standing(state, before.bound)
    return Attempt(command, ids, "", state is not None, message, after)
