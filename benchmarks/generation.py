"""Rollouts with a cache kept over steps, against `model.generate` on the whole text at each step."""

import statistics
import time
from collections.abc import Callable, Sequence

from benchmarks.plain_generation import generate_step
from spa_lab.agent.rollout import EpisodeSpec, Policy, rollout
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Task
from spa_lab.envs.episode import RunningEpisode

MAX_NEW_TOKENS = 16

Tokens = list[list[tuple[int, ...]]]
"""Episode -> step -> the token ids written."""


def compare(policy: Policy, environment: Environment, tasks: Sequence[Task], *, rounds: int) -> str:
    """Greedy episodes of all tasks side by side, both ways in turn; a report of speeds and their ratio.

    Raises:
        ValueError: the two wrote different tokens.
    """
    cached, plain = [], []
    for _ in range(rounds):
        cached.append(_timed(play_cached, policy, environment, tasks))
        plain.append(_timed(play_plain, policy, environment, tasks))
    tokens = cached[0][1]
    if tokens != plain[0][1]:
        raise ValueError("cached generation and model.generate wrote different tokens; speeds do not compare")
    n_tokens = sum(len(step) for episode in tokens for step in episode)
    ratios = [slow / fast for (fast, _), (slow, _) in zip(cached, plain, strict=True)]
    fast, slow = (statistics.median(seconds for seconds, _ in side) for side in (cached, plain))
    return (
        f"{len(tasks)} episodes of up to {environment.step_limit} steps side by side, {n_tokens} tokens, "
        "the same both ways\n"
        f"cache kept over steps: {n_tokens / fast:,.0f} tokens/s\n"
        f"model.generate on the whole text at each step: {n_tokens / slow:,.0f} tokens/s\n"
        f"ratio: {statistics.median(ratios):.1f} (median of {rounds} paired rounds, "
        f"{min(ratios):.1f} to {max(ratios):.1f})"
    )


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


def _timed(
    play: Callable[[Policy, Environment, Sequence[Task]], Tokens],
    policy: Policy,
    environment: Environment,
    tasks: Sequence[Task],
) -> tuple[float, Tokens]:
    start = time.perf_counter()
    tokens = play(policy, environment, tasks)
    return time.perf_counter() - start, tokens
