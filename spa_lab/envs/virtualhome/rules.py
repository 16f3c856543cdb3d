"""When an action can be executed, and what the original engine says where it cannot.

Every rule is `(moment, ids...) -> message`; None means that nothing speaks against it. The order of the
questions within a rule decides which message is given. Facts and messages are those of the public package
virtualhome 2.3.0 (MIT; `simulation/evolving_graph/execution.py`), its oddities included: posture is judged
by the initial graph, doors never block, and nearness reaches one object further than what is near.
"""

from spa_lab.envs.virtualhome.graph import FACING, INSIDE, ON
from spa_lab.envs.virtualhome.moment import Moment

Message = str | None

_SQUEEZED = frozenset(
    "cleaning_solution tooth_paste shampoo food_peanut_butter dish_soap soap towel rag paper sponge"
    " food_lemon check".split()
)
_SEATS = {
    "couch": 4, "bed": 4, "chair": 1, "loveseat": 2, "sofa": 4, "toilet": 1, "pianobench": 2, "bench": 2
}  # fmt: skip
_BERTHS = {"couch": 2, "bathtub": 2, "bed": 3, "loveseat": 2, "sofa": 2, "bench": 1}
"""How many things may be ON furniture, at most, for one to sit or lie there too; 1 elsewhere."""


def always(now: Moment, *ids: int) -> Message:
    """No conditions."""
    return None


def near(now: Moment, node: int) -> Message:
    """The node must be near."""
    return None if now.close(node) else f"{now.me} is not close to {now.called(node)}"


def in_hand(now: Moment, node: int) -> Message:
    """The node must be held."""
    return None if now.holds(node) else f"{now.me} is not holding {now.called(node)}"


def hand_free(now: Moment) -> Message:
    """A hand must be free."""
    return None if now.free_hand() else f"{now.me} does not have a free hand"


def reachable(now: Moment, node: int) -> Message:
    """The node must be near and in nothing closed."""
    if message := near(now, node):
        return message
    return f"{now.called(node)} is inside other closed thing" if now.shut(node) else None


def walk(now: Moment, node: int) -> Message:
    """WALK, RUN. Refused without a word where the goal is in no room."""
    if now.seated():
        return f"{now.me} is sitting"
    if now.room(now.agent) is None:  # the original stops with an assertion
        return f"{now.me} is in no room"
    return "" if now.room(node) is None else None


def stays(now: Moment, node: int) -> bool:
    """Whether FIND only looks around instead of walking."""
    return (
        now.state.has(node, ON, now.agent) or now.is_a(node, "BODY_PART") or now.close(node) or now.seated()
    )


def find(now: Moment, node: int) -> Message:
    """FIND: walking there, or the thing is near."""
    if stays(now, node):
        return near(now, node)
    return None if walk(now, node) is None else near(now, node)


def grab(now: Moment, node: int) -> Message:
    """GRAB."""
    if not now.is_a(node, "GRABBABLE") and now.scene.nodes[node].name not in ("water", "child"):
        return f"{now.called(node)} is not grabbable"
    if node in now.state.grabbed:
        return f"{now.called(node)} already grabbed"
    return reachable(now, node) or hand_free(now)


def _opened(now: Moment, node: int) -> Message:
    if not now.is_a(node, "CAN_OPEN") and now.scene.nodes[node].name not in ("desk", "window"):
        return f"{now.called(node)} can not be opened"
    return near(now, node)


def _state(now: Moment, node: int, state: str) -> Message:
    """The node must have a state."""
    return None if state in now.state.states[node] else f"{now.called(node)} is not {state.lower()}"


def open_(now: Moment, node: int) -> Message:
    """OPEN."""
    message = _opened(now, node) or hand_free(now) or _state(now, node, "CLOSED")
    return message or still_on(now, node)


def close(now: Moment, node: int) -> Message:
    """CLOSE."""
    return _opened(now, node) or _state(now, node, "OPEN")


def still_on(now: Moment, node: int) -> Message:
    """The node must not be switched on."""
    return f"{now.called(node)} is still on" if "ON" in now.state.states[node] else None


def put(now: Moment, thing: int, place: int, relation: str) -> Message:
    """PUTBACK (relation ON), PUTIN (relation INSIDE) and what PUTOBJBACK does."""
    if message := in_hand(now, thing) or near(now, place):
        return message
    if relation == INSIDE and now.is_a(place, "CAN_OPEN") and "OPEN" not in now.state.states[place]:
        return f"{now.called(place)} is not open or is not openable"
    return None


def was_grabbed(now: Moment, node: int) -> Message:
    """PUTOBJBACK. Counts as executed even where the thing then cannot be put there."""
    return None if node in now.state.grabbed else f"{now.called(node)} not grabbed"


def put_where_it_was(now: Moment, node: int) -> Message:
    """Why PUTOBJBACK changes nothing."""
    return put(now, node, *now.state.grabbed[node])


def switch(now: Moment, node: int, state: str) -> Message:
    """SWITCHON (the state before is OFF), SWITCHOFF (ON)."""
    if not now.is_a(node, "HAS_SWITCH"):
        return f"{now.called(node)} does not have a switch"
    if message := near(now, node) or _state(now, node, state):
        return message
    if state == "OFF" and "PLUGGED_OUT" in now.state.states[node]:
        return f"{now.called(node)} is unplugged"
    return None


def plug(now: Moment, node: int, state: str) -> Message:
    """PLUGIN (the state before is PLUGGED_OUT), PLUGOUT (PLUGGED_IN)."""
    if not now.is_a(node, "HAS_PLUG"):
        return f"{now.called(node)} does not have a plug"
    return near(now, node) or hand_free(now) or _state(now, node, state)


def sit(now: Moment, node: int) -> Message:
    """SIT."""
    if message := near(now, node):
        return message
    if "SITTING" in now.scene.posture:
        return f"{now.me} is sitting"
    if not now.is_a(node, "SITTABLE"):
        return f"{now.called(node)} is not sittable"
    return _full(now, node, _SEATS)


def lie(now: Moment, node: int) -> Message:
    """LIE."""
    if message := near(now, node):
        return message
    if "LYING" in now.scene.posture:
        return f"{now.me} is lying"
    if not now.is_a(node, "LIEABLE"):
        return f"{now.called(node)} is not lieable"
    return _full(now, node, _BERTHS)


def _full(now: Moment, node: int, capacity: dict[str, int]) -> Message:
    full = len(now.things_on(node)) >= capacity.get(now.scene.nodes[node].name, 1)
    return f"Too many things on {now.called(node)}" if full else None


def stand_up(now: Moment) -> Message:
    """STANDUP."""
    return None if now.seated() else f"{now.me} is not sitting"


def sleep(now: Moment) -> Message:
    """SLEEP, WAKEUP."""
    return None if now.seated() else f"{now.me} is not lying or sitting"


def wipe(now: Moment, node: int) -> Message:
    """WIPE."""
    if message := near(now, node):
        return message
    return None if now.state.held(now.agent) else f"{now.me} does not hold anything in hands"


def drink(now: Moment, node: int) -> Message:
    """DRINK."""
    if not now.is_a(node, "DRINKABLE", "RECIPIENT"):
        return f"{now.called(node)} is not drinkable or not recipient"
    return in_hand(now, node)


def eat(now: Moment, node: int) -> Message:
    """EAT: the thing, or something on it."""
    if message := near(now, node):
        return message
    if now.is_a(node, "EATABLE"):
        return None
    things = now.things_on(node)
    if not things:
        return f"{now.called(node)} is not eatable"
    eatable = any(now.is_a(thing, "EATABLE") for thing in things)
    return None if eatable else f"none of object on {now.called(node)} is eatable"


def cut(now: Moment, node: int) -> Message:
    """CUT, with a knife in the other hand."""
    if message := hand_free(now) or near(now, node):
        return message
    for wanted in ("EATABLE", "CUTTABLE"):
        if not now.is_a(node, wanted):
            return f"{now.called(node)} is not {wanted.lower()}"
    knife = any("knife" in now.scene.nodes[thing].name for thing in now.state.held(now.agent))
    return None if knife else f"{now.me} is not holding a knife"


def pour(now: Moment, thing: int, place: int) -> Message:
    """POUR."""
    if not now.is_a(thing, "POURABLE", "DRINKABLE"):
        return f"{now.called(thing)} is not pourable or drinkable"
    takes_it = now.scene.nodes[place].name in ("hands_both", "sponge", "face")
    if not takes_it and not now.is_a(place, "RECIPIENT"):
        return f"{now.called(place)} is not recipient"
    return in_hand(now, thing) or near(now, place)


def read(now: Moment, node: int) -> Message:
    """READ."""
    if not now.is_a(node, "READABLE"):
        return f"{now.called(node)} is not readable"
    return in_hand(now, node)


def type_on(now: Moment, node: int) -> Message:
    """TYPE."""
    if message := near(now, node):
        return message
    typed = now.scene.nodes[node].name == "keyboard" or now.is_a(node, "HAS_SWITCH")
    return None if typed else f"{now.called(node)} does not have switch"


def look_at(now: Moment, node: int) -> Message:
    """LOOKAT, POINTAT."""
    return None if now.facing(node) else f"{now.me} does not face {now.called(node)}"


def watch(now: Moment, node: int) -> Message:
    """WATCH."""
    if not now.is_a(node, "LOOKABLE"):
        return f"{now.called(node)} not lookable"
    mine, its = now.room(now.agent), now.room(node)
    if mine is None or its is None:  # the original raises an exception
        return f"{now.called(node)} or {now.me} is in no room"
    if mine != its:
        return f"char room {now.called(mine)} is not node room {now.called(its)}"
    if message := look_at(now, node):
        return message
    if now.scene.nodes[node].name != "computer" and now.seated():
        if not now.state.has(now.agent, FACING, node):
            return f"{now.me} is not facing {now.called(node)} while sitting"
    return None


def out_of_sight(now: Moment, node: int) -> Message:
    """What WATCH complains of although it is executed."""
    return f"{now.called(node)} is inside other closed thing" if now.shut(node) else None


def push(now: Moment, node: int) -> Message:
    """PUSH."""
    return reachable(now, node) or hand_free(now)


def move(now: Moment, node: int) -> Message:
    """PULL, MOVE."""
    if not now.is_a(node, "MOVABLE") and now.scene.nodes[node].name not in ("button", "chair", "curtain"):
        return f"{now.called(node)} is not movable"
    return push(now, node)


def squeeze(now: Moment, node: int) -> Message:
    """SQUEEZE."""
    if message := hand_free(now) or near(now, node):
        return message
    soft = now.is_a(node, "CLOTHES") or now.scene.nodes[node].name in _SQUEEZED
    return None if soft else f"{now.called(node)} is not clothes"


def put_on(now: Moment, node: int) -> Message:
    """PUTON: dress."""
    return in_hand(now, node) or _clothes(now, node)


def put_off(now: Moment, node: int) -> Message:
    """PUTOFF: undress."""
    if not now.state.has(node, ON, now.agent):
        return f"{now.called(node)} is not on {now.me}"
    return _clothes(now, node)


def _clothes(now: Moment, node: int) -> Message:
    return None if now.is_a(node, "CLOTHES") else f"{now.called(node)} is not clothes"


def drop(now: Moment, node: int) -> Message:
    """DROP, RELEASE."""
    return in_hand(now, node)


def greet(now: Moment, node: int) -> Message:
    """GREET."""
    return None if now.is_a(node, "PERSON") else f"{now.called(node)} is not person"
