"""The benchmark compares two ways of writing the same tokens; how fast they are is not tested."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from benchmarks import bench
from spa_lab.agent.rollout import Policy
from spa_lab.envs.base import Reply, Task
from spa_lab.envs.household import environment
from spa_lab.envs.household.world import HouseholdWorld
from spa_lab.envs.worlds import make_environment


@pytest.mark.parametrize("env", ["household", "webshop", "virtualhome"])
def test_every_world_can_be_timed(env: str) -> None:
    world = make_environment(env)
    assert bench.replayed(world, world.tasks("train", 3), steps=50) > 0


TEXTS = ("Action: look", "Action: go to", "Nothing happens.")


class _Ending(HouseholdWorld):
    """Over after as many steps as the task's number and three more."""

    def reset(self, task: Task) -> str:
        self.left = int(task.id[-5:]) + 3
        return super().reset(task)

    def step(self, action: str) -> Reply:
        self.left -= 1
        return replace(super().step(action), done=self.left == 0)


def test_both_ways_write_the_same(make_policy: Callable[..., Policy]) -> None:
    """Episodes and replies of different lengths, steps that end and steps that are cut off."""
    world = replace(environment(), make_world=_Ending, step_limit=5)
    tasks = world.tasks("unseen", 4)
    policy = make_policy(*TEXTS, layers=2, context=4096, spread=0.4, seed=3)
    policy.model.get_input_embeddings().weight.data[policy.codec.end_id] *= 1.5  # at times it ends by itself
    ours = bench.cached(policy, world, tasks)
    assert ours == bench.from_scratch(policy, world, tasks)
    assert [len(episode) for episode in ours] == [3, 4, 5, 5]
    lengths = {len(step) for episode in ours for step in episode}
    assert bench.MAX_NEW_TOKENS in lengths and len(lengths) > 5
