"""Every action, executed and refused, in a small flat. Recordings check the rest."""

from typing import Any

import pytest

from spa_lab.envs.virtualhome.actions import ACTIONS, execute
from spa_lab.envs.virtualhome.commands import TEMPLATES, Command, parse
from spa_lab.envs.virtualhome.graph import Scene, State
from spa_lab.envs.virtualhome.reader import read_scene

ROOMS = ("kitchen", "hall")
THINGS: dict[str, tuple[str, str, str]] = {  # name -> (properties, states, where)
    "fridge": ("CAN_OPEN HAS_SWITCH HAS_PLUG", "CLOSED OFF PLUGGED_IN", "INSIDE kitchen"),
    "oven": ("CAN_OPEN HAS_SWITCH HAS_PLUG", "CLOSED ON PLUGGED_IN", "INSIDE kitchen"),
    "radio": ("HAS_SWITCH HAS_PLUG", "OFF PLUGGED_OUT", "INSIDE kitchen"),
    "table": ("SURFACES", "", "INSIDE kitchen"),
    "chair": ("SITTABLE", "", "INSIDE kitchen"),
    "bed": ("LIEABLE SITTABLE", "", "INSIDE hall"),
    "television": ("LOOKABLE HAS_SWITCH", "OFF", "INSIDE kitchen"),
    "milk": ("GRABBABLE DRINKABLE", "", "INSIDE fridge"),
    "cup": ("GRABBABLE RECIPIENT", "DIRTY", "ON table"),
    "knife": ("GRABBABLE", "", "ON table"),
    "bread": ("GRABBABLE EATABLE CUTTABLE", "", "ON table"),
    "plate": ("GRABBABLE", "", "ON table"),
    "book": ("GRABBABLE READABLE", "", "ON table"),
    "shirt": ("GRABBABLE CLOTHES", "", "ON table"),
    "button": ("", "", "ON table"),
    "friend": ("PERSON", "", "INSIDE kitchen"),
    "face": ("BODY_PART", "", "INSIDE kitchen"),
    "character": ("", "", "INSIDE kitchen"),
}
IDS = {name: key for key, name in enumerate((*ROOMS, *THINGS), start=1)}


def scene(posture: str = "", *more: tuple[str, str, str]) -> Scene:
    nodes: list[dict[str, Any]] = [
        {"id": IDS[room], "class_name": room, "category": "Rooms", "properties": [], "states": []}
        for room in ROOMS
    ]
    edges = list(more)
    for name, (properties, states, where) in THINGS.items():
        node_states = posture.split() if name == "character" else states.split()
        nodes.append(
            {"id": IDS[name], "class_name": name, "properties": properties.split(), "states": node_states}
        )
        edges.append((name, *where.split()))  # type: ignore[arg-type]
        if "kitchen" not in where and "hall" not in where:
            edges.append((name, "INSIDE", "kitchen"))
    return read_scene(
        {
            "nodes": nodes,
            "edges": [
                {"from_id": IDS[source], "relation_type": relation, "to_id": IDS[target]}
                for source, relation, target in edges
            ],
        },
        "rules",
    )


def act(where: Scene, state: State, text: str) -> tuple[State | None, str]:
    command = parse(text)
    assert command is not None, text
    ids = tuple(IDS[name] for name in command.objects)
    after, message = execute(where, state, command.action, ids, "X")
    return after, message.removesuffix(' when executing "X [0]"')


def after(*texts: str, where: Scene | None = None) -> tuple[Scene, State]:
    where = where or scene()
    state = where.start
    for text in texts:
        done, message = act(where, state, text)
        assert done is not None, (text, message)
        state = done
    return where, state


TABLE = ("walk to table",)
CUP = (*TABLE, "grab cup")
FULL = (*CUP, "grab knife")
ME = f"<character> ({IDS['character']})"


def called(name: str) -> str:
    return f"<{name}> ({IDS[name]})"


@pytest.mark.parametrize(
    ("before", "text"),
    [
        ((), "walk to hall"),
        ((), "run to milk"),
        ((), "find cup"),
        (TABLE, "find cup"),
        ((), "turn to friend"),
        (("turn to friend",), "look at friend"),
        (("turn to friend",), "point at friend"),
        (("turn to television",), "watch television"),
        (TABLE, "grab cup"),
        (("walk to fridge", "open fridge"), "grab milk"),
        ((*CUP, "walk to fridge"), "put cup on fridge"),
        ((*CUP, "walk to fridge", "open fridge"), "put cup in fridge"),
        (CUP, "put cup in table"),
        (CUP, "put back cup"),
        (("walk to fridge",), "open fridge"),
        (("walk to fridge", "open fridge"), "close fridge"),
        (("walk to fridge",), "switch on fridge"),
        (("walk to oven",), "switch off oven"),
        (("walk to radio",), "plug in radio"),
        (("walk to fridge",), "plug out fridge"),
        (("walk to chair",), "sit on chair"),
        (("walk to bed",), "lie on bed"),
        (CUP, "wipe table"),
        (TABLE, "wash cup"),
        (TABLE, "rinse cup"),
        (TABLE, "scrub cup"),
        (CUP, "drink cup"),
        (TABLE, "eat bread"),
        (TABLE, "eat table"),
        ((*TABLE, "grab knife"), "cut bread"),
        (("walk to milk", "open fridge", "grab milk", "walk to cup"), "pour milk into cup"),
        ((*TABLE, "grab book"), "read book"),
        (TABLE, "touch cup"),
        (TABLE, "push plate"),
        (TABLE, "pull button"),
        (("walk to chair",), "move chair"),
        (TABLE, "squeeze shirt"),
        (("walk to television",), "type on television"),
        ((*TABLE, "grab shirt"), "put on shirt"),
        ((*TABLE, "grab shirt", "put on shirt"), "take off shirt"),
        (CUP, "drop cup"),
        (CUP, "release cup"),
        ((), "greet friend"),
        (("walk to face",), "find face"),
    ],
)
def test_executed(before: tuple[str, ...], text: str) -> None:
    where, state = after(*before)
    done, message = act(where, state, text)
    assert (done is None, message) == (False, "")


@pytest.mark.parametrize(
    ("before", "text", "message"),
    [
        ((), "find face", f"{ME} is not close to {called('face')}"),
        ((), "look at friend", f"{ME} does not face {called('friend')}"),
        ((), "watch cup", f"{called('cup')} not lookable"),
        (("walk to bed",), "watch television", "char room <hall> (2) is not node room <kitchen> (1)"),
        ((), "watch television", f"{ME} does not face {called('television')}"),
        ((), "grab table", f"{called('table')} is not grabbable"),
        (CUP, "grab cup", f"{called('cup')} already grabbed"),
        ((), "grab cup", f"{ME} is not close to {called('cup')}"),
        (("walk to milk",), "grab milk", f"{called('milk')} is inside other closed thing"),
        (FULL, "grab bread", f"{ME} does not have a free hand"),
        ((), "put cup on table", f"{ME} is not holding {called('cup')}"),
        (CUP, "put cup on bed", f"{ME} is not close to {called('bed')}"),
        (
            (*CUP, "walk to fridge"),
            "put cup in fridge",
            f"{called('fridge')} is not open or is not openable",
        ),
        ((), "put back cup", f"{called('cup')} not grabbed"),
        ((), "open table", f"{called('table')} can not be opened"),
        ((), "open fridge", f"{ME} is not close to {called('fridge')}"),
        ((*FULL, "walk to fridge"), "open fridge", f"{ME} does not have a free hand"),
        (("walk to oven",), "open oven", f"{called('oven')} is still on"),
        (("walk to fridge", "open fridge"), "open fridge", f"{called('fridge')} is not closed"),
        (("walk to fridge",), "close fridge", f"{called('fridge')} is not open"),
        ((), "switch on table", f"{called('table')} does not have a switch"),
        ((), "switch on radio", f"{ME} is not close to {called('radio')}"),
        (("walk to radio",), "switch on radio", f"{called('radio')} is unplugged"),
        (("walk to radio",), "switch off radio", f"{called('radio')} is not on"),
        ((), "plug in table", f"{called('table')} does not have a plug"),
        (("walk to fridge",), "plug in fridge", f"{called('fridge')} is not plugged_out"),
        ((*FULL, "walk to radio"), "plug in radio", f"{ME} does not have a free hand"),
        ((), "sit on chair", f"{ME} is not close to {called('chair')}"),
        (TABLE, "sit on table", f"{called('table')} is not sittable"),
        (("walk to chair", "sit on chair"), "sit on chair", f"Too many things on {called('chair')}"),
        (("walk to chair",), "lie on chair", f"{called('chair')} is not lieable"),
        ((), "stand up", f"{ME} is not sitting"),
        ((), "sleep", f"{ME} is not lying or sitting"),
        ((), "wake up", f"{ME} is not lying or sitting"),
        (TABLE, "wipe table", f"{ME} does not hold anything in hands"),
        ((), "wash cup", f"{ME} is not close to {called('cup')}"),
        (TABLE, "drink bread", f"{called('bread')} is not drinkable or not recipient"),
        (TABLE, "eat cup", f"{called('cup')} is not eatable"),
        (("walk to chair", "sit on chair"), "eat chair", f"none of object on {called('chair')} is eatable"),
        (FULL, "cut bread", f"{ME} does not have a free hand"),
        (TABLE, "cut cup", f"{called('cup')} is not eatable"),
        (TABLE, "cut bread", f"{ME} is not holding a knife"),
        (CUP, "pour cup into table", f"{called('cup')} is not pourable or drinkable"),
        ((), "pour milk into table", f"{called('table')} is not recipient"),
        ((), "pour milk into cup", f"{ME} is not holding {called('milk')}"),
        (TABLE, "read cup", f"{called('cup')} is not readable"),
        (TABLE, "read book", f"{ME} is not holding {called('book')}"),
        (("walk to milk",), "touch milk", f"{called('milk')} is inside other closed thing"),
        (TABLE, "move cup", f"{called('cup')} is not movable"),
        (FULL, "push plate", f"{ME} does not have a free hand"),
        (TABLE, "squeeze cup", f"{called('cup')} is not clothes"),
        (TABLE, "type on cup", f"{called('cup')} does not have switch"),
        (CUP, "put on cup", f"{called('cup')} is not clothes"),
        (TABLE, "put on shirt", f"{ME} is not holding {called('shirt')}"),
        (TABLE, "take off shirt", f"{called('shirt')} is not on {ME}"),
        ((), "drop cup", f"{ME} is not holding {called('cup')}"),
        ((), "greet cup", f"{called('cup')} is not person"),
    ],
)
def test_refused(before: tuple[str, ...], text: str, message: str) -> None:
    where, state = after(*before)
    assert act(where, state, text) == (None, message)


@pytest.mark.parametrize("posture", ["SITTING", "LYING"])
def test_posture_is_read_from_the_initial_graph(posture: str) -> None:
    where = scene(posture)
    state = where.start
    assert act(where, state, "walk to hall") == (None, f"{ME} is sitting")
    for text in ("sleep", "wake up", "stand up"):
        done, _ = act(where, state, text)
        assert done is not None
        state = done
    assert not state.states[IDS["character"]]
    assert act(where, state, "run to hall")[0] is None
    assert act(where, state, "find cup") == (None, f"{ME} is not close to {called('cup')}")


def test_some_actions_are_executed_with_a_message() -> None:
    where, state = after("walk to oven")
    done, message = act(where, state, "plug out oven")
    assert done is not None
    assert "PLUGGED_OUT" in done.states[IDS["oven"]]
    assert message == f"{called('oven')} is still on"
    where, state = after("walk to milk", "open fridge", "grab milk", "close fridge")
    done, message = act(where, state, "put back milk")
    assert done is not None
    assert done.held(where.agent) == [IDS["milk"]]
    assert message == f"{called('fridge')} is not open or is not openable"


def test_held_objects_are_in_the_room_that_the_agent_left() -> None:
    where, state = after(*CUP, "walk to hall")
    cup = IDS["cup"]
    assert state.has(cup, "INSIDE", IDS["kitchen"])
    assert where.room_of(state, cup) == IDS["kitchen"]
    done, _ = act(where, state, "walk to bed")
    assert done is not None
    assert where.room_of(done, cup) == IDS["hall"]


def test_sitting_faces_what_the_seat_faces() -> None:
    where, state = after("walk to chair", "sit on chair", where=scene("", ("chair", "FACING", "television")))
    assert state.has(where.agent, "FACING", IDS["television"])
    assert state.has(where.agent, "ON", IDS["chair"])
    assert act(where, state, "watch television")[0] is not None


def test_water_leaves_the_hand_and_dropped_things_stay() -> None:
    where, state = after(*CUP, "drop cup")
    assert state.held(where.agent) == []
    assert state.has(IDS["cup"], "INSIDE", IDS["kitchen"])
    assert act(where, state, "grab cup")[0] is not None


def test_cycles_of_containers_do_not_hang() -> None:
    where = scene()
    face, friend = IDS["face"], IDS["friend"]
    inside = {(face, "INSIDE"): frozenset({friend}), (friend, "INSIDE"): frozenset({face})}
    looped = where.start._replace(out={**where.start.out, **inside})
    assert where.room_of(looped, IDS["face"]) is None
    assert act(where, looped, "walk to face") == (None, "")


def test_there_are_forty_two_actions() -> None:
    assert {action for action, _ in TEMPLATES} == set(ACTIONS)
    assert len(TEMPLATES) == len(ACTIONS) == 42
    assert all(words.count("{}") == ACTIONS[action].objects for action, words in TEMPLATES)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("  WALK TO Dining Room ", Command("WALK", ("dining_room",))),
        ("act: sleep", Command("SLEEP", ())),
        ("put a on b on c", Command("PUTBACK", ("a", "b_on_c"))),
        ("put on a", Command("PUTON", ("a",))),
        ("put back a", Command("PUTOBJBACK", ("a",))),
        ("put back a on b", None),
        ("put a on b in c", None),
        ("release", None),
        ("release water glass", Command("RELEASE", ("water_glass",))),
        ("grab a\nb", None),
        ("grab", None),
        ("", None),
        ("a: b: sleep", None),
        ("stand up now", None),
    ],
)
def test_parsing(text: str, command: Command | None) -> None:
    assert parse(text) == command
