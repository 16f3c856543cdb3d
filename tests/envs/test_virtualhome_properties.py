"""Arbitrary texts as actions, scenes and goals give an ungrounded step or a clear error."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spa_lab.envs.base import Task
from spa_lab.envs.virtualhome import panels
from spa_lab.envs.virtualhome.commands import TEMPLATES, parse
from spa_lab.envs.virtualhome.graph import PROPERTIES, RELATIONS, STATES, State
from spa_lab.envs.virtualhome.task import VirtualHomeTask
from spa_lab.envs.virtualhome.world import VirtualHomeWorld

TASKS = panels.tasks("train", 10)
GRAPH = json.loads(str(TASKS[1].payload.graph))
NAMES = sorted(node["class_name"] for node in GRAPH["nodes"])
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def sensible(draw: st.DrawFn) -> str:
    """A template filled with names, mostly of the flat."""
    words = draw(st.sampled_from([words for _, words in TEMPLATES]))
    name = st.sampled_from(NAMES) | st.text(max_size=6)
    return words.format(*(draw(name) for _ in range(words.count("{}"))))


def world_of(task: Task) -> VirtualHomeWorld:
    world = VirtualHomeWorld()
    world.reset(task)
    return world


def frozen(state: State) -> str:
    return repr(([*state.states.items()], [*state.out.items()], [*state.into.items()], state.grabbed))


def mirrored(state: State) -> bool:
    forth = {(a, relation, b) for (a, relation), targets in state.out.items() for b in targets}
    back = {(a, relation, b) for (b, relation), sources in state.into.items() for a in sources}
    return forth == back


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(max_size=40) | sensible(), max_size=12))
def test_any_text_is_a_step(texts: list[str]) -> None:
    world = world_of(TASKS[1])
    start = world.snapshot().episode.state
    before_all = frozen(start)
    for text in texts:
        token = world.snapshot()
        before = frozen(token.episode.state)
        reply = world.step(text)
        after = world.snapshot().episode.state
        assert reply.grounded == (not reply.reason)
        assert reply.observation
        assert mirrored(after)
        assert frozen(token.episode.state) == before, "a snapshot must not change"
        if not reply.grounded:
            assert (reply.observation, after) == ("Nothing happens.", token.episode.state)
    assert frozen(start) == before_all


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60) | sensible())
def test_parsing_never_raises(text: str) -> None:
    command = parse(text)
    assert command is None or all(command.objects)


@settings(max_examples=60, deadline=None)
@given(st.lists(sensible(), min_size=1, max_size=10))
def test_same_text_same_trace(texts: list[str]) -> None:
    first, second = world_of(TASKS[5]), world_of(TASKS[5])
    assert [first.step(text) for text in texts] == [second.step(text) for text in texts]


@pytest.mark.parametrize("index", range(10))
def test_listed_actions_are_executed(index: int) -> None:
    world = world_of(TASKS[index])
    token = world.snapshot()
    for action in world.admissible()[::7]:
        world.restore(token)
        assert world.step(action).grounded, action


def task_with(graph: Any, goal: Any) -> Task:
    text = graph if isinstance(graph, str) else json.dumps(graph)
    return Task("t", "virtualhome", "train", "", "", 0, VirtualHomeTask("s", "T", "D", text, goal))


def survives(graph: Any, goal: Any) -> None:
    """The scene is refused with a ValueError or can be played."""
    world = VirtualHomeWorld()
    try:
        world.reset(task_with(graph, goal))
    except ValueError as error:
        assert str(error)
        return
    for action in (
        "walk to milk",
        "find cup",
        "grab cup",
        "sit on couch",
        "walk to couch",
        "put cup on couch",
    ):
        world.step(action)
    world.admissible()


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=30) | JUNK.map(json.dumps), JUNK.map(lambda goal: (goal,)))
def test_any_text_as_a_scene_file(text: str, goal: tuple[Any, ...]) -> None:
    survives(text, goal)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_scenes(data: st.DataObject) -> None:
    graph = copy.deepcopy(GRAPH)
    for _ in range(data.draw(st.integers(1, 3))):
        records = graph[data.draw(st.sampled_from(["nodes", "edges"]))]
        record = records[data.draw(st.integers(0, len(records) - 1))]
        key = data.draw(st.sampled_from(sorted(record)))
        word = st.sampled_from([*STATES, *PROPERTIES, *RELATIONS, "Rooms", "character", "cup"])
        ids = st.integers(0, len(GRAPH["nodes"]) + 2)
        record[key] = data.draw(JUNK | word | ids | st.lists(word, max_size=4))
    survives(graph, (("has_state", 1, "CLEAN"),))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_scenes_with_strange_edges(data: st.DataObject) -> None:
    """Cycles, things inside the agent, furniture in hands: no endless loop, no exception."""
    graph = copy.deepcopy(GRAPH)
    key = st.integers(1, len(GRAPH["nodes"]))
    for _ in range(data.draw(st.integers(1, 12))):
        relation = data.draw(st.sampled_from(RELATIONS))
        graph["edges"].append({"from_id": data.draw(key), "relation_type": relation, "to_id": data.draw(key)})
    survives(graph, (("has_state", 1, "CLEAN"),))


@settings(max_examples=100, deadline=None)
@given(st.lists(JUNK | st.lists(JUNK | st.sampled_from(["edge", "state", 1, "ON"]), max_size=4), max_size=3))
def test_any_goal(goal: list[Any]) -> None:
    survives(GRAPH, tuple(tuple(item) if isinstance(item, list) else (item,) for item in goal))
