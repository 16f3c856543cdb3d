"""The forty-two actions: their preconditions and effects.

Source of the effects: the public package virtualhome 2.3.0 (MIT), `simulation/evolving_graph/execution.py`.
Departs from it where it crashes: FIND walks to objects that are not near, PUTOFF takes clothes off.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from spa_lab.envs.virtualhome import rules
from spa_lab.envs.virtualhome.graph import (
    CLOSE,
    FACING,
    HANDS,
    HOLDS_LH,
    HOLDS_RH,
    INSIDE,
    NOTHING,
    ON,
    Draft,
    Scene,
    State,
)
from spa_lab.envs.virtualhome.rules import Message
from spa_lab.envs.virtualhome.scene_state import SceneState


class Executed(NamedTuple):
    """The engine's result."""

    state: State | None
    """The state afterwards; None if the action was refused."""
    message: str
    """Why it was refused; WATCH, PLUGOUT and PUTOBJBACK may give a message and still be executed."""


class Action(NamedTuple):
    """A kind of action."""

    objects: int
    """Number of its objects."""
    needs: Callable[..., Message]
    """(scene state, ids...) -> why it cannot be executed; None if it can."""
    does: Callable[..., None] | None = None
    """(draft, scene state before, ids...): changes the draft; None for actions without effects."""
    warns: Callable[..., Message] = rules.always
    """(scene state, ids...) -> a message that does not prevent the action."""


def execute(scene: Scene, state: State, name: str, ids: tuple[int, ...], call: str) -> Executed:
    """Execute one action.

    Args:
        scene: the scene.
        state: its current state.
        name: one of `ACTIONS`.
        ids: its objects; as many as the action takes, all in the scene.
        call: the action as messages quote it, like "[OPEN] <fridge> (6)".
    """
    action = ACTIONS[name]
    now = SceneState(scene, state)
    refused = action.needs(now, *ids)
    message = action.warns(now, *ids) if refused is None else refused
    message = f'{message} when executing "{call} [0]"' if message else ""
    if refused is not None:
        return Executed(None, message)
    if action.does is None:
        return Executed(state._replace(clock=state.clock + 1), message)
    draft = Draft(scene, state)
    action.does(draft, now, *ids)
    return Executed(draft.state(), message)


def _walk(draft: Draft, now: SceneState, goal: int) -> None:
    agent, room = now.agent, now.room(goal)
    left = now.room(agent)
    draft.clear(agent, INSIDE, CLOSE, FACING)
    if room is not None:
        draft.add(agent, INSIDE, room)
    if room != goal:
        around = draft.out.get((goal, INSIDE), NOTHING)
        draft.add_both(agent, CLOSE, (x for x in around if not now.scene.nodes[x].room))
        draft.add_both(agent, CLOSE, now.scene.body)
        draft.add_both(agent, CLOSE, (goal,))
    held = now.state.held(agent)
    for thing in held:
        draft.clear(thing, INSIDE, CLOSE, FACING)
    for thing in held:
        draft.add_both(agent, CLOSE, (thing,))
        if left is not None:  # as in the original, held things are put in the room that the agent left
            draft.add(thing, INSIDE, left)
    if now.has_property(goal, "CAN_OPEN"):
        draft.add_both(agent, CLOSE, draft.into.get((goal, INSIDE), NOTHING))
    draft.add_both(agent, CLOSE, draft.out.get((goal, ON), NOTHING))


def _find(draft: Draft, now: SceneState, goal: int) -> None:
    if not rules.stays(now, goal) and rules.walk(now, goal) is None:
        _walk(draft, now, goal)
    else:
        draft.clear_from(now.agent, FACING)
        draft.add_both(now.agent, CLOSE, (goal,))


def _turn_to(draft: Draft, now: SceneState, thing: int) -> None:
    draft.clear_from(now.agent, FACING)
    draft.add(now.agent, FACING, thing)


def _grab(draft: Draft, now: SceneState, thing: int) -> None:
    agent, hand, room = now.agent, now.free_hand(), now.room(now.agent)
    taken_from = _neighbour(now, thing)
    draft.clear(thing, ON, INSIDE, CLOSE, HOLDS_LH, HOLDS_RH)
    draft.add_both(agent, CLOSE, (thing,))
    if hand is not None:
        draft.add(agent, hand, thing)
    if room is not None:
        draft.add(thing, INSIDE, room)
    if taken_from is not None:
        draft.add_both(agent, CLOSE, (taken_from[0],))
        draft.grabbed[thing] = taken_from


def _neighbour(now: SceneState, thing: int) -> tuple[int, str] | None:
    """What a thing is on, in or close to, except rooms; PUTOBJBACK puts it back there."""
    for relation in (ON, INSIDE, CLOSE):
        for other in now.scene.in_order(now.state, thing, relation):
            if not now.scene.nodes[other].room:
                return other, relation
    return None


def _put(draft: Draft, now: SceneState, thing: int, target: int, *, relation: str) -> None:
    _release(draft, now, thing)
    draft.add_both(now.agent, CLOSE, (target,))
    draft.add_both(thing, CLOSE, (target,))
    draft.add(thing, relation, target)
    draft.grabbed.pop(thing, None)


def _put_where_it_was(draft: Draft, now: SceneState, thing: int) -> None:
    if rules.put_where_it_was(now, thing) is None:
        target, relation = now.state.grabbed[thing]
        _put(draft, now, thing, target, relation=relation)


def _release(draft: Draft, now: SceneState, thing: int) -> None:
    for hand in HANDS:
        draft.remove(now.agent, hand, thing)


def _drop(draft: Draft, now: SceneState, thing: int) -> None:
    _release(draft, now, thing)
    room = now.room(now.agent)
    if room is not None:
        draft.add(thing, INSIDE, room)
    draft.grabbed.pop(thing, None)


def _swap(draft: Draft, now: SceneState, thing: int, *, old: str, new: str) -> None:
    draft.swap(thing, old, new)


def _sit(draft: Draft, now: SceneState, seat: int) -> None:
    draft.add(now.agent, ON, seat)
    for seen in now.state.out.get((seat, FACING), NOTHING):
        draft.add(now.agent, FACING, seen)
    draft.states[now.agent] = now.scene.posture - {"LYING"} | {"SITTING"}


def _lie(draft: Draft, now: SceneState, berth: int) -> None:
    draft.add(now.agent, ON, berth)
    draft.states[now.agent] = now.scene.posture - {"SITTING"} | {"LYING"}


def _stand_up(draft: Draft, now: SceneState) -> None:
    draft.states[now.agent] = now.scene.posture - {"SITTING", "LYING"}


def _pour(draft: Draft, now: SceneState, thing: int, target: int) -> None:
    draft.add(thing, INSIDE, target)
    if now.scene.nodes[thing].name == "water":
        _release(draft, now, thing)


def _put_on(draft: Draft, now: SceneState, thing: int) -> None:
    draft.add(thing, ON, now.agent)
    _release(draft, now, thing)


def _put_off(draft: Draft, now: SceneState, thing: int) -> None:
    draft.remove(thing, ON, now.agent)


def _change(needs: Callable[..., Message], old: str, new: str) -> Action:
    """An action that replaces a state of its object by another."""
    return Action(1, needs, partial(_swap, old=old, new=new))


_WASH = _change(rules.near, "DIRTY", "CLEAN")
_WALK = Action(1, rules.walk, _walk)
_LOOK = Action(1, rules.look_at)
_MOVE = Action(1, rules.move)
_REST = Action(0, rules.sleep)
_DROP = Action(1, rules.drop, _drop)

ACTIONS: Mapping[str, Action] = MappingProxyType(
    {
        "CLOSE": _change(rules.close, "OPEN", "CLOSED"),
        "CUT": Action(1, rules.cut),
        "DRINK": Action(1, rules.drink),
        "DROP": _DROP,
        "EAT": Action(1, rules.eat),
        "FIND": Action(1, rules.find, _find),
        "GRAB": Action(1, rules.grab, _grab),
        "GREET": Action(1, rules.greet),
        "LIE": Action(1, rules.lie, _lie),
        "LOOKAT": _LOOK,
        "MOVE": _MOVE,
        "OPEN": _change(rules.open_, "CLOSED", "OPEN"),
        "PLUGIN": _change(partial(rules.plug, state="PLUGGED_OUT"), "PLUGGED_OUT", "PLUGGED_IN"),
        "PLUGOUT": _change(
            partial(rules.plug, state="PLUGGED_IN"), "PLUGGED_IN", "PLUGGED_OUT"
        )._replace(warns=rules.still_on),
        "POINTAT": _LOOK,
        "POUR": Action(2, rules.pour, _pour),
        "PULL": _MOVE,
        "PUSH": Action(1, rules.push),
        "PUTBACK": Action(2, partial(rules.put, relation=ON), partial(_put, relation=ON)),
        "PUTIN": Action(2, partial(rules.put, relation=INSIDE), partial(_put, relation=INSIDE)),
        "PUTOBJBACK": Action(1, rules.was_grabbed, _put_where_it_was, rules.put_where_it_was),
        "PUTOFF": Action(1, rules.put_off, _put_off),
        "PUTON": Action(1, rules.put_on, _put_on),
        "READ": Action(1, rules.read),
        "RELEASE": _DROP,
        "RINSE": _WASH,
        "RUN": _WALK,
        "SCRUB": _WASH,
        "SIT": Action(1, rules.sit, _sit),
        "SLEEP": _REST,
        "SQUEEZE": Action(1, rules.squeeze),
        "STANDUP": Action(0, rules.stand_up, _stand_up),
        "SWITCHOFF": _change(partial(rules.switch, state="ON"), "ON", "OFF"),
        "SWITCHON": _change(partial(rules.switch, state="OFF"), "OFF", "ON"),
        "TOUCH": Action(1, rules.reachable),
        "TURNTO": Action(1, rules.always, _turn_to),
        "TYPE": Action(1, rules.type_on),
        "WAKEUP": _REST,
        "WALK": _WALK,
        "WASH": _WASH,
        "WATCH": Action(1, rules.watch, warns=rules.out_of_sight),
        "WIPE": _change(rules.wipe, "DIRTY", "CLEAN"),
    }
)  # fmt: skip
