"""Each rule of the household in a tiny room: what is answered, what is refused and why."""

from collections.abc import Callable

import pytest

from spa_lab.envs.base import Task
from spa_lab.envs.household import text
from spa_lab.envs.household.world import HouseholdWorld

MakeTask = Callable[..., Task]


def started(task: Task, commands: str = "") -> HouseholdWorld:
    """A world after some commands, all of which must be accepted."""
    world = HouseholdWorld()
    world.reset(task)
    for command in filter(None, commands.split("; ")):
        assert world.step(command).grounded, command
    return world


TAKE_APPLE = "go to countertop 1; take apple 1 from countertop 1"
TAKE_MUG = "go to cabinet 1; open cabinet 1; take mug 1 from cabinet 1"
ANSWERS = [
    ("", "look", "You are in the middle of a room. Looking quickly around you, you see nothing."),
    ("", "inventory", "You are not carrying anything."),
    ("", "help", text.HELP),
    ("", "go to cabinet 1", "You arrive at cabinet 1. The cabinet 1 is closed."),
    ("", "go to sinkbasin 1", "You arrive at sinkbasin 1. On the sinkbasin 1, you see nothing."),
    ("", "go to shelf 1", "You arrive at shelf 1. On the shelf 1, you see a book 1, and a plate 1."),
    (
        "",
        "go to countertop 1",
        "You arrive at countertop 1. "
        "On the countertop 1, you see a apple 2, a apple 1, a desklamp 1, and a knife 1.",
    ),
    ("", "  \u00a0go to sinkbasin 1\n", "You arrive at sinkbasin 1. On the sinkbasin 1, you see nothing."),
    (
        "go to countertop 1",
        "look",
        "You are facing the countertop 1, and shelf 1. Next to it, you see nothing.",
    ),
    ("go to cabinet 1", "look", "You are facing the cabinet 1. Next to it, you see nothing."),
    (
        "go to cabinet 1",
        "open cabinet 1",
        "You open the cabinet 1. The cabinet 1 is open. In it, you see a mug 1.",
    ),
    (
        "go to cabinet 1; open cabinet 1; go to shelf 1",
        "go to cabinet 1",
        "You arrive at cabinet 1. The cabinet 1 is open. In it, you see a mug 1.",
    ),
    ("go to cabinet 1; open cabinet 1", "close cabinet 1", "You close the cabinet 1."),
    ("go to cabinet 1", "examine cabinet 1", "The cabinet 1 is closed."),
    (
        "go to countertop 1",
        "take apple 2 from countertop 1",
        "You pick up the apple 2 from the countertop 1.",
    ),
    (TAKE_MUG, "inventory", "You are carrying: a mug 1."),
    (TAKE_MUG, "examine cabinet 1", "The cabinet 1 is open. In it, you see nothing."),
    (
        f"{TAKE_MUG}; go to countertop 1",
        "move mug 1 to countertop 1",
        "You move the mug 1 to the countertop 1.",
    ),
    (
        f"{TAKE_APPLE}; move apple 1 to shelf 1",
        "take apple 1 from shelf 1",
        "You pick up the apple 1 from the shelf 1.",
    ),
    (
        f"{TAKE_MUG}; go to sinkbasin 1",
        "clean mug 1 with sinkbasin 1",
        "You clean the mug 1 using the sinkbasin 1.",
    ),
    (
        f"{TAKE_MUG}; go to microwave 1",
        "heat mug 1 with microwave 1",
        "You heat the mug 1 using the microwave 1.",
    ),
    (f"{TAKE_MUG}; go to fridge 1", "cool mug 1 with fridge 1", "You cool the mug 1 using the fridge 1."),
    ("go to shelf 1", "use desklamp 1", "You turn on the desklamp 1."),
    ("go to shelf 1; use desklamp 1", "use desklamp 1", "You turn on the desklamp 1."),
    (f"{TAKE_MUG}; go to shelf 1", "use desklamp 1", "You turn on the desklamp 1."),
    (
        "go to countertop 1; take knife 1 from countertop 1",
        "slice apple 2 with knife 1",
        "You sliced the apple 2 with the knife 1.",
    ),
    (TAKE_APPLE, "examine apple 1", "There's nothing special about apple 1."),
    (
        "go to shelf 1; take plate 1 from shelf 1",
        "examine plate 1",
        "This is a normal plate 1. In it, you see nothing.",
    ),
    # taken from the countertop and put on the shelf at the same place: loose as seen from the countertop
    (
        f"{TAKE_APPLE}; move apple 1 to shelf 1",
        "look",
        "You are facing the countertop 1, and shelf 1. Next to it, you see a apple 1.",
    ),
    (
        f"{TAKE_APPLE}; move apple 1 to shelf 1; take apple 1 from shelf 1; move apple 1 to countertop 1",
        "look",
        "You are facing the countertop 1, and shelf 1. Next to it, you see a apple 1.",
    ),
]
REFUSALS = [
    ("", "", "unknown command"),
    ("", "dance", "unknown command"),
    ("", "Look", 'ALFWorld\'s form is "look"'),
    ("", "go to", 'ALFWorld\'s form is "go to {receptacle}", with names like "mug 1"'),
    ("", "go to  shelf 1", 'ALFWorld\'s form is "go to shelf 1"'),
    ("", "go to shelf 2", "this room has no shelf 2"),
    ("", "go to mug 1", "this command does not apply to mug 1"),
    ("", "go to shelf 1.", 'ALFWorld\'s form is "go to shelf 1"'),
    ("", "put mug 1 in/on shelf 1", 'ALFWorld\'s form is "move mug 1 to shelf 1"'),
    ("", "look\u200b", "unknown command"),
    ("go to shelf 1", "go to countertop 1", "already at countertop 1"),
    ("go to shelf 1", "go to shelf 1", "already at shelf 1"),
    ("", "open cabinet 1", "not at cabinet 1"),
    ("go to shelf 1", "open shelf 1", "shelf 1 cannot be opened"),
    ("go to cabinet 1; open cabinet 1", "open cabinet 1", "cabinet 1 is open"),
    ("go to cabinet 1", "close cabinet 1", "cabinet 1 is closed"),
    ("go to cabinet 1; open cabinet 1; go to shelf 1", "close cabinet 1", "not at cabinet 1"),
    ("go to shelf 1", "close shelf 1", "shelf 1 cannot be closed"),
    ("", "examine shelf 1", "not at shelf 1"),
    ("go to shelf 1", "examine book 1", "book 1 is not in the hands"),
    ("", "take book 1 from shelf 1", "not at shelf 1"),
    ("go to cabinet 1", "take mug 1 from cabinet 1", "cabinet 1 is closed"),
    ("go to shelf 1", "take apple 1 from shelf 1", "apple 1 is not in shelf 1"),
    ("go to shelf 1", "take desklamp 1 from countertop 1", "desklamp 1 cannot be picked up"),
    (TAKE_APPLE, "take apple 2 from countertop 1", "hands are not empty"),
    ("go to shelf 1", "move book 1 to shelf 1", "book 1 is not in the hands"),
    (TAKE_APPLE, "move apple 1 to fridge 1", "not at fridge 1"),
    (f"{TAKE_APPLE}; go to fridge 1", "move apple 1 to fridge 1", "fridge 1 is closed"),
    (f"{TAKE_MUG}; go to shelf 1", "move mug 1 to shelf 1", "mug 1 does not belong in shelf 1"),
    ("go to sinkbasin 1", "clean mug 1 with sinkbasin 1", "mug 1 is not in the hands"),
    (TAKE_MUG, "clean mug 1 with sinkbasin 1", "not at sinkbasin 1"),
    (f"{TAKE_MUG}; go to fridge 1", "clean mug 1 with fridge 1", "fridge 1 cannot clean anything"),
    (f"{TAKE_MUG}; go to shelf 1", "heat mug 1 with shelf 1", "shelf 1 cannot heat anything"),
    (f"{TAKE_MUG}; go to microwave 1", "cool mug 1 with microwave 1", "microwave 1 cannot cool anything"),
    (
        "go to shelf 1; take book 1 from shelf 1; go to sinkbasin 1",
        "clean book 1 with sinkbasin 1",
        "book 1 cannot be cleaned",
    ),
    ("", "use desklamp 1", "desklamp 1 is not here"),
    ("go to shelf 1", "use book 1", "book 1 cannot be switched on"),
    ("go to shelf 1", "slice apple 1 with knife 1", "knife 1 is not in the hands"),
    (TAKE_APPLE, "slice apple 2 with apple 1", "apple 1 is not a knife"),
    ("go to shelf 1; take knife 1 from countertop 1", "slice book 1 with knife 1", "book 1 cannot be sliced"),
    (
        "go to shelf 1; take knife 1 from countertop 1; go to fridge 1",
        "slice apple 1 with knife 1",
        "apple 1 is not here",
    ),
]


@pytest.mark.parametrize(("before", "command", "answer"), ANSWERS)
def test_answer_of_a_possible_command(tiny_task: MakeTask, before: str, command: str, answer: str) -> None:
    world = started(tiny_task(), before)
    assert command.strip() in world.admissible()
    reply = world.step(command)
    assert (reply.observation, reply.grounded, reply.reason) == (answer, True, "")
    assert (reply.done, reply.outcome) == (False, 0.0)


@pytest.mark.parametrize(("before", "command", "reason"), REFUSALS)
def test_a_refused_command_changes_nothing_and_says_why(
    tiny_task: MakeTask, before: str, command: str, reason: str
) -> None:
    world = started(tiny_task(), before)
    token, listed = world.snapshot(), world.admissible()
    reply = world.step(command)
    assert (reply.observation, reply.grounded, reply.reason) == ("Nothing happens.", False, reason)
    assert command not in listed
    assert (world.snapshot(), world.admissible()) == (token, listed)


def test_opening_text_in_mid_room_and_at_a_receptacle(tiny_task: MakeTask) -> None:
    world = HouseholdWorld()
    assert world.reset(tiny_task()) == (
        "You are in the middle of a room. Looking quickly around you, you see a cabinet 1, a countertop 1, "
        "a fridge 1, a microwave 1, a shelf 1, and a sinkbasin 1.\n\nYour task is to: put a mug in shelf."
    )
    start = ("(atLocation agent1 loc_bar_0)",)
    assert world.reset(tiny_task("(atLocation agent1 loc_bar_1)", without=start)) == (
        "You are facing the cabinet 1. Next to it, you see nothing.\n\nYour task is to: put a mug in shelf."
    )
    assert "examine cabinet 1" in world.admissible()


def test_a_receptacle_without_location_is_out_of_the_world(tiny_task: MakeTask) -> None:
    task = tiny_task(without=("(receptacleAtLocation Sink_bar_1_bar_SinkBasin loc_bar_3)",))
    world = HouseholdWorld()
    assert "sinkbasin" not in world.reset(task)
    assert world.step("go to sinkbasin 1").reason == "no way leads to sinkbasin 1"
    assert not any("sinkbasin" in command for command in world.admissible())


def test_older_grammar(tiny_task: MakeTask) -> None:
    world = started(tiny_task(grammar="put"))
    # the six locations loc_bar_0 ... loc_bar_5 are called loc 6 ... loc 1
    assert world.step("go to cabinet 1").observation == "You arrive at loc 5. The cabinet 1 is closed."
    world = started(tiny_task(grammar="put"), f"{TAKE_MUG}; go to countertop 1")
    assert "put mug 1 in/on countertop 1" in world.admissible()
    assert not world.step("move mug 1 to countertop 1").grounded
    assert not world.step("help").grounded
    reply = world.step("put mug 1 in/on countertop 1")
    assert reply.observation == "You put the mug 1 in/on the countertop 1."


def test_wrong_payloads_and_tokens_are_refused(tiny_task: MakeTask) -> None:
    world = started(tiny_task())
    for token in (None, started(tiny_task(game_id="other")).snapshot()):
        with pytest.raises(ValueError, match="game 'tiny': the token is not a snapshot of this task"):
            world.restore(token)
    with pytest.raises(ValueError, match="task 'x': payload must be a HouseholdTask, got str"):
        world.reset(Task("x", "household", "train", "", "", 0, "payload"))
