"""Collecting the episodes of one iteration: in groups of the same task, filtered if wanted."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from spa_lab.agent.processes import processes
from spa_lab.agent.rollout import Episode, EpisodeSpec, Policy, rollout
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Task


@dataclass(frozen=True, eq=False)
class Collected:
    """Episodes to learn from."""

    episodes: Sequence[Episode]
    group: Sequence[int]
    """Group index of each episode; episodes of a group play the same task."""
    tasks: Sequence[Task] = ()
    """Tasks that the episodes play, each once; empty if they are not known. Needed to continue episodes."""

    def __post_init__(self) -> None:
        if len(self.episodes) != len(self.group):
            raise ValueError(f"{len(self.episodes)} episodes have {len(self.group)} group indices")

    def select(self, indices: Sequence[int]) -> "Collected":
        """The episodes at `indices`, in that order."""
        return Collected([self.episodes[i] for i in indices], [self.group[i] for i in indices], self.tasks)


Filter = Callable[[Collected], Collected]
"""Chooses the episodes that an update uses."""


def collect(
    policy: Policy,
    environment: Environment,
    tasks: Sequence[Task],
    config: RolloutConfig,
    *,
    episodes: int,
    group_size: int = 1,
    prefix: str,
    seed: int,
    iteration: int,
    keep_hidden: bool = False,
) -> Collected:
    """Play `episodes` episodes: group g plays task g (tasks are repeated in turn) `group_size` times.

    Args:
        policy: its model must be in eval mode.
        environment: where it plays.
        tasks: one or more tasks.
        config: sampling temperature, limits, episodes side by side.
        episodes: number of episodes, a multiple of `group_size`.
        group_size: G, episodes of the same task.
        prefix: of the trajectories' ids.
        seed: of the run.
        iteration: k; the episodes' seeds depend on `seed`, k and their index alone, see `episode_seed`.
        keep_hidden: as in `rollout`, for a critic that reads the policy's hidden states; not where processes
            share the episodes.

    Raises:
        ValueError: `episodes` is no multiple of `group_size`, or there is no task.
    """
    if group_size < 1 or episodes % group_size or not tasks:
        raise ValueError(
            f"needs tasks and a number of episodes that group_size divides, "
            f"got {len(tasks)} tasks, {episodes} episodes, group_size {group_size}"
        )
    group = [i // group_size for i in range(episodes)]
    specs = [
        EpisodeSpec(f"{prefix}/{i:04d}", tasks[g % len(tasks)], episode_seed(seed, iteration, i))
        for i, g in enumerate(group)
    ]
    played = {spec.task.id: spec.task for spec in specs}
    team = processes()
    keeps = keep_hidden and team.size == 1  # reading again costs less than exchanging hidden states
    episodes_here = rollout(policy, environment, team.share(specs), config, keep_hidden=keeps)
    return Collected(team.gather(episodes_here), group, tuple(played.values()))


def episode_seed(seed: int, iteration: int, index: int) -> int:
    """Seed of an episode's own generator, in [0, 2**31): the same for every training method of a run.

    Methods that start from one policy therefore play the same episodes in iteration 0 as far as they play the
    same tasks, and comparisons between them are paired.
    """
    return random.Random(f"{seed}/episode/{iteration}/{index}").randrange(2**31)


def keep_all(collected: Collected) -> Collected:
    """Every episode."""
    return collected


def mixed_outcomes(collected: Collected) -> Collected:
    """Episodes of the groups whose outcomes differ: the others have no group-relative advantage.

    This is the filter of DAPO's dynamic sampling (arXiv:2503.14476), without sampling more.
    """
    outcomes: dict[int, set[float]] = {}
    for episode, group in zip(collected.episodes, collected.group, strict=True):
        outcomes.setdefault(group, set()).add(episode.trajectory.known_outcome)
    return collected.select([i for i, group in enumerate(collected.group) if len(outcomes[group]) > 1])


def widest_spread(share: float) -> Filter:
    """Keeps the ceil(share * groups) groups with the largest standard deviation of the outcome.

    The filter of StarPO-S (arXiv:2504.20073). Groups without spread are dropped even if fewer are left, since
    a batch of them alone would teach the critic only.

    Args:
        share: of the groups, in (0, 1].
    """
    if not 0 < share <= 1:
        raise ValueError(f"the share of groups to keep must lie in (0, 1], got {share}")

    def keep(collected: Collected) -> Collected:
        outcomes: dict[int, list[float]] = {}
        for episode, group in zip(collected.episodes, collected.group, strict=True):
            outcomes.setdefault(group, []).append(episode.trajectory.known_outcome)
        spread = {group: float(np.std(each)) for group, each in outcomes.items()}
        widest = sorted(spread, key=lambda group: -spread[group])[: math.ceil(share * len(spread))]
        chosen = {group for group in widest if spread[group] > 0}
        return collected.select([i for i, group in enumerate(collected.group) if group in chosen])

    return keep
