"""Properties of any play, in recorded games with unusual facts."""

import gc
import gzip
import json
import random
import tracemalloc
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.household import world_speed
from spa_lab.envs.base import Task
from spa_lab.envs.household import world as world_module
from spa_lab.envs.household.game import HouseholdTask
from spa_lab.envs.household.reader import read_game
from spa_lab.envs.household.world import GAMES_KEPT, HouseholdWorld

MakeTask = Callable[..., Task]
RECORDED = Path(__file__).parents[1] / "fixtures" / "alfworld" / "special_games.jsonl.gz"
VARIANTS = ("initial_flags", "two_receptacles", "start_holding", "lamp_pickupable", "nested_only")


@cache
def recorded(variant: str) -> Task:
    with gzip.open(RECORDED, "rt", encoding="utf-8") as file:
        game = next(record for record in map(json.loads, file) if record["variant"] == variant)
    payload = HouseholdTask(game["game_id"], game["task_type"], game["task"], game["pddl_problem"])
    return Task(payload.game_id, "household", "train", payload.task_type, payload.task, 0, payload)


@cache
def every_command(variant: str) -> tuple[str, ...]:
    """All commands about the things of a game, admissible or not, and some nonsense."""
    game = read_game(recorded(variant).payload.problem, variant)
    things, places = game.objects, game.receptacles
    return (
        "look",
        "inventory",
        "help",
        *(f"{verb} {place}" for verb in ("go to", "open", "close", "examine") for place in places),
        *(f"{verb} {thing}" for verb in ("use", "examine", "go to", "open") for thing in things),
        *(f"take {thing} from {place}" for thing in things for place in places),
        *(f"move {thing} to {place}" for thing in things for place in places),
        *(
            f"{verb} {thing} with {place}"
            for verb in ("clean", "heat", "cool")
            for thing in things
            for place in places
        ),
        *(f"slice {thing} with {knife}" for thing in things for knife in things),
    )


def reset(variant: str) -> HouseholdWorld:
    world = HouseholdWorld()
    world.reset(recorded(variant))
    return world


def wander(world: HouseholdWorld, steps: int, rng: random.Random) -> list[str]:
    """Play admissible commands, rather handling things than walking about; returns them."""
    played = []
    for _ in range(steps):
        listed = world.admissible()
        handling = [
            command for command in listed if command.startswith(("take", "move", "open", "use", "slice"))
        ]
        played.append(rng.choice(handling if handling and rng.random() < 0.5 else listed))
        assert world.step(played[-1]).grounded
    return played


@pytest.mark.parametrize("variant", VARIANTS)
def test_listed_commands_are_the_accepted_ones(variant: str) -> None:
    world, rng = reset(variant), random.Random(3)
    for _ in range(12):
        here = world.snapshot()
        accepted = []
        for command in every_command(variant):
            if world.step(command).grounded:
                accepted.append(command)
                world.restore(here)
        assert sorted(accepted) == world.admissible()
        wander(world, 4, rng)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(VARIANTS), st.data())
def test_any_text_is_answered_and_ungrounded_steps_change_nothing(variant: str, data: st.DataObject) -> None:
    world = reset(variant)
    for _ in range(data.draw(st.integers(1, 20))):
        before, listed = world.snapshot(), world.admissible()
        action = data.draw(
            st.one_of(st.sampled_from(listed), st.sampled_from(every_command(variant)), st.text())
        )
        reply = world.step(action)
        assert reply.grounded == (action.strip() in listed) == (reply.reason == "")
        if not reply.grounded:
            assert reply.observation == "Nothing happens."
            assert (world.snapshot(), world.admissible()) == (before, listed)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(VARIANTS), st.integers(0, 2**32), st.integers(0, 20), st.integers(1, 20))
def test_snapshots_are_independent_and_equal_a_replay(
    variant: str, seed: int, before: int, after: int
) -> None:
    rng, world = random.Random(seed), reset(variant)
    first = wander(world, before, rng)
    token = world.snapshot()
    later = wander(world, after, rng)
    end = world.snapshot()
    world.restore(token)
    again = [world.step(command) for command in later]
    assert world.snapshot() == end
    fresh = reset(variant)
    for command in first:
        fresh.step(command)
    assert fresh.snapshot() == token
    assert [fresh.step(command) for command in later] == again


def test_a_snapshot_outlives_the_kept_games(tiny_task: MakeTask) -> None:
    world, task = reset("start_holding"), recorded("start_holding")
    wander(world, 9, random.Random(0))
    token, listed = world.snapshot(), world.admissible()
    for index in range(GAMES_KEPT + 1):
        world.reset(tiny_task(f"; game {index}"))
    world.reset(task)
    world.restore(token)
    assert world.admissible() == listed


def test_no_leak_over_many_steps_and_games(tiny_task: MakeTask, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = 16
    monkeypatch.setattr(world_module, "GAMES_KEPT", kept)
    world, rng = HouseholdWorld(), random.Random(0)
    texts = [rng.choice(every_command("lamp_pickupable")) for _ in range(75)]

    def traced(first: int, last: int) -> int:
        for index in range(first, last):
            world.reset(tiny_task(f"; game {index}"))
            wander(world, 25, rng)
            for command in texts:
                world.step(command)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    full = traced(0, kept + 6)
    after = traced(100, 100 + 3 * kept)
    tracemalloc.stop()
    assert after < 1.1 * full  # keeping all 48 new games would make it 3 * full


def test_speed_is_measured(tiny_task: MakeTask) -> None:
    speed = world_speed([tiny_task()], steps=120, rng=random.Random(0))
    assert speed.steps == 150
    assert min(speed.steps_per_second, speed.listed_steps_per_second, speed.snapshot_us, speed.restore_us) > 0
    with pytest.raises(ValueError, match="got 0 and 100"):
        world_speed([], steps=100, rng=random.Random(0))
