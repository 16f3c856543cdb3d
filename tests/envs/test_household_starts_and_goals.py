"""Unusual starts (states, nesting, full hands) and every kind of goal, in a tiny room."""

from collections.abc import Callable

import pytest

from spa_lab.envs.base import Task
from spa_lab.envs.household.world import HouseholdWorld

MakeTask = Callable[..., Task]
TAKE_APPLE = "go to countertop 1; take apple 1 from countertop 1"
TAKE_MUG = "go to cabinet 1; open cabinet 1; take mug 1 from cabinet 1"


def started(task: Task, commands: str = "") -> HouseholdWorld:
    """A world after some commands, all of which must be accepted."""
    world = HouseholdWorld()
    world.reset(task)
    for command in filter(None, commands.split("; ")):
        assert world.step(command).grounded, command
    return world


@pytest.mark.parametrize(
    ("flags", "answer"),
    [
        ("isClean isHot isSliced", "This is a hot and clean sliced apple 1."),
        ("isClean isCool isSliced", "This is a cool and clean sliced apple 1."),
        ("isClean isSliced", "This is a clean sliced apple 1."),
        ("isHot isSliced", "This is a hot sliced apple 1."),
        ("isCool isSliced", "This is a cool sliced apple 1."),
        ("isClean isHot isCool", "This is a hot and clean apple 1."),
        ("isClean isCool", "This is a cool and clean apple 1."),
        ("isHot isCool", "This is a hot apple 1."),
        ("isClean", "This is a clean apple 1."),
        ("isCool", "This is a cold apple 1."),
        ("isSliced", "This is a sliced apple 1."),
        ("isToggled", "There's nothing special about apple 1."),
        ("isToggled toggleable", "This apple 1 is on."),
        ("toggleable", "There's nothing special about apple 1."),
    ],
)
def test_description_of_each_initial_state(tiny_task: MakeTask, flags: str, answer: str) -> None:
    world = started(tiny_task(*(f"({flag} Apple_bar_2)" for flag in flags.split())), TAKE_APPLE)
    assert world.step("examine apple 1").observation == answer


def test_heating_undoes_cooling_and_the_reverse(tiny_task: MakeTask) -> None:
    heated = f"{TAKE_MUG}; go to microwave 1; heat mug 1 with microwave 1"
    world = started(tiny_task("(isCool Mug_bar_1)"), heated)
    assert world.step("examine mug 1").observation == "This is a hot mug 1."
    world = started(tiny_task(), f"{heated}; go to fridge 1; cool mug 1 with fridge 1")
    assert world.step("examine mug 1").observation == "This is a cold mug 1."


def test_a_receptacle_may_start_open(tiny_task: MakeTask) -> None:
    world = started(tiny_task("(opened Cabinet_bar_1)"))
    answer = "You arrive at cabinet 1. The cabinet 1 is open. In it, you see a mug 1."
    assert world.step("go to cabinet 1").observation == answer


def test_a_nested_object_stays_listed_wherever_it_goes(tiny_task: MakeTask) -> None:
    away = f"{TAKE_APPLE}; go to fridge 1; open fridge 1; move apple 1 to fridge 1"
    world = started(
        tiny_task("(inReceptacleObject Apple_bar_2 Plate_bar_1)"),
        f"{away}; go to shelf 1; take plate 1 from shelf 1",
    )
    assert world.step("examine plate 1").observation == "This is a normal plate 1. In it, you see a apple 1."


def test_the_hands_may_be_full_at_the_start(tiny_task: MakeTask) -> None:
    held = ("(holds agent1 Mug_bar_1)", "(holdsAny agent1)")
    inside = ("(inReceptacle Mug_bar_1 Cabinet_bar_1)", "(objectAtLocation Mug_bar_1 loc_bar_1)")
    world = started(tiny_task(*held, without=inside))
    assert world.step("inventory").observation == "You are carrying: a mug 1."
    assert world.step("go to shelf 1").grounded
    assert world.step("take book 1 from shelf 1").reason == "hands are not empty"
    assert world.step("move mug 1 to countertop 1").grounded


def test_a_floating_object_is_out_of_reach_but_can_be_sliced(tiny_task: MakeTask) -> None:
    task = tiny_task(without=("(inReceptacle Apple_bar_2 CounterTop_bar_1)",))
    world = started(task, "go to countertop 1")
    assert not any("apple 1" in command for command in world.admissible())
    world = started(task, "go to countertop 1; take knife 1 from countertop 1; slice apple 1 with knife 1")


def test_an_object_in_two_receptacles_stays_in_the_other(tiny_task: MakeTask) -> None:
    world = started(tiny_task("(inReceptacle Apple_bar_2 Shelf_bar_1)"), TAKE_APPLE)
    assert "apple 1" in world.step("examine shelf 1").observation
    assert world.step("take apple 1 from shelf 1").reason == "hands are not empty"


def test_facts_that_do_not_matter(tiny_task: MakeTask) -> None:
    idle = (
        "(= (total-cost) 0)",
        "(= (distance loc_bar_1 loc_bar_2) 5)",
        "(wasInReceptacle Mug_bar_1 Shelf_bar_1)",
        "(checked Shelf_bar_1)",
        "(full Shelf_bar_1)",
        "(examined loc_bar_1)",
        "(moveable Mug_bar_1)",
        "(not (opened Shelf_bar_1))",
    )
    assert started(tiny_task(*idle)).snapshot().state == started(tiny_task()).snapshot().state


SAME_PLACE = "(exists (?r - receptacle) (and (receptacleType ?r ShelfType) {}))"
GOALS = [
    ("(inReceptacle Apple_bar_2 Shelf_bar_1)", f"{TAKE_APPLE}; move apple 1 to shelf 1"),
    (
        "(and (exists (?r - receptacle) (exists (?o - object) (and (cleanable ?o) (objectType ?o MugType)"
        " (receptacleType ?r CounterTopType) (isClean ?o) (inReceptacle ?o ?r)))))",
        f"{TAKE_MUG}; go to sinkbasin 1; clean mug 1 with sinkbasin 1; go to shelf 1;"
        " move mug 1 to countertop 1",
    ),
    (
        SAME_PLACE.format(
            "(exists (?o - object ?p - object) (and (objectType ?o AppleType) (objectType ?p AppleType)"
            " (not (= ?o ?p)) (inReceptacle ?o ?r) (inReceptacle ?p ?r)))"
        ),
        f"{TAKE_APPLE}; move apple 1 to shelf 1; take apple 2 from countertop 1; move apple 2 to shelf 1",
    ),
    (
        "(and (exists (?ot - object ?r - receptacle ?a - agent ?l - location)"
        " (and (objectType ?ot DeskLampType) (toggleable ?ot) (isToggled ?ot)"
        " (receptacleAtLocation ?r ?l) (atLocation ?a ?l) (inReceptacle ?ot ?r)))"
        " (exists (?o - object ?a - agent) (and (objectType ?o BookType) (holds ?a ?o))))",
        "go to shelf 1; take book 1 from shelf 1; use desklamp 1",
    ),
    (
        SAME_PLACE.format(
            "(forall (?o - object) (or (and (objectType ?o AppleType) (inReceptacle ?o ?r))"
            " (not (objectType ?o AppleType))))"
        ),
        f"{TAKE_APPLE}; move apple 1 to shelf 1; take apple 2 from countertop 1; move apple 2 to shelf 1",
    ),
    ("(or (opened Fridge_bar_1) (isOn DeskLamp_bar_1))", "go to shelf 1; use desklamp 1"),
    ("(not (objectAtLocation Apple_bar_2 loc_bar_2))", TAKE_APPLE),
    ("(and (isSliced Apple_bar_1) (exists (?k - object) (isSliced ?k)))",
     "go to countertop 1; take knife 1 from countertop 1; slice apple 2 with knife 1"),
    ("(and (holdsAny agent1) (forall (?r - receptacle) (not (inReceptacle Mug_bar_1 ?r))))", TAKE_MUG),
]  # fmt: skip


@pytest.mark.parametrize(("goal", "solution"), GOALS)
def test_done_exactly_when_the_goal_becomes_true(tiny_task: MakeTask, goal: str, solution: str) -> None:
    world = started(tiny_task(goal=goal))
    assert not world.won
    *before, last = solution.split("; ")
    for command in before:
        assert not world.step(command).done, command
    reply = world.step(last)
    assert (reply.done, reply.outcome, world.won) == (True, 1.0, True)


def test_a_goal_can_hold_at_the_start_and_be_lost_and_won_again(tiny_task: MakeTask) -> None:
    world = started(tiny_task(goal="(inReceptacle Mug_bar_1 Cabinet_bar_1)"))
    assert world.won
    play = f"{TAKE_MUG}; dance; move mug 1 to cabinet 1; dance".split("; ")
    assert [world.step(command).done for command in play] == [True, True, False, False, True, True]
