"""Demonstrations: what the expert did, what was inserted, and which is which."""

import hashlib
import itertools
import random
import re
from dataclasses import replace
from typing import Any

import pytest

from spa_lab import react
from spa_lab.envs.base import Demonstration, Environment, Reply, Task
from spa_lab.envs.demonstrations import demonstrate
from spa_lab.envs.household import environment as household
from spa_lab.envs.webshop import environment as webshop


class Stairs:
    """Climb to the top; on each floor one may go up, go down, or look."""

    top = 4

    def reset(self, task: Task) -> str:
        self.floor = 0
        return "floor 0"

    def step(self, action: str) -> Reply:
        grounded = action in self.admissible()
        self.floor += {"go up": 1, "go down": -1}.get(action, 0) if grounded else 0
        won = self.floor == self.top
        return Reply(f"floor {self.floor}", grounded, won, float(won))

    def admissible(self) -> list[str]:
        return ["go down", "go up", "look"] if self.floor else ["go up", "look"]

    def snapshot(self) -> int:
        return self.floor

    def restore(self, token: Any) -> None:
        self.floor = token


class Climber:
    """Goes up, and says where it is; keeps what it observed and was asked."""

    def __init__(self, task: Task, opening: str) -> None:
        self.seen, self.observed, self.asked = opening, [], []

    def observe(self, action: str, observation: str) -> None:
        self.observed.append((action, observation))
        self.seen = observation

    def act(self) -> tuple[str, str]:
        self.asked.append((f"I am on {self.seen}.", "go up"))
        return self.asked[-1]

    def slip(self, rng: random.Random) -> tuple[str, str]:
        return "I can fly.", rng.choice(["fly up", "fly down"])


TASK = Task("s0", "stairs", "train", "stairs", "climb", 4, None)


def _stairs(step_limit: int = 30) -> Environment:
    return Environment(
        name="stairs",
        make_world=Stairs,
        make_expert=Climber,
        tasks=lambda split, n: [TASK],
        step_limit=step_limit,
    )


def _watched(environment: Environment) -> tuple[Environment, list[Any]]:
    """The environment, and the experts it will have made."""
    experts: list[Any] = []

    def make(task: Task, opening: str) -> Any:
        experts.append(environment.make_expert(task, opening))
        return experts[-1]

    return replace(environment, make_expert=make), experts


@pytest.mark.parametrize("index", range(4))
def test_without_mistakes_it_is_the_expert_playing(index: int) -> None:
    world = household()
    task = world.tasks("train", 4)[index]
    demonstration = demonstrate(world, task, mistakes=0.0, rng=random.Random(0))
    play = world.make_world()
    opening = play.reset(task)
    expert = world.make_expert(task, opening)
    for step in demonstration.trajectory.steps:
        assert (step.thought, step.action) == expert.act()
        reply = play.step(step.action)
        expert.observe(step.action, reply.observation)
        assert (step.observation, step.grounded) == (reply.observation, reply.grounded)
    assert reply.done
    trajectory = demonstration.trajectory
    assert demonstration.supervised == (True,) * len(trajectory)
    assert len(trajectory) == task.expert_length
    assert (trajectory.ended, trajectory.outcome, trajectory.success) == ("done", 1.0, True)
    assert (trajectory.task_id, trajectory.env, trajectory.split) == (task.id, "household", "train")
    assert (trajectory.instruction, trajectory.initial_observation) == (task.instruction, opening)
    assert trajectory.policy == "expert"


@pytest.mark.parametrize("seed", range(5))
def test_supervised_steps_are_the_experts_own(seed: int) -> None:
    environment, experts = _watched(_stairs())
    demonstration = demonstrate(environment, TASK, mistakes=0.4, rng=random.Random(seed))
    (expert,) = experts
    steps = demonstration.trajectory.steps
    assert len(demonstration.supervised) == len(steps) == len(expert.asked)
    assert expert.observed == [(step.action, step.observation) for step in steps]
    for step, supervised, asked in zip(steps, demonstration.supervised, expert.asked, strict=True):
        assert (step.thought, step.action) == asked or not supervised
        assert react.parse(step.text) == (step.thought, step.action)


def test_mistakes_of_both_kinds_are_inserted_and_recovered_from() -> None:
    """Some are executed and some refused; the world answers each, and the expert gets there all the same."""
    world = household()
    played = [
        demonstrate(world, task, mistakes=0.3, rng=random.Random(1)) for task in world.tasks("train", 8)
    ]
    wrong = [
        step.grounded
        for demonstration in played
        for step, supervised in zip(demonstration.trajectory.steps, demonstration.supervised, strict=True)
        if not supervised
    ]
    assert 0.4 < sum(wrong) / len(wrong) < 0.98
    assert sum(demonstration.trajectory.success for demonstration in played) >= 6
    for demonstration in played:
        play = world.make_world()
        play.reset(world.tasks("train", 8)[played.index(demonstration)])
        for step in demonstration.trajectory.steps:
            assert play.step(step.action).observation == step.observation


def test_mistakes_are_as_frequent_as_asked() -> None:
    class Endless(Stairs):
        top = 10**6

    environment = replace(_stairs(step_limit=1000), make_world=Endless)
    demonstration = demonstrate(environment, TASK, mistakes=0.3, rng=random.Random(0))
    trajectory = demonstration.trajectory
    assert (len(trajectory), trajectory.ended, trajectory.success) == (1000, "step_limit", False)
    marks = list(zip(trajectory.steps, demonstration.supervised, strict=True))
    again = sum(
        not supervised and not before.grounded and (step.text == before.text)
        for (before, _), (step, supervised) in itertools.pairwise(marks)
    )
    drawn = demonstration.supervised.count(False) - again
    assert drawn / (1000 - again) == pytest.approx(0.3, abs=0.06)
    assert 20 < again < 150  # half of the refused are tried again
    wrong = {step.action for step, supervised in marks if not supervised}
    assert wrong == {"go up", "go down", "fly up", "fly down"}  # a look around is no mistake


def test_where_nothing_else_can_be_done_one_looks() -> None:
    class Cell(Stairs):
        def admissible(self) -> list[str]:
            return ["look"]

    environment = replace(_stairs(step_limit=30), make_world=Cell)
    demonstration = demonstrate(environment, TASK, mistakes=0.99, rng=random.Random(0))
    first, *later = (step.action for step in demonstration.trajectory.steps)
    assert first == "go up"  # never a mistake
    assert set(later) == {"look", "fly up", "fly down"}


def test_no_inserted_mistake_ends_the_episode_without_success() -> None:
    """ "jump[out]", possible on every floor, ends the episode without success."""

    class Window(Stairs):
        top = 9

        def admissible(self) -> list[str]:
            return [*super().admissible(), "jump[out]"]

        def step(self, action: str) -> Reply:
            reply = super().step(action)
            return replace(reply, done=True) if action == "jump[out]" else reply

    environment = replace(_stairs(step_limit=60), make_world=Window)
    for seed in range(5):
        played = demonstrate(environment, TASK, mistakes=0.6, rng=random.Random(seed)).trajectory
        assert "jump[out]" not in {step.action for step in played.steps}
        assert played.success or played.ended == "step_limit"


def test_where_all_else_spoils_the_episode_the_experts_action_stands() -> None:
    class Ledge(Stairs):
        def admissible(self) -> list[str]:
            return ["fall down"]

        def step(self, action: str) -> Reply:
            return replace(super().step(action), done=action == "fall down", outcome=0.0)

    environment = replace(_stairs(step_limit=30), make_world=Ledge)
    played = demonstrate(environment, TASK, mistakes=0.9, rng=random.Random(0)).trajectory
    assert {step.action for step in played.steps} == {"go up", "fly up", "fly down"}


def test_household_demonstrations_are_what_they_were() -> None:
    """Demonstrations of the other worlds need other detours; these here must not change with them."""
    world, rng = household(), random.Random(0)
    played = [demonstrate(world, task, mistakes=0.3, rng=rng) for task in world.tasks("train", 40)]
    content = repr([(demonstration.trajectory.steps, demonstration.supervised) for demonstration in played])
    assert hashlib.sha256(content.encode()).hexdigest() == (
        "b3caf1b66094af9a74f3b5a1bea1c985e07e9eba6667b2486615c811c6ca20a5"
    )


def test_web_shop_detours_open_products_and_choose_but_never_buy() -> None:
    world, rng = webshop(), random.Random(0)
    played = [demonstrate(world, task, mistakes=0.5, rng=rng) for task in world.tasks("train", 30)]
    wrong = [
        step
        for demonstration in played
        for step, supervised in zip(demonstration.trajectory.steps, demonstration.supervised, strict=True)
        if not supervised
    ]
    assert any(re.fullmatch(r"click\[b\d+\]", step.action) for step in wrong)
    bought = [step for step in wrong if step.observation.startswith("Thank you")]
    assert all(
        demonstration.trajectory.success
        for demonstration in played
        if demonstration.trajectory.steps[-1] in bought
    )


def test_the_generator_decides() -> None:
    seeds = (1, 1, 2, 3, 4, 5)
    played = [demonstrate(_stairs(), TASK, mistakes=0.5, rng=random.Random(seed)) for seed in seeds]
    assert played[0] == played[1]
    assert len({demonstration.trajectory.steps for demonstration in played}) > 2


def test_every_demonstration_of_a_task_has_an_id_of_its_own() -> None:
    rng = random.Random(0)
    ids = [demonstrate(_stairs(), TASK, mistakes=0.0, rng=rng).trajectory.id for _ in range(20)]
    assert len(set(ids)) == 20
    assert ids[0] == demonstrate(_stairs(), TASK, mistakes=0.5, rng=random.Random(0)).trajectory.id
    assert ids[0].startswith("expert/s0/")


@pytest.mark.parametrize("mistakes", [-0.1, 1.0, 2.0, float("nan")])
def test_bad_rates(mistakes: float) -> None:
    with pytest.raises(ValueError, match=rf"got {mistakes}"):
        demonstrate(_stairs(), TASK, mistakes=mistakes, rng=random.Random(0))


@pytest.mark.parametrize("marks", [(), (True, False), (True,) * 4])
def test_a_mark_for_every_step(trajectory: Any, marks: tuple[bool, ...]) -> None:
    with pytest.raises(ValueError, match=rf"'t1': {len(marks)} marks for 3 steps"):
        Demonstration(trajectory, marks)
