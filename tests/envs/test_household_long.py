"""The long household: fixed tasks of several chores, each of them needed, solved by its expert."""

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from spa_lab.envs.base import Task, World
from spa_lab.envs.episode import RunningEpisode
from spa_lab.envs.household import long, panels
from spa_lab.envs.household.chores import ChoresExpert, is_carried_out
from spa_lab.envs.household.expert import HouseholdExpert
from spa_lab.envs.household.instruction import ParsedInstruction, parse_instruction
from spa_lab.envs.household.memory import Memory
from spa_lab.envs.panels import length_bin

ROOT = Path(__file__).resolve().parents[2]
FIRST_HASH = "36346a3930a39ac07e97d32b7a0309bae243523587b1fcefe0b18e7473491c93"
WORLD = long.environment()


@pytest.fixture(scope="module")
def tasks() -> dict[str, list[Task]]:
    """The first tasks of each split."""
    return {split: long.tasks(split, 24) for split in long.SPLITS}


def test_panels_are_pinned_and_do_not_depend_on_the_process(tasks: dict[str, list[Task]]) -> None:
    """Changes only with the generator, on purpose: then every published panel changes its name."""
    code = "from spa_lab.envs.household import long, panels; print(panels.panel_hash(long.tasks('train', 6)))"
    environ = os.environ | {"PYTHONHASHSEED": "1", "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == panels.panel_hash(tasks["train"][:6]) == FIRST_HASH


def test_the_expert_solves_every_task_within_the_limit(tasks: dict[str, list[Task]]) -> None:
    for task in (task for panel in tasks.values() for task in panel):
        episode = RunningEpisode(WORLD, task)
        expert = WORLD.expert_for(task, episode.initial_observation)
        while episode.ended is None:
            thought, action = expert.act()
            expert.observe(action, episode.act(thought, action).observation)
        shortest, longest = long.EXPERT_LENGTHS
        assert episode.success
        assert shortest <= len(episode.steps) == task.expert_length <= longest < long.STEP_LIMIT


def test_a_game_is_won_exactly_while_all_its_tasks_hold(tasks: dict[str, list[Task]]) -> None:
    """Also after a finished task was undone; the world agrees with what the expert remembers."""
    rng = random.Random(0)
    ends = set()
    for task in tasks["train"]:
        episode = RunningEpisode(WORLD, task, step_limit=120)
        expert = ChoresExpert(episode.initial_observation)
        most = 0
        while episode.ended is None:
            thought, action = expert.act()
            if rng.random() < 0.2:
                allowed = episode.world.admissible()
                action = rng.choice([each for each in allowed if each.startswith("take")] or allowed)
            reply = episode.act(thought, action)
            expert.observe(action, reply.observation)
            finished = [is_carried_out(wanted, expert.memory) for wanted in _wanted(task)]
            assert reply.done == all(finished)
            ends.add("undone" if sum(finished) < most else "")
            most = max(most, sum(finished))
        ends.add(episode.ended)
    assert {"undone", "done"} <= ends


@pytest.mark.parametrize("left_out", range(long.N_CHORES))
def test_leaving_out_any_task_does_not_win(tasks: dict[str, list[Task]], left_out: int) -> None:
    """The expert of each other task plays on from where the last one stopped."""
    for task in tasks["unseen"][:8]:
        world = WORLD.make_world()
        opening = world.reset(task)
        memory = Memory.of_opening(opening)
        for index, sentence in enumerate(task.instruction.split(", then ")):
            player = HouseholdExpert(sentence, opening)
            player.memory = memory
            while index != left_out and not is_carried_out(player.wanted, memory):
                _, action = player.act()
                reply = world.step(action)
                player.observe(action, reply.observation)
                assert not reply.done


def test_the_next_task_follows_what_is_put_down_right_or_wrong(tasks: dict[str, list[Task]]) -> None:
    task = tasks["train"][0]
    sentences = task.instruction.split(", then ")
    world = WORLD.make_world()
    opening = world.reset(task)
    thing, place = _first_object(world, opening)
    given = []
    for _ in range(len(sentences) + 1):
        assert "task" not in world.step(f"take {thing} from {place}").observation
        given.append(world.step(f"move {thing} to {place}").observation.partition("Your task is to: ")[2])
    assert [opening.partition("Your task is to: ")[2], *given] == [*(f"{s}." for s in sentences), "", ""]
    assert "task" not in world.step(f"move {thing} to {place}").observation  # refused


def test_the_expert_states_each_task_and_returns_to_one_that_is_undone() -> None:
    expert = ChoresExpert(
        "You are in the middle of a room. Looking quickly around you, you see a bed 1, a desk 1, "
        "and a shelf 1.\n\nYour task is to: put a mug in desk."
    )

    def then(action: str, observation: str) -> str:
        expert.observe(action, observation)
        return " | ".join(expert.act())

    assert expert.act() == ("I am to put a mug in desk. I need a mug. It is not here.", "go to bed 1")
    then("go to bed 1", "You arrive at bed 1. On the bed 1, you see a book 1, a book 2, and a mug 1.")
    then("take mug 1 from bed 1", "You pick up the mug 1 from the bed 1.")
    then("go to desk 1", "You arrive at desk 1. On the desk 1, you see nothing.")
    second = then(
        "move mug 1 to desk 1", "You move the mug 1 to the desk 1.\n\nYour task is to: put a book in shelf."
    )
    assert second == "I am to put a book in shelf. I need a book. I saw book 1. | go to bed 1"
    undone = then("take mug 1 from desk 1", "You pick up the mug 1 from the desk 1.")
    assert undone == "I am to put a mug in desk. I have mug 1. I need a desk. | move mug 1 to desk 1"


def test_the_opening_has_the_form_of_the_household(tasks: dict[str, list[Task]]) -> None:
    for task in tasks["train"]:
        view, line = WORLD.make_world().reset(task).split("\n\n")
        assert view.startswith("You are in the middle of a room.") and view.endswith(".")
        assert line == f"Your task is to: {task.instruction.split(', then ')[0]}."
        assert len({wanted.target for wanted in _wanted(task)}) == len(_wanted(task)) == long.N_CHORES
        assert task.kind == f"{long.N_CHORES} chores"


def _wanted(task: Task) -> list[ParsedInstruction]:
    return [parse_instruction(sentence) for sentence in task.instruction.split(", then ")]


def _first_object(world: World, opening: str) -> tuple[str, str]:
    """An object and where it lies; the player then stands there."""
    for place in Memory.of_opening(opening).receptacles:
        world.step(f"go to {place}")
        for command in world.admissible():
            if match := re.fullmatch(rf"take (\w+ \d+) from {place}", command):
                return match[1], place
    raise AssertionError("nothing lies open in this room")


def test_the_panel_by_length_is_balanced_from_its_start() -> None:
    chosen = json.loads(long.PANEL_FILE.read_text(encoding="utf-8"))["tasks"]
    assert len(set(chosen)) == len(chosen) == long.BIN_SIZE * len(long.BINS)
    bins = [length_bin(task.expert_length, long.BINS) for task in long.tasks(long.BY_LENGTH, 15)]
    assert bins == [0, 1, 2] * 5


def _house(task: Task) -> tuple[str, ...]:
    """Every receptacle of the room, by its PDDL name."""
    return tuple(re.findall(r"^\(receptacleType (\w+) ", task.payload.problem, flags=re.MULTILINE))


def _pairs(task: Task) -> set[tuple[str, str]]:
    return {(wanted.target, wanted.goal) for wanted in _wanted(task)}


def test_unseen_tasks_share_neither_houses_nor_pairs(tasks: dict[str, list[Task]]) -> None:
    houses = {split: {_house(task) for task in panel} for split, panel in tasks.items()}
    pairs = {split: {pair for task in panel for pair in _pairs(task)} for split, panel in tasks.items()}
    assert not houses["unseen"] & (houses["train"] | houses["seen"])
    assert not pairs["unseen"] & (pairs["train"] | pairs["seen"])
    assert houses["train"] & houses["seen"]
    assert len({task.payload.problem for panel in tasks.values() for task in panel}) == 72


def test_a_restored_state_continues_alike(tasks: dict[str, list[Task]]) -> None:
    task = tasks["seen"][0]
    world = WORLD.make_world()
    expert = ChoresExpert(world.reset(task))
    token, replies = world.snapshot(), []
    actions = []
    while not replies or not replies[-1].done:
        if len(actions) == 10:
            token = world.snapshot()
        actions.append(expert.act()[1])
        replies.append(world.step(actions[-1]))
        expert.observe(actions[-1], replies[-1].observation)
    world.restore(token)
    assert [world.step(action) for action in actions[10:]] == replies[10:]
