"""Collecting episodes: groups of one task, seeds of their own, and filters."""

import random
from collections.abc import Callable

import pytest

from spa_lab.agent.codec import TokenRow
from spa_lab.agent.rollout import Episode, Policy
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Reply, Task
from spa_lab.learn.collect import Collected, collect, episode_seed, keep_all, mixed_outcomes
from spa_lab.types import Trajectory


class OneStep:
    """Ends after one step."""

    def reset(self, task: Task) -> str:
        return "Choose."

    def step(self, action: str) -> Reply:
        return Reply("noted", True, True, 1.0)


WORLD = Environment(name="one", make_world=OneStep, tasks=lambda split, n: [], step_limit=1)
TASKS = [Task(f"t{i}", "one", "train", "", "", 1, None) for i in range(3)]
CONFIG = RolloutConfig(temperature=1.0, max_new_tokens=4)


def _collect(policy: Policy, episodes: int, group_size: int, iteration: int = 0) -> Collected:
    return collect(
        policy, WORLD, TASKS, CONFIG,
        episodes=episodes, group_size=group_size, prefix="p/000", seed=7, iteration=iteration,
    )  # fmt: skip


def test_groups_play_one_task_with_different_seeds(make_policy: Callable[..., Policy]) -> None:
    collected = _collect(make_policy(spread=0.5), 8, 2)
    trajectories = [episode.trajectory for episode in collected.episodes]
    assert [t.task_id for t in trajectories] == ["t0", "t0", "t1", "t1", "t2", "t2", "t0", "t0"]
    assert list(collected.group) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert [t.id for t in trajectories] == [f"p/000/{i:04d}" for i in range(8)]
    assert len({t.seed for t in trajectories}) == 8
    assert [t.seed for t in trajectories] == [
        random.Random(f"7/episode/0/{i}").randrange(2**31) for i in range(8)
    ]
    assert [task.id for task in collected.tasks] == ["t0", "t1", "t2"]


def test_seeds_depend_on_run_iteration_and_index_alone(make_policy: Callable[..., Policy]) -> None:
    policy = make_policy(spread=0.5)
    alone, grouped = (_collect(policy, 4, size, iteration=3) for size in (1, 4))
    seeds = [[e.trajectory.seed for e in collected.episodes] for collected in (alone, grouped)]
    assert seeds[0] == seeds[1] == [episode_seed(7, 3, i) for i in range(4)]
    assert not set(seeds[0]) & {e.trajectory.seed for e in _collect(policy, 4, 1, iteration=4).episodes}


@pytest.mark.parametrize(("episodes", "group_size"), [(5, 2), (4, 0), (4, 8)])
def test_groups_that_do_not_divide(
    make_policy: Callable[..., Policy], episodes: int, group_size: int
) -> None:
    with pytest.raises(ValueError, match=f"{episodes} episodes, group_size {group_size}"):
        _collect(make_policy(), episodes, group_size)


@pytest.fixture
def collected(make_trajectory: Callable[..., Trajectory]) -> Collected:
    """Outcomes 1, 0 | 1, 1 | 0 | 0.5, 0.5, 1 of groups 0, 1, 2 and 5, out of order."""
    outcomes = [(0, 1.0), (1, 1.0), (5, 0.5), (0, 0.0), (2, 0.0), (5, 0.5), (1, 1.0), (5, 1.0)]
    row = TokenRow("", (1, 2), (-1, 0))
    episodes = [
        Episode(make_trajectory(outcome, [True], id=f"e{i}"), row, (0.0, -1.0))
        for i, (_, outcome) in enumerate(outcomes)
    ]
    return Collected(episodes, [group for group, _ in outcomes])


def test_filters(collected: Collected) -> None:
    assert keep_all(collected) is collected
    kept = mixed_outcomes(collected)
    assert [episode.trajectory.id for episode in kept.episodes] == ["e0", "e2", "e3", "e5", "e7"]
    assert list(kept.group) == [0, 5, 0, 5, 5]


def test_every_episode_has_a_group(collected: Collected) -> None:
    with pytest.raises(ValueError, match="8 episodes have 1 group indices"):
        Collected(collected.episodes, [0])
