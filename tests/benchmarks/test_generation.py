"""The benchmarks compare implementations with equal output; their speeds are not tested."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import generation, plain_generation
from benchmarks.worlds import replay_speed
from spa_lab.agent.rollout import Policy
from spa_lab.envs.base import Reply, Task
from spa_lab.envs.household import environment
from spa_lab.envs.household.world import HouseholdWorld
from spa_lab.envs.worlds import make_environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("env", ["household", "webshop", "virtualhome"])
def test_every_world_can_be_timed(env: str) -> None:
    world = make_environment(env)
    assert replay_speed(world, world.tasks("train", 3), steps=50) > 0


TEXTS = ("Action: look", "Action: go to", "Nothing happens.")


class _Ending(HouseholdWorld):
    """Done after three steps plus the task's number."""

    def reset(self, task: Task) -> str:
        self.left = int(task.id[-5:]) + 3
        return super().reset(task)

    def step(self, action: str) -> Reply:
        self.left -= 1
        return replace(super().step(action), done=self.left == 0)


def test_both_ways_write_the_same_tokens(make_policy: Callable[..., Policy]) -> None:
    """Episodes and replies of different lengths, steps that end and steps that are cut off."""
    world = replace(environment(), make_world=_Ending, step_limit=5)
    tasks = world.tasks("unseen", 4)
    policy = make_policy(*TEXTS, layers=2, context=4096, spread=0.4, seed=3)
    policy.model.get_input_embeddings().weight.data[policy.codec.end_id] *= (
        1.5  # some steps end by themselves
    )
    cached = generation.play_cached(policy, world, tasks)
    assert cached == generation.play_plain(policy, world, tasks)
    assert [len(episode) for episode in cached] == [3, 4, 5, 5]
    lengths = {len(step) for episode in cached for step in episode}
    assert generation.MAX_NEW_TOKENS in lengths and len(lengths) > 5
    records = generation.compare(policy, world, tasks[:1], rounds=1)
    assert [record.way for record in records] == [generation.ENGINE, generation.WHOLE, generation.KEPT]
    assert {record.n for record in records} == {(sum(map(len, cached[0])),)}


def test_ways_that_write_other_tokens_are_not_compared(
    make_policy: Callable[..., Policy], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = replace(environment(), step_limit=1)
    monkeypatch.setattr(generation, "play_plain", lambda *_: [[(0,)]])
    with pytest.raises(ValueError, match="generate on whole text wrote other tokens than the engine"):
        generation.compare(make_policy(*TEXTS), world, world.tasks("unseen", 1), rounds=1)


def test_a_step_ends_at_any_of_the_tokens_that_end_it() -> None:
    assert plain_generation._until_stop([5, 7, 2, 9], {2, 9}) == (5, 7, 2)
    assert plain_generation._until_stop([5, 7], {2}) == (5, 7)


def test_an_unknown_part_is_refused() -> None:
    command = [sys.executable, "-m", "benchmarks", "kitchen"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "unknown parts ['kitchen']; there are: worlds, rollouts, branching, failure," in done.stderr
