"""Rollouts of the engine against `model.generate`, on the whole text at each step or with a cache kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from transformers import DynamicCache

from benchmarks.plain_generation import generate_step
from benchmarks.plain_rollout import play_episodes
from benchmarks.records import Record, compared
from benchmarks.timing import Timed, interleaved
from spa_lab.agent.rollout import EpisodeSpec, Policy, rollout
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Task
from spa_lab.envs.episode import RunningEpisode

MAX_NEW_TOKENS = 16
ENGINE, WHOLE, KEPT = "engine", "generate on whole text", "generate with cache"
"""The ways: the project's, `model.generate` that reads the whole text at each step, and one that keeps the
cache of its single episode over the steps."""

Tokens = list[list[tuple[int, ...]]]
"""Episode -> step -> the token ids written."""
Play = Callable[[Policy, Environment, Sequence[Task], int], Tokens]
"""Plays one episode of each task; the last argument is the longest step, tokens."""


def compare(
    policy: Policy,
    environment: Environment,
    tasks: Sequence[Task],
    *,
    rounds: int,
    parallel: int | None = None,
    part: str = "rollouts",
    setting: Mapping[str, object] | None = None,
    max_new_tokens: int = MAX_NEW_TOKENS,
) -> list[Record]:
    """Greedy episodes side by side, all ways in turn; CPU time for the tokens they wrote.

    Single episodes are also played by `model.generate` with a cache of its own that is kept over steps. One
    step of each way is played before, untimed.

    Args:
        policy: its model must be in eval mode.
        environment: its step limit ends episodes.
        tasks: one episode each.
        rounds: paired rounds, >= 1.
        parallel: episodes side by side; all if None. Every batch of them starts from nothing.
        part: of the benchmarks, for the records.
        setting: what distinguishes this comparison from others of the part.
        max_new_tokens: longest step.

    Raises:
        ValueError: two ways wrote different tokens.
    """
    plays: dict[str, Play] = {ENGINE: play_cached, WHOLE: play_plain}
    parallel = parallel or len(tasks)
    if parallel == 1:
        plays[KEPT] = play_kept
    first_step = replace(environment, step_limit=1)
    for play in plays.values():
        play(policy, first_step, tasks[:1], max_new_tokens)
    ways = {
        name: partial(_in_batches, play, policy, environment, tasks, parallel, max_new_tokens)
        for name, play in plays.items()
    }
    timings = [_tokens_and_seconds(played) for played in interleaved(ways, rounds=rounds)]
    facts = {
        "parallel": parallel,
        "episodes": len(tasks),
        "steps": environment.step_limit,
        "parameters": policy.model.num_parameters(),
        "longest_step": max_new_tokens,
    }
    return compared(part, dict(setting or {}) | facts, "tokens", timings)


def _tokens_and_seconds(played: Mapping[str, Timed[Tokens]]) -> dict[str, tuple[float, float]]:
    """Tokens written, and CPU time, of every way in a round.

    Raises:
        ValueError: one wrote other tokens than the engine.
    """
    tokens = played[ENGINE].value
    for name, other in played.items():
        if other.value != tokens:
            raise ValueError(f"{name} wrote other tokens than the engine; speeds do not compare")
    n_tokens = sum(len(step) for episode in tokens for step in episode)
    return {name: (n_tokens, other.seconds) for name, other in played.items()}


def _in_batches(
    play: Play,
    policy: Policy,
    environment: Environment,
    tasks: Sequence[Task],
    parallel: int,
    max_new_tokens: int,
) -> Tokens:
    return [
        episode
        for start in range(0, len(tasks), parallel)
        for episode in play(policy, environment, tasks[start : start + parallel], max_new_tokens)
    ]


def play_cached(
    policy: Policy, environment: Environment, tasks: Sequence[Task], max_new_tokens: int = MAX_NEW_TOKENS
) -> Tokens:
    """Play greedily with the project's rollouts."""
    config = RolloutConfig(temperature=0.0, max_new_tokens=max_new_tokens, parallel=len(tasks))
    specs = [EpisodeSpec(task.id, task, 0) for task in tasks]
    return [
        [
            tuple(token for token, step in zip(episode.row.ids, episode.row.step, strict=True) if step == t)
            for t in range(len(episode.trajectory))
        ]
        for episode in rollout(policy, environment, specs, config)
    ]


def play_plain(
    policy: Policy, environment: Environment, tasks: Sequence[Task], max_new_tokens: int = MAX_NEW_TOKENS
) -> Tokens:
    """Play greedily with `model.generate`, which reads the whole text again at each step."""
    config = RolloutConfig(temperature=0.0, max_new_tokens=max_new_tokens, parallel=len(tasks))
    return [episode.steps for episode in play_episodes(policy, environment, tasks, config)]


def play_kept(
    policy: Policy, environment: Environment, tasks: Sequence[Task], max_new_tokens: int = MAX_NEW_TOKENS
) -> Tokens:
    """Play greedily with `model.generate`, one episode after the other, each with a cache of its own."""
    rules = policy.token_rules(RolloutConfig(max_new_tokens=max_new_tokens))
    tokens: Tokens = []
    for task in tasks:
        episode, cache = RunningEpisode(environment, task), DynamicCache()
        text = list(rules.codec.opening_ids(episode.initial_observation))
        steps: list[tuple[int, ...]] = []
        while episode.ended is None:
            (written,) = generate_step(
                policy, [text], max_new_tokens=max_new_tokens, temperature=0.0, cache=cache
            )
            reply = episode.take(rules.codec.decode(written))
            steps.append(written)
            text += [*written, *rules.after_step(written, reply.observation)]
        tokens.append(steps)
    return tokens
