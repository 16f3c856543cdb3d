"""One iteration of training, play and update: the project's PPO against TRL's GRPO in the same world.

Both play the same tasks from the same weights with the same limits and read every token that was written
twice, with a reference model. They are not the same method: the project also fits a critic, whose value head
is new here and fitted before the update; TRL has none. Their episodes are sampled separately.
"""

import importlib.util
import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.records import Record, compared
from benchmarks.timing import interleaved, timed
from spa_lab.agent.models import copy_policy, save_policy
from spa_lab.agent.rollout import Policy
from spa_lab.configs.presets import Preset
from spa_lab.envs.base import Environment, Task
from spa_lab.learn.method import TrainingInputs
from spa_lab.learn.methods import find_method
from spa_lab.learn.on_policy import OnPolicyLearner

OURS, THEIRS = "spa_lab, terminal reward", "TRL, GRPO"
"""The ways."""
INSTALL = "pip install trl==1.16.0 datasets -c constraints.txt"
"""What the comparison needs beyond the project."""
TASKS, GROUP = 16, 8
"""Tasks of an iteration, and episodes of each."""


@dataclass(frozen=True)
class Iteration:
    """What one iteration took, CPU seconds, and what it played."""

    play: float
    update: float
    """Everything but playing: advantages, old and reference log-probabilities, gradients."""
    n_tokens: int
    """Tokens that the policy wrote."""
    n_steps: int
    n_episodes: int


def trl_is_installed() -> bool:
    """Whether TRL and what it reads data with can be imported."""
    return all(importlib.util.find_spec(name) is not None for name in ("trl", "datasets"))


def measure(
    policy: Policy, environment: Environment, tasks: Sequence[Task], preset: Preset, *, rounds: int
) -> list[Record]:
    """Iterations of both, in turn, each from the weights of `policy`; without TRL of the project alone.

    Args:
        policy: the start of both; not changed.
        environment: household world or another one.
        tasks: of the iteration, each played by `preset.ppo.episodes / len(tasks)` episodes.
        preset: `ppo` and `explore_rollout` are read by both.
        rounds: paired rounds, >= 1.

    Returns:
        Records of playing, of the update and of both together, for each token written and for each episode.

    Raises:
        ValueError: `tasks` do not divide the episodes.
    """
    if preset.ppo.episodes % len(tasks):
        raise ValueError(f"{preset.ppo.episodes} episodes cannot be shared by {len(tasks)} tasks")
    done: list[dict[str, Iteration]] = []
    with tempfile.TemporaryDirectory() as folder:
        save_policy(policy, Path(folder))
        for number in range(rounds):
            ways: dict[str, Callable[[], Iteration]] = {
                OURS: partial(ours, policy, environment, tasks, preset, seed=number)
            }
            if trl_is_installed():
                from benchmarks.trl_grpo import theirs

                ways[THEIRS] = partial(
                    theirs, Path(folder), policy.codec, environment, tasks, preset, seed=number
                )
            (played,) = interleaved(ways, rounds=1)
            done.append({name: way.value for name, way in played.items()})
    return [
        record
        for stage in ("play", "update", "both")
        for unit in ("tokens", "episodes")
        for record in _records(done, stage, unit, environment, preset)
    ]


def ours(
    policy: Policy, environment: Environment, tasks: Sequence[Task], preset: Preset, *, seed: int
) -> Iteration:
    """One iteration of PPO on the outcome; a new learner is made before, untimed."""
    inputs = TrainingInputs(
        copy_policy(policy, name="terminal"), environment, preset, random.Random(seed), seed=seed
    )
    learner = find_method("terminal").make(inputs)
    assert isinstance(learner, OnPolicyLearner)
    played = timed(lambda: learner.play(tasks))
    updated = timed(lambda: learner.update(learner.prepare(played.value)))
    episodes = played.value.episodes
    return Iteration(
        played.seconds,
        updated.seconds,
        sum(sum(step >= 0 for step in episode.row.step) for episode in episodes),
        sum(len(episode.trajectory) for episode in episodes),
        len(episodes),
    )


def _records(
    done: Sequence[dict[str, Iteration]], stage: str, unit: str, environment: Environment, preset: Preset
) -> list[Record]:
    def timing(iteration: Iteration) -> tuple[float, float]:
        n = iteration.n_tokens if unit == "tokens" else iteration.n_episodes
        seconds = {"play": iteration.play, "update": iteration.update}
        return n, seconds.get(stage, sum(seconds.values()))

    setting = {
        "stage": stage,
        "episodes": preset.ppo.episodes,
        "steps": environment.step_limit,
        "longest_step": preset.explore_rollout.max_new_tokens,
    }
    rounds = [{way: timing(iteration) for way, iteration in round_.items()} for round_ in done]
    return compared("training", setting, unit, rounds)
