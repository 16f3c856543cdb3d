"""One action of an episode, from its text to the state that follows."""

from typing import NamedTuple

from spa_lab.envs.virtualhome.actions import execute
from spa_lab.envs.virtualhome.commands import BindingError, Bindings, Command, bind, parse, program_line
from spa_lab.envs.virtualhome.graph import Scene, State


class EpisodeState(NamedTuple):
    """The complete state of an episode; immutable, so a reference to it is a snapshot."""

    state: State
    bindings: Bindings


class Transition(NamedTuple):
    """The result of an action."""

    command: Command | None
    """The parsed action; None if no template matches."""
    ids: tuple[int, ...] | None
    """Its objects; None if a name could not be resolved."""
    rejected: str
    """Why the action did not reach the engine: "unknown action", "not available", "not in hand", "same
    object"; empty if it did."""
    executed: bool
    message: str
    """The engine's message; a few actions are executed with a complaint."""
    after: EpisodeState
    """Names may be bound even where the engine refuses the action."""


def apply_text(scene: Scene, before: EpisodeState, text: str) -> Transition:
    """Parse, resolve and execute an action given as any text."""
    command = parse(text)
    if command is None:
        return Transition(None, None, "unknown action", False, "", before)
    try:
        ids, bindings = bind(scene, before.state, before.bindings, command)
    except BindingError as error:
        return Transition(command, None, str(error), False, "", before)
    after_binding = EpisodeState(before.state, bindings)
    return apply_command(scene, after_binding, command, ids, program_line(command, ids))


def apply_command(
    scene: Scene, before: EpisodeState, command: Command, ids: tuple[int, ...], quoted: str
) -> Transition:
    """Execute an action on resolved objects; `quoted` is the action as messages quote it."""
    state, message = execute(scene, before.state, command.action, ids, quoted)
    after = before if state is None else EpisodeState(state, before.bindings)
    return Transition(command, ids, "", state is not None, message, after)
