"""The table of worlds, and worlds that are in no table."""

import sys
from pathlib import Path

import pytest

from spa_lab.envs.base import Environment, Reply, Task, World
from spa_lab.envs.worlds import WORLDS, make_environment, task_origin

GENERATED = [name for name, entry in WORLDS.items() if not entry.data]
ROOMS = """
from spa_lab.envs.base import Environment, Reply, World

class Rooms(World):
    def reset(self, task): self.room = 0; return "room 0"
    def step(self, action): self.room += 1; return Reply(f"room {self.room}", True, self.room == 3, 1.0)

def environment(): return Environment(name="rooms", make_world=Rooms, tasks=lambda split, n: [], step_limit=3)
ready = environment()
other = 3
"""


@pytest.fixture
def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_rooms.py").write_text(ROOMS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_rooms", raising=False)


@pytest.mark.parametrize("name", GENERATED)
def test_the_table_agrees_with_the_environments(name: str) -> None:
    environment = make_environment(name)
    assert (environment.name, environment.benchmark) == (name, WORLDS[name].benchmark)
    assert not environment.official
    assert {task.split for panel in environment.panels for task in environment.tasks(panel, 2)} == set(
        environment.panels
    )


@pytest.mark.parametrize("path", ["my_rooms:environment", "my_rooms:ready"])
def test_a_users_world_is_named_by_its_module(rooms: None, path: str) -> None:
    environment = make_environment(path)
    assert environment.name == "rooms"
    assert make_environment(environment) is environment


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("attic", "no world 'attic'; there are: household, .*; or package.module:attribute"),
        ("my_rooms:cellar", "'my_rooms' has no attribute 'cellar'; it has: .*environment"),
        ("my_rooms:other", "world 'my_rooms:other' is a int, expected an Environment"),
        ("no_such_module:x", "cannot import module 'no_such_module'"),
    ],
)
def test_what_is_no_world_is_refused(rooms: None, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_environment(name)


def test_captions_claim_a_benchmarks_name_for_its_own_tasks_only() -> None:
    assert task_origin("household") == "generated household games (not ALFWorld scores)"
    assert task_origin("rooms") == "rooms tasks"
    for name, entry in WORLDS.items():
        assert ("not" in task_origin(name)) is (entry.data == ""), name


class Counter(World):
    """Counts its actions; inherits all that is not `reset` and `step`."""

    def reset(self, task: Task) -> str:
        self.log: list[str] = []
        return "0"

    def step(self, action: str) -> Reply:
        self.log.append(action)
        return Reply(str(len(self.log)), True, len(self.log) == 3, 1.0)


def test_the_inherited_snapshot_is_a_copy() -> None:
    world = Counter()
    world.reset(Task("c", "counter", "train", "", "count"))
    world.step("a")
    token = world.snapshot()
    world.step("b")
    world.restore(token)
    world.step("c")
    assert world.log == ["a", "c"]
    world.restore(token)
    assert world.log == ["a"]
    assert world.admissible() == []


def test_an_environment_without_an_expert_says_so() -> None:
    environment = Environment(name="counter", make_world=Counter, tasks=lambda split, n: [], step_limit=3)
    with pytest.raises(ValueError, match="world 'counter' has no expert"):
        environment.expert_for(Task("c", "counter", "train", "", "count"), "0")


@pytest.mark.parametrize("name", ["", "my world", "../rooms", "rooms/3"])
def test_a_name_that_no_file_may_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="the name must be of letters, digits"):
        Environment(name=name, make_world=Counter, tasks=lambda split, n: [], step_limit=3)
