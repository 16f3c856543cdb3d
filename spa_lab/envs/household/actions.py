"""The actions of a household: the words of each command, its effect and its reply.

Source of the effects: `alfworld/data/alfred.pddl` of the public package alfworld 0.4.2 (MIT). `rules.py` says
when an action is refused; the list of admissible commands and the execution of a command ask the same rule.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Literal, TypeAlias

from spa_lab.envs.household import rules, text
from spa_lab.envs.household.game import Game, Grammar
from spa_lab.envs.household.state import (
    AT,
    BUSY,
    CLEAN,
    COOL,
    HELD,
    HOT,
    INSIDE,
    ON,
    OPENED,
    SLICED,
    TOGGLED,
    State,
    members,
)

Indices: TypeAlias = tuple[int, ...]
Kind = Literal["object", "receptacle"]


class RefusedError(Exception):
    """The command cannot be executed now; the message is the reason."""


class UnknownCommandError(RefusedError):
    """The command has none of ALFWorld's forms, or names something that this game does not have."""


@dataclass(frozen=True)
class Action:
    """A family of commands: words[0] + name, or words[0] + name + words[1] + name."""

    words: tuple[str, ...]
    kinds: tuple[Kind, ...]
    """What each name must be."""
    refusal: Callable[..., str]
    """(game, state, indices...) -> why not; empty if it can be done."""
    apply: Callable[..., str]
    """(game, state, indices...) -> the reply; changes the state. Called only where `refusal` is empty."""
    candidates: Callable[[Game, State], Sequence[Indices]]
    """All indices for which the action may be possible now, and few others."""


def execute(game: Game, state: State, command: str, grammar: Grammar) -> str:
    """Execute a stripped command: changes `state` and returns the reply.

    Raises:
        RefusedError: If the command cannot be read or executed; `state` is then unchanged.
    """
    plain = _PLAIN[grammar].get(command)
    if plain is not None:
        return plain(game, state)
    for action in _BY_VERB[grammar].get(command.partition(" ")[0], ()):
        indices = _indices(game, action, command)
        if indices is not None:
            reason = action.refusal(game, state, *indices)
            if reason:
                raise RefusedError(reason)
            return action.apply(game, state, *indices)
    raise UnknownCommandError("not a command of ALFWorld, or not a name of this room")


def admissible(game: Game, state: State, grammar: Grammar) -> list[str]:
    """Every command that can be executed now, sorted."""
    commands = [*_PLAIN[grammar], *game.go_commands[state[AT].bit_length() - 1]]
    for action in _ACTIONS[grammar]:
        for indices in action.candidates(game, state):
            if not action.refusal(game, state, *indices):
                commands.append(_command(game, action, indices))
    return sorted(commands)


def _indices(game: Game, action: Action, command: str) -> Indices | None:
    """The indices of the things that `command` names; None if it is not a command of this family."""
    first = action.words[0]
    if not command.startswith(first):
        return None
    rest = command[len(first) :]
    names = rest.split(action.words[1]) if len(action.words) > 1 else [rest]
    if len(names) != len(action.kinds):
        return None
    indices = []
    for kind, name in zip(action.kinds, names, strict=True):
        index = (game.object_index if kind == "object" else game.receptacle_index).get(name)
        if index is None:
            return None
        indices.append(index)
    return tuple(indices)


def _command(game: Game, action: Action, indices: Indices) -> str:
    command = ""
    for word, kind, index in zip(action.words, action.kinds, indices, strict=True):
        command += word + (game.objects if kind == "object" else game.receptacles)[index]
    return command


def _go(game: Game, state: State, receptacle: int, *, grammar: Grammar) -> str:
    state[AT] = 1 << game.location_of[receptacle]
    return text.arrive(game, state, receptacle, grammar)


def _open(game: Game, state: State, receptacle: int) -> str:
    state[OPENED] |= 1 << receptacle
    return f"You open the {game.receptacles[receptacle]}. {text.see(game, state, receptacle)}"


def _close(game: Game, state: State, receptacle: int) -> str:
    state[OPENED] &= ~(1 << receptacle)
    return f"You close the {game.receptacles[receptacle]}."


def _take(game: Game, state: State, thing: int, receptacle: int) -> str:
    bit = 1 << thing
    state[INSIDE + receptacle] &= ~bit
    state[game.layout.taken + receptacle] |= bit
    state[game.layout.placed + state[AT].bit_length() - 1] &= ~bit
    state[HELD] |= bit
    state[BUSY] = 1
    return f"You pick up the {game.objects[thing]} from the {game.receptacles[receptacle]}."


def _put(game: Game, state: State, thing: int, receptacle: int, *, grammar: Grammar) -> str:
    bit = 1 << thing
    state[INSIDE + receptacle] |= bit
    state[game.layout.taken + receptacle] &= ~bit
    state[game.layout.placed + state[AT].bit_length() - 1] |= bit
    state[HELD] &= ~bit
    state[BUSY] = 0
    return text.put_down(game.objects[thing], game.receptacles[receptacle], grammar)


def _clean(game: Game, state: State, thing: int, receptacle: int) -> str:
    state[CLEAN] |= 1 << thing
    return f"You clean the {game.objects[thing]} using the {game.receptacles[receptacle]}."


def _heat(game: Game, state: State, thing: int, receptacle: int) -> str:
    state[HOT] |= 1 << thing
    state[COOL] &= ~(1 << thing)
    return f"You heat the {game.objects[thing]} using the {game.receptacles[receptacle]}."


def _cool(game: Game, state: State, thing: int, receptacle: int) -> str:
    state[COOL] |= 1 << thing
    state[HOT] &= ~(1 << thing)
    return f"You cool the {game.objects[thing]} using the {game.receptacles[receptacle]}."


def _use(game: Game, state: State, thing: int) -> str:
    state[ON] ^= 1 << thing
    state[TOGGLED] |= 1 << thing  # never cleared: the answer is "turn on" every time
    return f"You turn on the {game.objects[thing]}."


def _slice(game: Game, state: State, thing: int, knife: int) -> str:
    state[SLICED] |= 1 << thing
    return f"You sliced the {game.objects[thing]} with the {game.objects[knife]}."


def _help(game: Game, state: State) -> str:
    return text.HELP


def _none(game: Game, state: State) -> Sequence[Indices]:
    return ()  # `Game.go_commands` holds these: they depend on the location only


def _here(game: Game, state: State) -> Sequence[Indices]:
    return [(receptacle,) for receptacle in game.receptacles_at[state[AT].bit_length() - 1]]


def _inside_here(game: Game, state: State) -> Sequence[Indices]:
    if state[BUSY]:
        return ()
    here = game.receptacles_at[state[AT].bit_length() - 1]
    return [(thing, receptacle) for receptacle in here for thing in members(state[INSIDE + receptacle])]


def _held(game: Game, state: State) -> Sequence[Indices]:
    return [(thing,) for thing in members(state[HELD])]


def _held_and_here(game: Game, state: State) -> Sequence[Indices]:
    if not state[HELD]:
        return ()
    here = game.receptacles_at[state[AT].bit_length() - 1]
    return [(thing, receptacle) for thing in members(state[HELD]) for receptacle in here]


def _toggleable(game: Game, state: State) -> Sequence[Indices]:
    return [(thing,) for thing in members(game.toggleable)]


def _sliceable_and_knife(game: Game, state: State) -> Sequence[Indices]:
    knives = state[HELD] & game.knives
    return (
        [(thing, knife) for knife in members(knives) for thing in members(game.sliceable)] if knives else ()
    )


def _actions(grammar: Grammar) -> tuple[Action, ...]:
    put = ("move ", " to ") if grammar == "move" else ("put ", " in/on ")
    receptacle: tuple[Kind, ...] = ("receptacle",)
    thing: tuple[Kind, ...] = ("object",)
    both: tuple[Kind, ...] = ("object", "receptacle")
    return (
        Action(("go to ",), receptacle, rules.cannot_go, partial(_go, grammar=grammar), _none),
        Action(("open ",), receptacle, rules.cannot_open, _open, _here),
        Action(("close ",), receptacle, rules.cannot_close, _close, _here),
        Action(("take ", " from "), both, rules.cannot_take, _take, _inside_here),
        Action(put, both, rules.cannot_put, partial(_put, grammar=grammar), _held_and_here),
        Action(("clean ", " with "), both, rules.cannot_clean, _clean, _held_and_here),
        Action(("heat ", " with "), both, rules.cannot_heat, _heat, _held_and_here),
        Action(("cool ", " with "), both, rules.cannot_cool, _cool, _held_and_here),
        Action(("use ",), thing, rules.cannot_use, _use, _toggleable),
        Action(("slice ", " with "), ("object", "object"), rules.cannot_slice, _slice, _sliceable_and_knife),
        Action(("examine ",), receptacle, rules.cannot_reach, text.see, _here),
        Action(("examine ",), thing, rules.cannot_examine, text.describe, _held),
    )


def _by_verb(actions: tuple[Action, ...]) -> dict[str, list[Action]]:
    table: dict[str, list[Action]] = {}
    for action in actions:
        table.setdefault(action.words[0].split()[0], []).append(action)
    return table


_ACTIONS: Mapping[Grammar, tuple[Action, ...]] = MappingProxyType(
    {"move": _actions("move"), "put": _actions("put")}
)
_BY_VERB: Mapping[Grammar, dict[str, list[Action]]] = MappingProxyType(
    {grammar: _by_verb(actions) for grammar, actions in _ACTIONS.items()}
)
_PLAIN: Mapping[Grammar, dict[str, Callable[[Game, State], str]]] = MappingProxyType(
    {
        "move": {"look": text.look, "inventory": text.inventory, "help": _help},
        "put": {"look": text.look, "inventory": text.inventory},
    }
)
