"""The world: reset, observations, snapshots, reasons, and determinism across processes."""

import json
import random
from typing import Any

import pytest

from spa_lab.envs.base import Task
from spa_lab.envs.virtualhome import panels
from spa_lab.envs.virtualhome.goal import read_goal
from spa_lab.envs.virtualhome.reader import read_scene
from spa_lab.envs.virtualhome.task import VirtualHomeTask
from spa_lab.envs.virtualhome.world import VirtualHomeWorld

TASKS = panels.tasks("train", 10)


def node(key: int, name: str, *states: str, room: bool = False, properties: str = "") -> dict[str, Any]:
    return {
        "id": key,
        "class_name": name,
        "category": "Rooms" if room else "Furniture",
        "properties": properties.split(),
        "states": list(states),
    }


def edge(source: int, relation: str, target: int) -> dict[str, Any]:
    return {"from_id": source, "relation_type": relation, "to_id": target}


def small_graph() -> dict[str, Any]:
    """Two rooms; a fridge with milk, a table with a cup and a second cup elsewhere."""
    return {
        "nodes": [
            node(1, "kitchen", room=True),
            node(2, "bedroom", room=True),
            node(3, "fridge", "CLOSED", "PLUGGED_IN", properties="CAN_OPEN HAS_PLUG"),
            node(4, "table", properties="SURFACES"),
            node(5, "milk", properties="GRABBABLE DRINKABLE"),
            node(6, "cup", "DIRTY", properties="GRABBABLE RECIPIENT"),
            node(7, "cup", properties="GRABBABLE"),
            node(8, "character"),
        ],
        "edges": [
            edge(3, "INSIDE", 1),
            edge(4, "INSIDE", 1),
            edge(5, "INSIDE", 3),
            edge(5, "INSIDE", 1),
            edge(6, "ON", 4),
            edge(6, "INSIDE", 1),
            edge(7, "INSIDE", 2),
            edge(8, "INSIDE", 2),
        ],
    }


def small_task(
    graph: Any = None, goal: tuple[Any, ...] = (("edge", 5, "ON", 4),), bind: tuple[Any, ...] = ()
) -> Task:
    text = json.dumps(small_graph() if graph is None else graph)
    payload = VirtualHomeTask("small", "Move milk", "Put the milk on the table", text, goal, bind)
    return Task("small", "virtualhome", "train", "move", payload.instruction, 5, payload)


def played(*actions: str) -> VirtualHomeWorld:
    world = VirtualHomeWorld()
    world.reset(small_task())
    for action in actions:
        assert world.step(action).grounded, action
    return world


def test_observations_describe_near_and_visible_objects() -> None:
    world = VirtualHomeWorld()
    assert world.reset(small_task()) == "The task is Move milk (Put the milk on the table)."
    texts = [
        ("walk to kitchen", "You see nothing."),
        ("walk to milk", "fridge is CLOSED and PLUGGED_IN."),
        ("open fridge", "fridge is OPEN and PLUGGED_IN, milk."),
        ("grab milk", "fridge is OPEN and PLUGGED_IN, milk. You have milk."),
        ("Walk to table ", "table, milk. You have milk."),
        ("Action: put milk on table", "table, milk, milk ON table."),
    ]
    replies = [world.step(action) for action, _ in texts]
    assert [reply.observation for reply in replies] == [text for _, text in texts]
    assert [reply.done for reply in replies] == [False] * 5 + [True]
    assert [reply.outcome for reply in replies] == [0.0] * 5 + [1.0]
    assert all(reply.grounded and not reply.reason for reply in replies)


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        (
            "dance",
            "matches no action template: there are 42, such as close {}, drink {}, find {}, walk to {}, "
            "grab {}, look at {}, open {}, point at {}",
        ),
        ("release", "matches no action template: with 'release' there are release {}"),
        (
            "put on milk on table",
            "matches no action template: with 'put' there are put {} on {}, put {} in {}, "
            "put back {}, put on {}",
        ),
        ("walk to the bedroom", "no object or room is called 'the bedroom': use 'walk to bedroom'"),
        ("grab the mlik", "no object or room is called 'the mlik': use 'grab milk'"),
        ("grab cup_1", "no object or room is called 'cup 1': use 'grab cup'"),
        ("grab zebra", "no object or room is called 'zebra'"),
        ("go to the fridge", "matches no action template: use 'walk to fridge'"),
        ("pick up the milk", "matches no action template: use 'grab milk'"),
        ("Action: take milk from fridge.", "matches no action template: use 'grab milk'"),
        ("putin milk fridge", "matches no action template: use 'put milk in fridge'"),
        ("turn the lamp off", "matches no action template: use 'switch off lamp'"),
        ("put milk into fridge", "matches no action template: use 'put milk in fridge'"),
        ("put milk in/on the table", "matches no action template: use 'put milk in table'"),
        ("put milk on table", "milk is not in a hand: grab it first"),
        ("stand up", '<character> (8) is not sitting when executing "[STANDUP] [0]"'),
        ("grab milk", '<character> (8) is not close to <milk> (5) when executing "[GRAB] <milk> (5) [0]"'),
    ],
)
def test_refusals_say_why_and_change_nothing(action: str, reason: str) -> None:
    world = played()
    before = world.snapshot().episode.state
    reply = world.step(action)
    assert (reply.observation, reply.grounded, reply.done) == ("Nothing happens.", False, False)
    assert reply.reason == reason
    assert world.snapshot().episode.state is before


def test_a_name_keeps_its_meaning() -> None:
    """A name means a near object first, and the same object from then on."""
    world = played("walk to cup")
    assert world.snapshot().episode.bindings.names == {"cup": 6}
    world.step("walk to bedroom")
    assert world.step("walk to cup").observation == "table, cup is DIRTY, cup ON table."


def test_a_bound_name_means_what_the_task_says() -> None:
    world = VirtualHomeWorld()
    world.reset(small_task(bind=(("cup", 7),)))
    assert world.step("walk to cup").observation == "cup."


def test_reset_starts_a_new_episode() -> None:
    """After a win and a reset, no first action is a success."""
    world = VirtualHomeWorld()
    for task in TASKS:
        traces = []
        for _ in range(2):
            opening = world.reset(task)
            assert world.goal_conditions_met() < 1.0
            first = world.step("dance wildly")
            assert (first.done, first.outcome) == (False, 0.0)
            expert = panels.VirtualHomeExpert(task.instruction)
            trace = [opening]
            for _ in range(task.expert_length):
                reply = world.step(action := expert.act()[1])
                expert.observe(action, reply.observation)
                trace.append(reply.observation)
            assert reply.done
            assert world.goal_conditions_met() == 1.0
            traces.append(trace)
        assert traces[0] == traces[1]


def test_restore_equals_replay() -> None:
    rng = random.Random(3)
    world, other = VirtualHomeWorld(), VirtualHomeWorld()
    for task in TASKS[:5]:
        world.reset(task)
        actions = [rng.choice(world.admissible()) for _ in range(1)]
        for _ in range(10):
            world.step(actions[-1])
            actions.append(rng.choice(world.admissible()))
        token = world.snapshot()
        ahead = [world.step(action) for action in actions[:5]]
        world.restore(token)
        assert [world.step(action) for action in actions[:5]] == ahead
        other.reset(task)
        other.restore(token)
        assert [other.step(action) for action in actions[:5]] == ahead


def test_restore_refuses_other_tokens() -> None:
    world = VirtualHomeWorld()
    world.reset(TASKS[0])
    token = world.snapshot()
    world.reset(TASKS[1])
    for wrong in (token, None, (1, 2)):
        with pytest.raises(ValueError, match="the token is not a snapshot of this task"):
            world.restore(wrong)


def test_admissible_is_exactly_what_can_be_executed() -> None:
    world = played("walk to milk", "open fridge", "grab milk")
    listed = world.admissible()
    assert listed == sorted(set(listed))
    token = world.snapshot()
    tried = {
        *listed,
        "grab milk",
        "put milk on milk",
        "put cup on table",
        "sleep",
        "open table",
        "put on cup",
    }
    for action in sorted(tried):
        world.restore(token)
        assert world.step(action).grounded == (action in listed), action


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (small_task(goal=()), "the goal has 0 conditions"),
        (small_task(goal=(("edge", 5, "ON"),)), "needs 3 values, got 2"),
        (small_task(goal=(("edge", 5, "ON", 99),)), "the scene has no node 99"),
        (small_task(goal=(("edge", 5, "UNDER", 4),)), "must be among ON, INSIDE"),
        (small_task(goal=(("near", 5, 4),)), "must be a list that starts with one of"),
        (small_task(bind=(("cup", 70),)), "'cup' is bound to 70"),
        (small_task(graph=[]), "'nodes' must be a list in an object"),
        (small_task(graph={"nodes": [], "edges": []}), "0 nodes of class 'character'"),
    ],
)
def test_bad_tasks_are_refused(task: Task, message: str) -> None:
    with pytest.raises(ValueError, match=rf"scene 'small'.*{message}"):
        VirtualHomeWorld().reset(task)


def test_foreign_payloads_are_refused() -> None:
    with pytest.raises(ValueError, match="payload must be a VirtualHomeTask, got str"):
        VirtualHomeWorld().reset(Task("t", "virtualhome", "train", "", "", 0, "graph"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda g: g["nodes"][0].update(id=True), "node 0: 'id' must be a whole number"),
        (lambda g: g["nodes"][0].update(class_name=""), "node 0: 'class_name' must be a string"),
        (lambda g: g["nodes"][2].update(states=["AJAR"]), "node 2: unknown states: AJAR"),
        (lambda g: g["nodes"][2].update(properties="CAN_OPEN"), "node 2: 'properties' must be a list"),
        (lambda g: g["nodes"].insert(0, 7), "node 0: expected an object, got int"),
        (lambda g: g["edges"][0].update(to_id=77), "edge 0: no node has the id 77"),
        (lambda g: g["edges"][0].update(relation_type="UNDER"), "edge 0: unknown relation 'UNDER'"),
        (lambda g: g["edges"].pop(), r"the character \(id 8\) is in no room"),
    ],
)
def test_bad_graphs_are_refused(spoil: Any, message: str) -> None:
    graph = small_graph()
    spoil(graph)
    with pytest.raises(ValueError, match=rf"scene 'g'.*{message}"):
        read_scene(graph, "g")


def test_goal_conditions() -> None:
    scene = read_scene(small_graph(), "g")
    goal = [
        (["state", 3, ["PLUGGED_IN", "CLOSED"]], True),
        (["state", 3, ["CLOSED"]], False),
        (["has_state", 3, "CLOSED"], True),
        (["has_state", 3, "OPEN"], False),
        (["edge", 6, "ON", 4], True),
        (["edge", 4, "ON", 6], False),
        (["no_edge", 6, "ON", 4], False),
        (["no_edge", 4, "ON", 6], True),
    ]
    conditions = read_goal([condition for condition, _ in goal], scene)
    assert [condition.met(scene.start) for condition in conditions] == [met for _, met in goal]
