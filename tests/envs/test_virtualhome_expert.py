"""The expert solves tasks from observations alone, also after actions that were not its own."""

import random
import re

import pytest

from spa_lab.envs.base import Task
from spa_lab.envs.virtualhome import panels
from spa_lab.envs.virtualhome.expert import THOUGHTS, VirtualHomeExpert
from spa_lab.envs.virtualhome.task_templates import TEMPLATES, Subgoal, read_sentence
from spa_lab.envs.virtualhome.world import VirtualHomeWorld

THOUGHT = re.compile("|".join(f"(?:{thought})" for thought in THOUGHTS))
TASKS = panels.tasks("train", 60)


def play(
    task: Task, limit: int, noise: float, rng: random.Random
) -> tuple[int | None, list[tuple[str, str]]]:
    """Steps to the win (None: none within `limit`) and the (thought, action) pairs of the expert."""
    world = VirtualHomeWorld()
    world.reset(task)
    expert = VirtualHomeExpert(task.instruction)
    moves = []
    for step in range(1, limit + 1):
        thought, action = expert.act()
        moves.append((thought, action))
        if rng.random() < noise:
            slips = rng.random() < 0.6
            action = expert.slip(rng)[1] if slips else rng.choice(world.admissible())
        reply = world.step(action)
        if reply.done:
            return step, moves
        expert.observe(action, reply.observation)
    return None, moves


def test_every_executed_action_of_the_expert_is_grounded() -> None:
    for task in TASKS:
        world = VirtualHomeWorld()
        world.reset(task)
        expert = VirtualHomeExpert(task.instruction)
        for _ in range(task.expert_length):
            action = expert.act()[1]
            reply = world.step(action)
            assert reply.grounded, (task.instruction, action, reply.reason)
            expert.observe(action, reply.observation)
        assert reply.done


def test_recovers_from_injected_mistakes() -> None:
    rng = random.Random(0)
    solved = [play(task, 80, 0.15, rng)[0] is not None for task in TASKS]
    assert sum(solved) >= 0.95 * len(solved)


def test_recovers_from_mostly_random_play() -> None:
    rng = random.Random(1)
    solved = [play(task, 200, 0.5, rng)[0] is not None for task in TASKS[:30]]
    assert sum(solved) >= 0.85 * len(solved)


def test_thoughts_come_from_the_closed_set() -> None:
    rng = random.Random(2)
    for task in TASKS[:30]:
        for step, (thought, _) in enumerate(play(task, 40, 0.2, rng)[1]):
            assert THOUGHT.fullmatch(thought), thought
            assert thought.startswith("I am to ") == (step == 0)


def test_plans_have_many_lengths() -> None:
    lengths = {task.expert_length for task in TASKS}
    assert min(lengths) <= 3
    assert max(lengths) >= 12


def expert(sentence: str, *seen: tuple[str, str]) -> VirtualHomeExpert:
    player = VirtualHomeExpert(f"Title ({sentence})")
    for action, observation in seen:
        player.observe(action, observation)
    return player


STORE = "Put the milk in the fridge and close the fridge"
WALK = ("walk to milk", "table, milk, milk ON table.")
GRAB = ("grab milk", "table, milk. You have milk.")
FRIDGE = ("walk to fridge", "fridge is CLOSED, milk. You have milk.")
HELD = "I have the milk. I need the fridge."


@pytest.mark.parametrize(
    ("sentence", "seen", "move"),
    [
        (STORE, [("walk to sofa", "sofa.")], ("I need the milk.", "walk to milk")),
        (STORE, [WALK], ("I need the milk. I see it.", "grab milk")),
        (STORE, [("walk to milk", "cupboard is CLOSED.")], ("The cupboard is closed.", "open cupboard")),
        (STORE, [WALK, GRAB], (HELD, "walk to fridge")),
        (STORE, [WALK, GRAB, FRIDGE], ("The fridge is closed.", "open fridge")),
        (
            STORE,
            [WALK, GRAB, FRIDGE, ("open fridge", "fridge is OPEN, milk. You have milk.")],
            (f"{HELD} I see it.", "put milk in fridge"),
        ),
        (
            STORE,
            [WALK, GRAB, FRIDGE, ("put milk in fridge", "fridge is OPEN, milk.")],
            ("The fridge is open.", "close fridge"),
        ),
        (  # on it is not in it
            STORE,
            [WALK, GRAB, FRIDGE, ("put milk on fridge", "fridge is OPEN, milk.")],
            ("I need the milk. I see it.", "grab milk"),
        ),
        (STORE, [WALK, GRAB, ("drop milk", "milk.")], ("I need the milk. I see it.", "grab milk")),
        (
            STORE,
            [
                ("grab ball", "ball, doll. You have ball, doll."),
                ("walk to milk", "milk. You have ball, doll."),
            ],
            ("My hands are full.", "drop ball"),
        ),
        (
            "Switch on the lamp",
            [("walk to lamp", "lamp is OFF and PLUGGED_OUT.")],
            ("The lamp is unplugged.", "plug in lamp"),
        ),
        (
            "Switch on the lamp",
            [("walk to lamp", "lamp is OFF and PLUGGED_IN.")],
            ("The lamp is off.", "switch on lamp"),
        ),
        (  # what runs cannot be opened
            STORE,
            [WALK, GRAB, ("walk to fridge", "fridge is CLOSED and ON, milk. You have milk.")],
            ("The fridge is on.", "switch off fridge"),
        ),
        (  # hidden in something that it saw closed before
            STORE,
            [FRIDGE, ("walk to milk", "You see nothing."), ("grab milk", "Nothing happens.")],
            ("I need the fridge.", "walk to fridge"),
        ),
        (  # all subgoals seem achieved but the task is not done: it forgets
            "Switch on the lamp",
            [("walk to lamp", "lamp is ON.")],
            ("The lamp is off.", "switch on lamp"),
        ),
    ],
)
def test_decides_from_observations(sentence: str, seen: list[tuple[str, str]], move: tuple[str, str]) -> None:
    assert expert(sentence, *seen).act() == move


@pytest.mark.parametrize("kind", TEMPLATES)
def test_reads_what_the_generator_writes(kind: str) -> None:
    names = dict.fromkeys("abgwrfscmdle", "")
    names = {role: f"{role}_thing" for role in names}
    subgoals = read_sentence(TEMPLATES[kind].sentence.format(**names))
    assert subgoals == tuple(
        Subgoal(each.verb, names[each.thing], names.get(each.target, "")) for each in TEMPLATES[kind].subgoals
    )


@pytest.mark.parametrize("text", ["", "Dance", "Title (Dance)", "Title (Put the a on the b and fly)"])
def test_foreign_sentences_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="matches none of the 10 templates"):
        VirtualHomeExpert(text)
