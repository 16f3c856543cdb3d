"""`make bench`: how fast the world and the generation are, beside the plain way of doing it.

Ratios are paired: both ways run in turn in one process, outputs are checked to be equal first, and
medians are compared, so that a busy machine slows both alike.
"""

import math
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from transformers import GenerationConfig

from benchmarks.household import world_speed
from benchmarks.plain_continuations import plain_outcomes
from spa_lab.agent.models import load_policy
from spa_lab.agent.rollout import EpisodeSpec, Policy, rollout
from spa_lab.configs.presets import TINY
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs import virtualhome, webshop
from spa_lab.envs.base import Environment, Task
from spa_lab.envs.demonstrations import demonstrate
from spa_lab.envs.household import environment
from spa_lab.learn.cloning import clone
from spa_lab.paths import base_folder
from spa_lab.pipeline.experiment import demonstrations
from spa_lab.react import parse
from spa_lab.truth.monte_carlo import branch_outcomes

PARALLEL, STEPS, MAX_NEW_TOKENS, ROUNDS = 32, 20, 16, 3


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    world = environment()
    speed = world_speed(world.tasks("train", 64), steps=50_000, rng=random.Random(0))
    print(f"household world, one core, resets included: {speed}")
    for other in (webshop.environment(), virtualhome.environment()):
        rate = replayed(other, other.tasks("train", 64), steps=20_000)
        print(f"{other.name} world, one core, the expert's actions, resets included: {rate:,.0f} steps/s")
    policy = load_policy(base_folder(world.name), name="base")
    short = replace(world, step_limit=STEPS)
    tasks = world.tasks("unseen", PARALLEL)
    ours, plain = [], []
    for _ in range(ROUNDS):
        ours.append(_timed(cached, policy, short, tasks))
        plain.append(_timed(from_scratch, policy, short, tasks))
    if ours[0][1] != plain[0][1]:
        raise ValueError(
            "cached generation and model.generate wrote different tokens; speeds cannot be compared"
        )
    n_tokens = sum(len(step) for episode in ours[0][1] for step in episode)
    fast, slow = (statistics.median(seconds for seconds, _ in side) for side in (ours, plain))
    ratio = statistics.median(b[0] / a[0] for a, b in zip(ours, plain, strict=True))
    print(f"{PARALLEL} episodes of up to {STEPS} steps side by side, {n_tokens} tokens, the same both ways")
    print(f"cache kept over steps: {n_tokens / fast:,.0f} tokens/s")
    print(f"model.generate on the whole text at each step: {n_tokens / slow:,.0f} tokens/s")
    print(f"ratio: {ratio:.1f} (median of {ROUNDS} paired rounds)")
    learn(policy, world)
    branching(policy, short, tasks[:2])


def learn(policy: Policy, world: Environment) -> None:
    """Clone the expert: every value of the base is 0, and two ways that measure nothing but that agree."""
    rng = random.Random(0)
    clone(policy, demonstrations(world, TINY, rng), TINY.clone, rng=rng)


def replayed(world: Environment, tasks: Sequence[Task], *, steps: int) -> float:
    """Steps per second of CPU of the expert's own actions, a few tasks in turn, resets included.

    Args:
        world: any world.
        tasks: its tasks, at least 1; reading them is not timed.
        steps: at least as many are timed.
    """
    rng = random.Random(0)
    played = [demonstrate(world, task, mistakes=0.0, rng=rng).trajectory.steps for task in tasks]
    place, done = world.make_world(), 0
    for task in tasks:
        place.reset(task)
    start = time.process_time()
    while done < steps:
        for task, episode in zip(tasks, played, strict=True):
            place.reset(task)
            for step in episode:
                place.step(step.action)
            done += len(episode)
    return done / (time.process_time() - start)


def branching(
    policy: Policy, world: Environment, tasks: Sequence[Task], *, branches: int = 16, rounds: int = 2
) -> None:
    """Values of every history of one episode a task: branching beside the plain way, in turn; prints both.

    The plain way resets, replays and calls `model.generate` for all continuations of a history at a time.

    Raises:
        ValueError: the two do not measure the same (further apart than 4 standard errors over all histories).
    """
    config = RolloutConfig(temperature=0.7, max_new_tokens=MAX_NEW_TOKENS, parallel=256)
    jobs = [EpisodeSpec(task.id, task, i) for i, task in enumerate(tasks)]
    episodes = [episode.trajectory for episode in rollout(policy, world, jobs, config)]
    n_truths, rng = rounds * sum(map(len, episodes)), random.Random(0)
    seconds, values, means, errors = {"branching": 0.0, "plain": 0.0}, [], [], []
    for _ in range(rounds):
        for one, task in zip(episodes, tasks, strict=True):
            start = time.perf_counter()
            (ours,) = branch_outcomes(policy, world, [one], [task], config, branches=branches, rng=rng)
            middle = time.perf_counter()
            plain = plain_outcomes(policy, world, one, task, config, branches=branches, rng=rng)
            seconds["branching"] += middle - start
            seconds["plain"] += time.perf_counter() - middle
            theirs = replace(ours, outcomes=plain)
            values += ours.values.tolist()
            means += (ours.values - theirs.values)[:-1].tolist()
            errors += (ours.standard_error**2 + theirs.standard_error**2)[:-1].tolist()
    apart = sum(means) / math.sqrt(sum(errors))
    if abs(apart) > 4:
        raise ValueError(f"branching and the plain way measure values {apart:.1f} standard errors apart")
    print(
        f"values of {n_truths} histories, {min(values):.2f} to {max(values):.2f}, by {branches} "
        f"continuations each, {apart:+.1f} standard errors apart"
    )
    for name, spent in seconds.items():
        print(f"{name}: {n_truths / spent:.2f} values/s")
    print(f"ratio: {seconds['plain'] / seconds['branching']:.1f} ({rounds} paired rounds)")


Tokens = list[list[tuple[int, ...]]]
"""Episode → step → the tokens written."""


def cached(policy: Policy, world: Environment, tasks: Sequence[Task]) -> Tokens:
    """Play greedily with our rollouts."""
    config = RolloutConfig(temperature=0.0, max_new_tokens=MAX_NEW_TOKENS, parallel=PARALLEL)
    episodes = rollout(policy, world, [EpisodeSpec(task.id, task, 0) for task in tasks], config)
    return [
        [
            tuple(token for token, step in zip(e.row.ids, e.row.step, strict=True) if step == t)
            for t in range(len(e.trajectory))
        ]
        for e in episodes
    ]


def from_scratch(policy: Policy, world: Environment, tasks: Sequence[Task]) -> Tokens:
    """Play greedily with `model.generate`, which reads the whole text anew at each step."""
    codec = policy.codec
    worlds = [world.make_world() for _ in tasks]
    texts = [list(codec.opening_ids(w.reset(task))) for w, task in zip(worlds, tasks, strict=True)]
    written: Tokens = [[] for _ in tasks]
    active = list(range(len(tasks)))
    for _ in range(world.step_limit):
        for i, ids in zip(active, _generate(policy, [texts[i] for i in active]), strict=True):
            reply = worlds[i].step(parse(codec.decode(ids))[1])
            written[i].append(ids)
            end = () if ids[-1] == codec.end_id else (codec.end_id,)
            texts[i] += [*ids, *end, *codec.reply_ids(reply.observation)]
            if reply.done:
                texts[i] = []
        active = [i for i in active if texts[i]]
    return written


@torch.inference_mode()
def _generate(policy: Policy, texts: list[list[int]]) -> list[tuple[int, ...]]:
    codec = policy.codec
    longest = max(map(len, texts))
    ids = torch.tensor([[codec.pad_id] * (longest - len(text)) + text for text in texts])
    mask = torch.tensor([[0] * (longest - len(text)) + [1] * len(text) for text in texts])
    settings = GenerationConfig(
        max_new_tokens=MAX_NEW_TOKENS, do_sample=False, eos_token_id=codec.end_id, pad_token_id=codec.pad_id
    )
    out = policy.model.generate(  # type: ignore[operator]
        ids, attention_mask=mask, generation_config=settings
    )
    return [_until_end(row, codec.end_id) for row in out[:, longest:].tolist()]


def _until_end(ids: list[int], end_id: int) -> tuple[int, ...]:
    return tuple(ids[: ids.index(end_id) + 1] if end_id in ids else ids)


def _timed(
    play: Callable[[Policy, Environment, Sequence[Task]], Tokens],
    policy: Policy,
    world: Environment,
    tasks: Sequence[Task],
) -> tuple[float, Tokens]:
    start = time.perf_counter()
    tokens = play(policy, world, tasks)
    return time.perf_counter() - start, tokens


if __name__ == "__main__":
    main()
