"""The sentences of ALFWorld's text game, to the character.

Source: `alfworld/data/alfred.twl2` of the public packages alfworld 0.4.2 (grammar "move") and 0.3.3 (grammar
"put"); ALFWorld is MIT-licensed, (c) 2020 Mohit Shridhar and others.
"""

from collections.abc import Sequence

from spa_lab.envs.household.game import Game, Grammar
from spa_lab.envs.household.state import (
    AT,
    BUSY,
    CLEAN,
    COOL,
    HELD,
    HOT,
    INSIDE,
    OPENED,
    SLICED,
    TOGGLED,
    members,
)

BANNER = "-= Welcome to TextWorld, ALFRED! =-\n\n"
NOTHING_HAPPENS = "Nothing happens."
HELP = """\
Available commands:
  look:                             look around your current location
  inventory:                        check your current inventory
  go to (receptacle):               move to a receptacle
  open (receptacle):                open a receptacle
  close (receptacle):               close a receptacle
  take (object) from (receptacle):  take an object from a receptacle
  move (object) to (receptacle):  place an object in or on a receptacle
  examine (something):              examine a receptacle or an object
  use (object):                     use an object
  heat (object) with (receptacle):  heat an object using a receptacle
  clean (object) with (receptacle): clean an object using a receptacle
  cool (object) with (receptacle):  cool an object using a receptacle
  slice (object) with (object):     slice an object using a sharp object
"""
_SLICED_STATES = (
    (CLEAN, HOT, "hot and clean sliced"),
    (CLEAN, COOL, "cool and clean sliced"),
    (CLEAN, CLEAN, "clean sliced"),
    (HOT, HOT, "hot sliced"),
    (COOL, COOL, "cool sliced"),
)
_STATES = (
    (CLEAN, HOT, "hot and clean"),
    (CLEAN, COOL, "cool and clean"),
    (HOT, HOT, "hot"),
    (CLEAN, CLEAN, "clean"),
    (COOL, COOL, "cold"),
)


def opening(game: Game, state: Sequence[int], task: str) -> str:
    """The initial observation, without the banner."""
    if _here(game, state):
        view = look(game, state)
    else:
        located = (name for name, place in zip(game.receptacles, game.location_of, strict=True) if place >= 0)
        view = _middle_of_room(_sequence([f"a {name}" for name in located]))
    return f"{view}\n\nYour task is to: {task}."


def look(game: Game, state: Sequence[int]) -> str:
    """The answer to `look`."""
    here = _here(game, state)
    if not here:
        return _middle_of_room("nothing")
    facing = _sequence([game.receptacles[receptacle] for receptacle in here])
    return f"You are facing the {facing}. Next to it, you see {_loose_objects(game, state, here)}."


def see(game: Game, state: Sequence[int], receptacle: int) -> str:
    """The sentence about a receptacle's contents."""
    name = game.receptacles[receptacle]
    bit = 1 << receptacle
    if not game.openable & bit:
        return f"On the {name}, you see {_objects(game, state[INSIDE + receptacle])}."
    if not state[OPENED] & bit:
        return f"The {name} is closed."
    return f"The {name} is open. In it, you see {_objects(game, state[INSIDE + receptacle])}."


def describe(game: Game, state: Sequence[int], thing: int) -> str:
    """The answer to `examine` of a held object."""
    name = game.objects[thing]
    bit = 1 << thing
    if game.containers & bit:
        return f"This is a normal {name}. In it, you see {_objects(game, game.nested.get(thing, 0))}."
    sliced = state[SLICED] & bit
    for first, second, words in (*_SLICED_STATES, *_STATES) if sliced else _STATES:
        if state[first] & state[second] & bit:
            return f"This is a {words} {name}."
    if game.toggleable & state[TOGGLED] & bit:
        return f"This {name} is on."
    if game.sliceable & sliced:
        return f"This is a sliced {name}."
    return f"There's nothing special about {name}."


def inventory(game: Game, state: Sequence[int]) -> str:
    """The answer to `inventory`."""
    return (
        f"You are carrying: {_objects(game, state[HELD])}."
        if state[BUSY]
        else "You are not carrying anything."
    )


def arrive(game: Game, state: Sequence[int], receptacle: int, grammar: Grammar) -> str:
    """The answer to `go to`; the older grammar names the location instead of the receptacle."""
    name = game.receptacles[receptacle] if grammar == "move" else game.locations[game.location_of[receptacle]]
    return f"You arrive at {name}. {see(game, state, receptacle)}"


def put_down(thing: str, receptacle: str, grammar: Grammar) -> str:
    """The answer to `move X to Y`, or `put X in/on Y`."""
    return (
        f"You move the {thing} to the {receptacle}."
        if grammar == "move"
        else f"You put the {thing} in/on the {receptacle}."
    )


def put_command(thing: str, receptacle: str, grammar: Grammar) -> str:
    """The command that puts a held object down."""
    return f"move {thing} to {receptacle}" if grammar == "move" else f"put {thing} in/on {receptacle}"


def _here(game: Game, state: Sequence[int]) -> tuple[int, ...]:
    return game.receptacles_at[state[AT].bit_length() - 1]


def _middle_of_room(things: str) -> str:
    return f"You are in the middle of a room. Looking quickly around you, you see {things}."


def _loose_objects(game: Game, state: Sequence[int], here: tuple[int, ...]) -> str:
    """Objects at this location that were taken out of a receptacle here; once for each such receptacle."""
    taken = [state[game.layout.taken + receptacle] for receptacle in here]
    present = state[game.layout.placed + state[AT].bit_length() - 1]
    return _sequence(
        [f"a {game.objects[thing]}" for thing in members(present) for bits in taken if bits >> thing & 1]
    )


def _objects(game: Game, bits: int) -> str:
    names = game.objects
    return _sequence([f"a {names[thing]}" for thing in members(bits)])


def _sequence(items: list[str]) -> str:
    if not items:
        return "nothing"
    if len(items) == 1:
        return items[0]
    return f"{', '.join(items[:-1])}, and {items[-1]}"
