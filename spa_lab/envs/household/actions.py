"""What can be done in a household: the words of each action, what it changes and what it answers.

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
from spa_lab.envs.household.row import (
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
    Row,
    members,
)

Numbers: TypeAlias = tuple[int, ...]
Kind = Literal["object", "receptacle"]


class RefusedError(Exception):
    """The command cannot be executed now; the message is the reason in plain words."""


class UnknownCommandError(RefusedError):
    """The command has none of ALFWorld's forms, or names something that this game does not have."""


@dataclass(frozen=True)
class Action:
    """A family of commands: words[0] + name, or words[0] + name + words[1] + name."""

    words: tuple[str, ...]
    kinds: tuple[Kind, ...]
    """What each name must be."""
    cannot: Callable[..., str]
    """(game, row, numbers...) -> why not; empty if it can be done."""
    do: Callable[..., str]
    """(game, row, numbers...) -> the reply; changes the row. Called only where `cannot` is empty."""
    candidates: Callable[[Game, Row], Sequence[Numbers]]
    """All numbers for which the action may be possible now, and few others."""


def execute(game: Game, row: Row, command: str, grammar: Grammar) -> str:
    """Execute a stripped command: changes `row` and returns the reply.

    Raises:
        RefusedError: If the command cannot be read or executed; `row` is then unchanged.
    """
    plain = _PLAIN[grammar].get(command)
    if plain is not None:
        return plain(game, row)
    for action in _BY_VERB[grammar].get(command.partition(" ")[0], ()):
        numbers = _numbers(game, action, command)
        if numbers is not None:
            reason = action.cannot(game, row, *numbers)
            if reason:
                raise RefusedError(reason)
            return action.do(game, row, *numbers)
    raise UnknownCommandError("not a command of ALFWorld, or not a name of this room")


def admissible(game: Game, row: Row, grammar: Grammar) -> list[str]:
    """Every command that can be executed now, sorted."""
    commands = [*_PLAIN[grammar], *game.ways[row[AT].bit_length() - 1]]
    for action in _ACTIONS[grammar]:
        for numbers in action.candidates(game, row):
            if not action.cannot(game, row, *numbers):
                commands.append(_command(game, action, numbers))
    return sorted(commands)


def _numbers(game: Game, action: Action, command: str) -> Numbers | None:
    """The numbers of the things that `command` names; None if it is not a command of this family."""
    first = action.words[0]
    if not command.startswith(first):
        return None
    rest = command[len(first) :]
    names = rest.split(action.words[1]) if len(action.words) > 1 else [rest]
    if len(names) != len(action.kinds):
        return None
    numbers = []
    for kind, name in zip(action.kinds, names, strict=True):
        number = (game.object_numbers if kind == "object" else game.receptacle_numbers).get(name)
        if number is None:
            return None
        numbers.append(number)
    return tuple(numbers)


def _command(game: Game, action: Action, numbers: Numbers) -> str:
    command = ""
    for word, kind, number in zip(action.words, action.kinds, numbers, strict=True):
        command += word + (game.objects if kind == "object" else game.receptacles)[number]
    return command


def _go(game: Game, row: Row, receptacle: int, *, grammar: Grammar) -> str:
    row[AT] = 1 << game.location_of[receptacle]
    return text.arrive(game, row, receptacle, grammar)


def _open(game: Game, row: Row, receptacle: int) -> str:
    row[OPENED] |= 1 << receptacle
    return f"You open the {game.receptacles[receptacle]}. {text.see(game, row, receptacle)}"


def _close(game: Game, row: Row, receptacle: int) -> str:
    row[OPENED] &= ~(1 << receptacle)
    return f"You close the {game.receptacles[receptacle]}."


def _take(game: Game, row: Row, thing: int, receptacle: int) -> str:
    bit = 1 << thing
    row[INSIDE + receptacle] &= ~bit
    row[game.layout.taken + receptacle] |= bit
    row[game.layout.placed + row[AT].bit_length() - 1] &= ~bit
    row[HELD] |= bit
    row[BUSY] = 1
    return f"You pick up the {game.objects[thing]} from the {game.receptacles[receptacle]}."


def _put(game: Game, row: Row, thing: int, receptacle: int, *, grammar: Grammar) -> str:
    bit = 1 << thing
    row[INSIDE + receptacle] |= bit
    row[game.layout.taken + receptacle] &= ~bit
    row[game.layout.placed + row[AT].bit_length() - 1] |= bit
    row[HELD] &= ~bit
    row[BUSY] = 0
    return text.put_down(game.objects[thing], game.receptacles[receptacle], grammar)


def _clean(game: Game, row: Row, thing: int, receptacle: int) -> str:
    row[CLEAN] |= 1 << thing
    return f"You clean the {game.objects[thing]} using the {game.receptacles[receptacle]}."


def _heat(game: Game, row: Row, thing: int, receptacle: int) -> str:
    row[HOT] |= 1 << thing
    row[COOL] &= ~(1 << thing)
    return f"You heat the {game.objects[thing]} using the {game.receptacles[receptacle]}."


def _cool(game: Game, row: Row, thing: int, receptacle: int) -> str:
    row[COOL] |= 1 << thing
    row[HOT] &= ~(1 << thing)
    return f"You cool the {game.objects[thing]} using the {game.receptacles[receptacle]}."


def _use(game: Game, row: Row, thing: int) -> str:
    row[ON] ^= 1 << thing
    row[TOGGLED] |= 1 << thing  # never cleared: the answer is "turn on" every time
    return f"You turn on the {game.objects[thing]}."


def _slice(game: Game, row: Row, thing: int, knife: int) -> str:
    row[SLICED] |= 1 << thing
    return f"You sliced the {game.objects[thing]} with the {game.objects[knife]}."


def _help(game: Game, row: Row) -> str:
    return text.HELP


def _none(game: Game, row: Row) -> Sequence[Numbers]:
    return ()  # `Game.ways` has these commands ready: there are many, and they depend on the location only


def _here(game: Game, row: Row) -> Sequence[Numbers]:
    return [(receptacle,) for receptacle in game.receptacles_at[row[AT].bit_length() - 1]]


def _inside_here(game: Game, row: Row) -> Sequence[Numbers]:
    if row[BUSY]:
        return ()
    here = game.receptacles_at[row[AT].bit_length() - 1]
    return [(thing, receptacle) for receptacle in here for thing in members(row[INSIDE + receptacle])]


def _held(game: Game, row: Row) -> Sequence[Numbers]:
    return [(thing,) for thing in members(row[HELD])]


def _held_and_here(game: Game, row: Row) -> Sequence[Numbers]:
    if not row[HELD]:
        return ()
    here = game.receptacles_at[row[AT].bit_length() - 1]
    return [(thing, receptacle) for thing in members(row[HELD]) for receptacle in here]


def _toggleable(game: Game, row: Row) -> Sequence[Numbers]:
    return [(thing,) for thing in members(game.toggleable)]


def _sliceable_and_knife(game: Game, row: Row) -> Sequence[Numbers]:
    knives = row[HELD] & game.knives
    return (
        [(thing, knife) for knife in members(knives) for thing in members(game.sliceable)] if knives else ()
    )


def _actions(grammar: Grammar) -> tuple[Action, ...]:
    put = ("move ", " to ") if grammar == "move" else ("put ", " in/on ")
    one: tuple[Kind, ...] = ("receptacle",)
    thing: tuple[Kind, ...] = ("object",)
    both: tuple[Kind, ...] = ("object", "receptacle")
    return (
        Action(("go to ",), one, rules.cannot_go, partial(_go, grammar=grammar), _none),
        Action(("open ",), one, rules.cannot_open, _open, _here),
        Action(("close ",), one, rules.cannot_close, _close, _here),
        Action(("take ", " from "), both, rules.cannot_take, _take, _inside_here),
        Action(put, both, rules.cannot_put, partial(_put, grammar=grammar), _held_and_here),
        Action(("clean ", " with "), both, rules.cannot_clean, _clean, _held_and_here),
        Action(("heat ", " with "), both, rules.cannot_heat, _heat, _held_and_here),
        Action(("cool ", " with "), both, rules.cannot_cool, _cool, _held_and_here),
        Action(("use ",), thing, rules.cannot_use, _use, _toggleable),
        Action(("slice ", " with "), ("object", "object"), rules.cannot_slice, _slice, _sliceable_and_knife),
        Action(("examine ",), one, rules.cannot_reach, text.see, _here),
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
_PLAIN: Mapping[Grammar, dict[str, Callable[[Game, Row], str]]] = MappingProxyType(
    {
        "move": {"look": text.look, "inventory": text.inventory, "help": _help},
        "put": {"look": text.look, "inventory": text.inventory},
    }
)
