"""Rollouts of the engine against `model.generate`, on the whole text at each step or with a cache kept."""

import statistics
import time
from collections.abc import Callable, Sequence

from transformers import DynamicCache

from benchmarks.plain_generation import generate_step
from spa_lab.agent.rollout import EpisodeSpec, Policy, rollout
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Task
from spa_lab.envs.episode import RunningEpisode

MAX_NEW_TOKENS = 16

Tokens = list[list[tuple[int, ...]]]
"""Episode -> step -> the token ids written."""


def compare(policy: Policy, environment: Environment, tasks: Sequence[Task], *, rounds: int) -> str:
    """Greedy episodes of all tasks side by side, all ways in turn; a report of speeds and their ratios.

    A single episode is also played by `model.generate` with a cache of its own that is kept over steps.

    Raises:
        ValueError: two ways wrote different tokens.
    """
    others = {"model.generate on the whole text at each step": play_plain}
    if len(tasks) == 1:
        others["model.generate with its cache kept over steps"] = play_kept
    seconds: dict[str, list[float]] = {"engine": []} | {name: [] for name in others}
    for _ in range(rounds):
        spent, tokens = _timed(play_cached, policy, environment, tasks)
        seconds["engine"].append(spent)
        for name, play in others.items():
            spent, same = _timed(play, policy, environment, tasks)
            seconds[name].append(spent)
            if same != tokens:
                raise ValueError(f"{name} wrote other tokens than the engine; speeds do not compare")
    n_tokens = sum(len(step) for episode in tokens for step in episode)
    lines = [
        f"{len(tasks)} episodes of up to {environment.step_limit} steps side by side, {n_tokens} tokens, "
        "the same in all ways; seconds are CPU time"
    ]
    for name, spent_in in seconds.items():
        ratios = [slow / fast for slow, fast in zip(spent_in, seconds["engine"], strict=True)]
        lines.append(
            f"{name}: {n_tokens / statistics.median(spent_in):,.0f} tokens/s, "
            f"{statistics.median(ratios):.1f} times the engine's time "
            f"(median of {rounds} paired rounds, {min(ratios):.1f} to {max(ratios):.1f})"
        )
    return "\n".join(lines)


def play_cached(policy: Policy, environment: Environment, tasks: Sequence[Task]) -> Tokens:
    """Play greedily with the project's rollouts."""
    config = RolloutConfig(temperature=0.0, max_new_tokens=MAX_NEW_TOKENS, parallel=len(tasks))
    specs = [EpisodeSpec(task.id, task, 0) for task in tasks]
    return [
        [
            tuple(token for token, step in zip(episode.row.ids, episode.row.step, strict=True) if step == t)
            for t in range(len(episode.trajectory))
        ]
        for episode in rollout(policy, environment, specs, config)
    ]


def play_plain(policy: Policy, environment: Environment, tasks: Sequence[Task]) -> Tokens:
    """Play greedily with `model.generate`, which reads the whole text again at each step."""
    rules = policy.token_rules(RolloutConfig(max_new_tokens=MAX_NEW_TOKENS))
    episodes = [RunningEpisode(environment, task) for task in tasks]
    texts = [list(rules.codec.opening_ids(episode.initial_observation)) for episode in episodes]
    tokens: Tokens = [[] for _ in tasks]
    active = list(range(len(tasks)))
    while active:
        steps = generate_step(
            policy, [texts[i] for i in active], max_new_tokens=MAX_NEW_TOKENS, temperature=0.0
        )
        for i, written in zip(active, steps, strict=True):
            reply = episodes[i].take(rules.codec.decode(written))
            tokens[i].append(written)
            texts[i] += [*written, *rules.after_step(written, reply.observation)]
        active = [i for i in active if episodes[i].ended is None]
    return tokens


def play_kept(policy: Policy, environment: Environment, tasks: Sequence[Task]) -> Tokens:
    """Play greedily with `model.generate`, one episode after the other, each with a cache of its own."""
    rules = policy.token_rules(RolloutConfig(max_new_tokens=MAX_NEW_TOKENS))
    tokens: Tokens = []
    for task in tasks:
        episode, cache = RunningEpisode(environment, task), DynamicCache()
        text = list(rules.codec.opening_ids(episode.initial_observation))
        steps: list[tuple[int, ...]] = []
        while episode.ended is None:
            (written,) = generate_step(
                policy, [text], max_new_tokens=MAX_NEW_TOKENS, temperature=0.0, cache=cache
            )
            reply = episode.take(rules.codec.decode(written))
            steps.append(written)
            text += [*written, *rules.after_step(written, reply.observation)]
        tokens.append(steps)
    return tokens


def _timed(
    play: Callable[[Policy, Environment, Sequence[Task]], Tokens],
    policy: Policy,
    environment: Environment,
    tasks: Sequence[Task],
) -> tuple[float, Tokens]:
    start = time.process_time()
    tokens = play(policy, environment, tasks)
    return time.process_time() - start, tokens
