"""When an action is refused, and why: `cannot_*(game, state, indices...)` is "" if it can be done.

Source: preconditions in `alfworld/data/alfred.pddl` of the public package alfworld 0.4.2 (MIT).
"""

from spa_lab.envs.household.game import Game
from spa_lab.envs.household.state import AT, BUSY, HELD, INSIDE, OPENED, State


def cannot_reach(game: Game, state: State, receptacle: int) -> str:
    """The agent must stand where the receptacle is."""
    return "" if _is_here(game, state, receptacle) else f"not at {game.receptacles[receptacle]}"


def cannot_reach_inside(game: Game, state: State, receptacle: int) -> str:
    """A receptacle that can be opened must also be open."""
    bit = 1 << receptacle
    if not _is_here(game, state, receptacle):
        return f"not at {game.receptacles[receptacle]}"
    return f"{game.receptacles[receptacle]} is closed" if game.openable & ~state[OPENED] & bit else ""


def cannot_go(game: Game, state: State, receptacle: int) -> str:
    """Any receptacle that has a location can be gone to, unless the agent stands there."""
    if game.location_of[receptacle] < 0:
        return f"no way leads to {game.receptacles[receptacle]}"
    return f"already at {game.receptacles[receptacle]}" if _is_here(game, state, receptacle) else ""


def cannot_open(game: Game, state: State, receptacle: int) -> str:
    """It must be here, openable and closed."""
    if not game.openable >> receptacle & 1:
        return f"{game.receptacles[receptacle]} cannot be opened"
    already = state[OPENED] >> receptacle & 1
    return cannot_reach(game, state, receptacle) or (
        f"{game.receptacles[receptacle]} is open" if already else ""
    )


def cannot_close(game: Game, state: State, receptacle: int) -> str:
    """It must be here, openable and open."""
    if not game.openable >> receptacle & 1:
        return f"{game.receptacles[receptacle]} cannot be closed"
    return cannot_reach_inside(game, state, receptacle)


def cannot_take(game: Game, state: State, thing: int, receptacle: int) -> str:
    """The hands must be empty and the object pickupable, in a receptacle here that shows its contents."""
    reason = cannot_reach_inside(game, state, receptacle)
    if reason:
        return reason
    if not state[INSIDE + receptacle] >> thing & 1:
        return f"{game.objects[thing]} is not in {game.receptacles[receptacle]}"
    if not game.pickupable >> thing & 1:
        return f"{game.objects[thing]} cannot be picked up"
    return "hands are not empty" if state[BUSY] else ""


def cannot_put(game: Game, state: State, thing: int, receptacle: int) -> str:
    """The object must be held; the receptacle must be here, not closed, and of a type for such objects."""
    reason = _not_held(game, state, thing) or cannot_reach_inside(game, state, receptacle)
    if reason or game.accepts[receptacle] >> thing & 1:
        return reason
    return f"{game.objects[thing]} does not belong in {game.receptacles[receptacle]}"


def cannot_clean(game: Game, state: State, thing: int, receptacle: int) -> str:
    """The object must be held and cleanable, the receptacle a sink basin here."""
    return _cannot_treat(game, state, thing, receptacle, game.cleanable, game.sinks, "clean")


def cannot_heat(game: Game, state: State, thing: int, receptacle: int) -> str:
    """The object must be held and heatable, the receptacle a microwave here (open or closed)."""
    return _cannot_treat(game, state, thing, receptacle, game.heatable, game.microwaves, "heat")


def cannot_cool(game: Game, state: State, thing: int, receptacle: int) -> str:
    """The object must be held and coolable, the receptacle a fridge here (open or closed)."""
    return _cannot_treat(game, state, thing, receptacle, game.coolable, game.fridges, "cool")


def cannot_use(game: Game, state: State, thing: int) -> str:
    """The object must be toggleable and in a receptacle here (open or closed); hands do not matter."""
    if not game.toggleable >> thing & 1:
        return f"{game.objects[thing]} cannot be switched on"
    for receptacle in game.receptacles_at[state[AT].bit_length() - 1]:
        if state[INSIDE + receptacle] >> thing & 1:
            return ""
    return f"{game.objects[thing]} is not here"


def cannot_slice(game: Game, state: State, thing: int, knife: int) -> str:
    """A knife must be held, and the object be sliceable and at the agent's location."""
    reason = _not_held(game, state, knife)
    if reason:
        return reason
    if not game.knives >> knife & 1:
        return f"{game.objects[knife]} is not a knife"
    if not game.sliceable >> thing & 1:
        return f"{game.objects[thing]} cannot be sliced"
    present = state[game.layout.placed + state[AT].bit_length() - 1]
    return "" if present >> thing & 1 else f"{game.objects[thing]} is not here"


def cannot_examine(game: Game, state: State, thing: int) -> str:
    """Only a held object can be examined (so the original engine behaves, whatever its domain intends)."""
    return _not_held(game, state, thing)


def _is_here(game: Game, state: State, receptacle: int) -> bool:
    return receptacle in game.receptacles_at[state[AT].bit_length() - 1]


def _not_held(game: Game, state: State, thing: int) -> str:
    return "" if state[HELD] >> thing & 1 else f"{game.objects[thing]} is not in the hands"


def _cannot_treat(
    game: Game, state: State, thing: int, receptacle: int, treatable: int, tools: int, verb: str
) -> str:
    reason = _not_held(game, state, thing) or cannot_reach(game, state, receptacle)
    if reason:
        return reason
    if not treatable >> thing & 1:
        return f"{game.objects[thing]} cannot be {verb}ed"
    return "" if tools >> receptacle & 1 else f"{game.receptacles[receptacle]} cannot {verb} anything"
