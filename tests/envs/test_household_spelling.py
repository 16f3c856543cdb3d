"""Other spellings are refused as ALFWorld refuses them; the reason names the form that it expects."""

import random
from collections.abc import Callable

import pytest

from spa_lab.envs.base import Task
from spa_lab.envs.household import environment
from spa_lab.envs.household.instruction import (
    ParsedInstruction,
    instruction_from_params,
    parse_instruction,
)
from spa_lab.envs.household.spelling import expected_form, standard_command
from spa_lab.envs.household.world import HouseholdWorld


@pytest.mark.parametrize(
    ("action", "command"),
    [
        ("put mug 1 in/on desk 1", "move mug 1 to desk 1"),
        ("Put the Mug 1 in desk 1.", "move mug 1 to desk 1"),
        ("place mug1 down onto the desk 2", "move mug 1 to desk 2"),
        ("move mug 1 to desk 1", "move mug 1 to desk 1"),
        ("pick up mug 1 from desk 1", "take mug 1 from desk 1"),
        ("pick the mug 1 up from desk 1", "take mug 1 from desk 1"),
        ("get mug 1 out of fridge 1", "take mug 1 from fridge 1"),
        ("walk to the coffee machine 1", "go to coffeemachine 1"),
        ("go desk 1", "go to desk 1"),
        ("shut drawer 10", "close drawer 10"),
        ("wash mug_1 in sink basin 1", "clean mug 1 with sinkbasin 1"),
        ("heat up egg 1 using microwave 1", "heat egg 1 with microwave 1"),
        ("toggle desklamp 1 sidetable 1", "use desklamp 1"),
        ("turn on the desklamp 1", "use desklamp 1"),
        ("turn desklamp 1 on", "use desklamp 1"),
        ("cut apple 1 with knife 2", "slice apple 1 with knife 2"),
        ("look at mug 1", "examine mug 1"),
        ("LOOK", "look"),
        ("check inventory", "inventory"),
        ("take mug 1", None),
        ("put mug in desk", None),
        ("dance", None),
        ("", None),
        ("put " * 400, None),
        ("mug 1 " * 400, None),
    ],
)
def test_the_command_that_was_meant(action: str, command: str | None) -> None:
    assert standard_command(action, "move") == command
    if command and command.startswith("move "):
        command = "put " + command[5:].replace(" to ", " in/on ")
    assert standard_command(action, "put") == command


def test_every_admissible_command_is_its_own_standard_form() -> None:
    world, rng = HouseholdWorld(), random.Random(0)
    for task in environment().tasks("train", 12):
        world.reset(task)
        for _ in range(15):
            commands = world.admissible()
            for command in commands:
                assert standard_command(command, "move") in (command, None if command == "help" else command)
            world.step(rng.choice(commands))


@pytest.mark.parametrize(
    ("action", "form"),
    [
        ("take mug", "take {object} from {receptacle}"),
        ("grab the mug 1", "take {object} from {receptacle}"),
        ("put it down", "move {object} to {receptacle}"),
        ("dance", ""),
        ("", ""),
    ],
)
def test_the_form_that_is_expected(action: str, form: str) -> None:
    assert expected_form(action, "move") == form


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("put mug 1 in shelf 1", 'ALFWorld\'s form is "move mug 1 to shelf 1"'),
        ("Go to shelf 1", 'ALFWorld\'s form is "go to shelf 1"'),
        ("take mug", 'ALFWorld\'s form is "take {object} from {receptacle}", with names like "mug 1"'),
        ("go to moon 1", "this room has no moon 1"),
        ("take sun 1 from moon 1", "this room has no sun 1 and no moon 1"),
        ("open mug 1", "this command does not apply to mug 1"),
        ("xyzzy", "unknown command"),
    ],
)
def test_the_reason_of_a_refusal(tiny_task: Callable[..., Task], action: str, reason: str) -> None:
    world = HouseholdWorld()
    world.reset(tiny_task())
    before = world.snapshot()
    reply = world.step(action)
    assert (reply.observation, reply.grounded, reply.reason) == ("Nothing happens.", False, reason)
    assert world.snapshot() == before


PARAMS = {"object_target": "AlarmClock", "parent_target": "Sink", "toggle_target": "DeskLamp"}


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("look_at_obj_in_light", ParsedInstruction("alarmclock", "", "desklamp", "", False)),
        ("pick_and_place_simple", ParsedInstruction("alarmclock", "sinkbasin", "", "", False)),
        ("pick_two_obj_and_place", ParsedInstruction("alarmclock", "sinkbasin", "", "", True)),
        ("pick_cool_then_place_in_recep", ParsedInstruction("alarmclock", "sinkbasin", "", "cool", False)),
    ],
)
def test_parameters_of_alfred(kind: str, wanted: ParsedInstruction) -> None:
    assert instruction_from_params(kind, PARAMS) == wanted


@pytest.mark.parametrize("params", [None, {}, [], {"object_target": "Mug"}, {"object_target": 3}])
def test_parameters_that_say_too_little(params: object) -> None:
    assert instruction_from_params("pick_and_place_simple", params) is None


def test_parameters_agree_with_the_sentences() -> None:
    for task in environment().tasks("train", 24):
        asked = parse_instruction(task.instruction)
        params = {
            "object_target": asked.target, "parent_target": asked.goal, "toggle_target": asked.lamp,
        }  # fmt: skip
        assert instruction_from_params(task.kind, params) == asked
