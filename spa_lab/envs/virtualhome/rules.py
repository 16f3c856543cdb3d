"""Preconditions of actions, and the original engine's messages where they fail.

Every rule is `(scene state, ids...) -> message`; None means that the action can be executed. The order of
the checks within a rule determines the message. Conditions and messages are those of the public package
virtualhome 2.3.0 (MIT; `simulation/evolving_graph/execution.py`), including its peculiarities: posture is
read from the initial graph, doors never block, and closeness extends to objects close to or on what is
close.
"""

from spa_lab.envs.virtualhome.graph import FACING, INSIDE, ON
from spa_lab.envs.virtualhome.scene_state import SceneState

Message = str | None

_SQUEEZED = frozenset(
    "cleaning_solution tooth_paste shampoo food_peanut_butter dish_soap soap towel rag paper sponge"
    " food_lemon check".split()
)
_SEATS = {
    "couch": 4, "bed": 4, "chair": 1, "loveseat": 2, "sofa": 4, "toilet": 1, "pianobench": 2, "bench": 2
}  # fmt: skip
_BERTHS = {"couch": 2, "bathtub": 2, "bed": 3, "loveseat": 2, "sofa": 2, "bench": 1}
"""Furniture on which one can sit or lie only while fewer things are ON it; 1 for other furniture."""


def always(now: SceneState, *ids: int) -> Message:
    """No conditions."""
    return None


def near(now: SceneState, node: int) -> Message:
    """The node must be near."""
    return None if now.is_close(node) else f"{now.agent_label} is not close to {now.label(node)}"


def in_hand(now: SceneState, node: int) -> Message:
    """The node must be held."""
    return None if now.holds(node) else f"{now.agent_label} is not holding {now.label(node)}"


def hand_free(now: SceneState) -> Message:
    """A hand must be free."""
    return None if now.free_hand() else f"{now.agent_label} does not have a free hand"


def reachable(now: SceneState, node: int) -> Message:
    """The node must be near and in nothing closed."""
    if message := near(now, node):
        return message
    return f"{now.label(node)} is inside other closed thing" if now.is_enclosed(node) else None


def walk(now: SceneState, node: int) -> Message:
    """WALK, RUN. The message is empty if the target is in no room."""
    if now.is_seated():
        return f"{now.agent_label} is sitting"
    if now.room(now.agent) is None:  # the original stops with an assertion
        return f"{now.agent_label} is in no room"
    return "" if now.room(node) is None else None


def stays(now: SceneState, node: int) -> bool:
    """Whether FIND does not walk."""
    return (
        now.state.has(node, ON, now.agent)
        or now.has_property(node, "BODY_PART")
        or now.is_close(node)
        or now.is_seated()
    )


def find(now: SceneState, node: int) -> Message:
    """FIND: it can walk there, or the object is near."""
    if stays(now, node):
        return near(now, node)
    return None if walk(now, node) is None else near(now, node)


def grab(now: SceneState, node: int) -> Message:
    """GRAB."""
    if not now.has_property(node, "GRABBABLE") and now.scene.nodes[node].name not in ("water", "child"):
        return f"{now.label(node)} is not grabbable"
    if node in now.state.grabbed:
        return f"{now.label(node)} already grabbed"
    return reachable(now, node) or hand_free(now)


def _opened(now: SceneState, node: int) -> Message:
    if not now.has_property(node, "CAN_OPEN") and now.scene.nodes[node].name not in ("desk", "window"):
        return f"{now.label(node)} can not be opened"
    return near(now, node)


def _state(now: SceneState, node: int, state: str) -> Message:
    """The node must have a state."""
    return None if state in now.state.states[node] else f"{now.label(node)} is not {state.lower()}"


def open_(now: SceneState, node: int) -> Message:
    """OPEN."""
    message = _opened(now, node) or hand_free(now) or _state(now, node, "CLOSED")
    return message or still_on(now, node)


def close(now: SceneState, node: int) -> Message:
    """CLOSE."""
    return _opened(now, node) or _state(now, node, "OPEN")


def still_on(now: SceneState, node: int) -> Message:
    """The node must not be switched on."""
    return f"{now.label(node)} is still on" if "ON" in now.state.states[node] else None


def put(now: SceneState, thing: int, target: int, relation: str) -> Message:
    """PUTBACK (relation ON), PUTIN (relation INSIDE) and the second part of PUTOBJBACK."""
    if message := in_hand(now, thing) or near(now, target):
        return message
    if relation == INSIDE and now.has_property(target, "CAN_OPEN") and "OPEN" not in now.state.states[target]:
        return f"{now.label(target)} is not open or is not openable"
    return None


def was_grabbed(now: SceneState, node: int) -> Message:
    """PUTOBJBACK. Counts as executed even if the object then cannot be put there."""
    return None if node in now.state.grabbed else f"{now.label(node)} not grabbed"


def put_where_it_was(now: SceneState, node: int) -> Message:
    """Why PUTOBJBACK has no effect; None if it has one."""
    return put(now, node, *now.state.grabbed[node])


def switch(now: SceneState, node: int, state: str) -> Message:
    """SWITCHON (the state before is OFF), SWITCHOFF (ON)."""
    if not now.has_property(node, "HAS_SWITCH"):
        return f"{now.label(node)} does not have a switch"
    if message := near(now, node) or _state(now, node, state):
        return message
    if state == "OFF" and "PLUGGED_OUT" in now.state.states[node]:
        return f"{now.label(node)} is unplugged"
    return None


def plug(now: SceneState, node: int, state: str) -> Message:
    """PLUGIN (the state before is PLUGGED_OUT), PLUGOUT (PLUGGED_IN)."""
    if not now.has_property(node, "HAS_PLUG"):
        return f"{now.label(node)} does not have a plug"
    return near(now, node) or hand_free(now) or _state(now, node, state)


def sit(now: SceneState, node: int) -> Message:
    """SIT."""
    if message := near(now, node):
        return message
    if "SITTING" in now.scene.posture:
        return f"{now.agent_label} is sitting"
    if not now.has_property(node, "SITTABLE"):
        return f"{now.label(node)} is not sittable"
    return _full(now, node, _SEATS)


def lie(now: SceneState, node: int) -> Message:
    """LIE."""
    if message := near(now, node):
        return message
    if "LYING" in now.scene.posture:
        return f"{now.agent_label} is lying"
    if not now.has_property(node, "LIEABLE"):
        return f"{now.label(node)} is not lieable"
    return _full(now, node, _BERTHS)


def _full(now: SceneState, node: int, capacity: dict[str, int]) -> Message:
    full = len(now.things_on(node)) >= capacity.get(now.scene.nodes[node].name, 1)
    return f"Too many things on {now.label(node)}" if full else None


def stand_up(now: SceneState) -> Message:
    """STANDUP."""
    return None if now.is_seated() else f"{now.agent_label} is not sitting"


def sleep(now: SceneState) -> Message:
    """SLEEP, WAKEUP."""
    return None if now.is_seated() else f"{now.agent_label} is not lying or sitting"


def wipe(now: SceneState, node: int) -> Message:
    """WIPE."""
    if message := near(now, node):
        return message
    return None if now.state.held(now.agent) else f"{now.agent_label} does not hold anything in hands"


def drink(now: SceneState, node: int) -> Message:
    """DRINK."""
    if not now.has_property(node, "DRINKABLE", "RECIPIENT"):
        return f"{now.label(node)} is not drinkable or not recipient"
    return in_hand(now, node)


def eat(now: SceneState, node: int) -> Message:
    """EAT: the object, or something on it."""
    if message := near(now, node):
        return message
    if now.has_property(node, "EATABLE"):
        return None
    things = now.things_on(node)
    if not things:
        return f"{now.label(node)} is not eatable"
    eatable = any(now.has_property(thing, "EATABLE") for thing in things)
    return None if eatable else f"none of object on {now.label(node)} is eatable"


def cut(now: SceneState, node: int) -> Message:
    """CUT, with a knife in a hand."""
    if message := hand_free(now) or near(now, node):
        return message
    for wanted in ("EATABLE", "CUTTABLE"):
        if not now.has_property(node, wanted):
            return f"{now.label(node)} is not {wanted.lower()}"
    knife = any("knife" in now.scene.nodes[thing].name for thing in now.state.held(now.agent))
    return None if knife else f"{now.agent_label} is not holding a knife"


def pour(now: SceneState, thing: int, target: int) -> Message:
    """POUR."""
    if not now.has_property(thing, "POURABLE", "DRINKABLE"):
        return f"{now.label(thing)} is not pourable or drinkable"
    takes_it = now.scene.nodes[target].name in ("hands_both", "sponge", "face")
    if not takes_it and not now.has_property(target, "RECIPIENT"):
        return f"{now.label(target)} is not recipient"
    return in_hand(now, thing) or near(now, target)


def read(now: SceneState, node: int) -> Message:
    """READ."""
    if not now.has_property(node, "READABLE"):
        return f"{now.label(node)} is not readable"
    return in_hand(now, node)


def type_on(now: SceneState, node: int) -> Message:
    """TYPE."""
    if message := near(now, node):
        return message
    typed = now.scene.nodes[node].name == "keyboard" or now.has_property(node, "HAS_SWITCH")
    return None if typed else f"{now.label(node)} does not have switch"


def look_at(now: SceneState, node: int) -> Message:
    """LOOKAT, POINTAT."""
    return None if now.is_facing(node) else f"{now.agent_label} does not face {now.label(node)}"


def watch(now: SceneState, node: int) -> Message:
    """WATCH."""
    if not now.has_property(node, "LOOKABLE"):
        return f"{now.label(node)} not lookable"
    mine, its = now.room(now.agent), now.room(node)
    if mine is None or its is None:  # the original raises an exception
        return f"{now.label(node)} or {now.agent_label} is in no room"
    if mine != its:
        return f"char room {now.label(mine)} is not node room {now.label(its)}"
    if message := look_at(now, node):
        return message
    if now.scene.nodes[node].name != "computer" and now.is_seated():
        if not now.state.has(now.agent, FACING, node):
            return f"{now.agent_label} is not facing {now.label(node)} while sitting"
    return None


def out_of_sight(now: SceneState, node: int) -> Message:
    """A message of WATCH although it is executed."""
    return f"{now.label(node)} is inside other closed thing" if now.is_enclosed(node) else None


def push(now: SceneState, node: int) -> Message:
    """PUSH."""
    return reachable(now, node) or hand_free(now)


def move(now: SceneState, node: int) -> Message:
    """PULL, MOVE."""
    if not now.has_property(node, "MOVABLE") and now.scene.nodes[node].name not in (
        "button",
        "chair",
        "curtain",
    ):
        return f"{now.label(node)} is not movable"
    return push(now, node)


def squeeze(now: SceneState, node: int) -> Message:
    """SQUEEZE."""
    if message := hand_free(now) or near(now, node):
        return message
    soft = now.has_property(node, "CLOTHES") or now.scene.nodes[node].name in _SQUEEZED
    return None if soft else f"{now.label(node)} is not clothes"


def put_on(now: SceneState, node: int) -> Message:
    """PUTON: dress."""
    return in_hand(now, node) or _clothes(now, node)


def put_off(now: SceneState, node: int) -> Message:
    """PUTOFF: undress."""
    if not now.state.has(node, ON, now.agent):
        return f"{now.label(node)} is not on {now.agent_label}"
    return _clothes(now, node)


def _clothes(now: SceneState, node: int) -> Message:
    return None if now.has_property(node, "CLOTHES") else f"{now.label(node)} is not clothes"


def drop(now: SceneState, node: int) -> Message:
    """DROP, RELEASE."""
    return in_hand(now, node)


def greet(now: SceneState, node: int) -> Message:
    """GREET."""
    return None if now.has_property(node, "PERSON") else f"{now.label(node)} is not person"
