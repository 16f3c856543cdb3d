"""The plain way to continue: reset, replay, and have `model.generate` read the whole text anew at each step.

What branching is compared with; used by the benchmark and nowhere else.
"""

import random

import numpy as np
import torch
from transformers import GenerationConfig

from spa_lab.agent.rollout import Policy
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Task, World
from spa_lab.react import parse
from spa_lab.types import FloatArray, Trajectory


def plain_outcomes(
    policy: Policy,
    environment: Environment,
    trajectory: Trajectory,
    task: Task,
    config: RolloutConfig,
    *,
    branches: int,
    rng: random.Random,
) -> tuple[FloatArray, ...]:
    """Outcomes of continuations from every history of one trajectory; those of a history side by side.

    Args:
        policy: continues.
        environment: its step limit is the step cap.
        trajectory: T steps.
        task: its task.
        config: temperature > 0 and longest step.
        branches: continuations from each history.
        rng: gives the seeds of torch's generator, which `model.generate` draws from.

    Returns:
        T vectors (branches,) float64.
    """
    return tuple(
        _from(policy, environment, trajectory, task, step, config, branches, rng.getrandbits(60))
        for step in range(len(trajectory))
    )


def _from(
    policy: Policy,
    environment: Environment,
    trajectory: Trajectory,
    task: Task,
    start: int,
    config: RolloutConfig,
    branches: int,
    seed: int,
) -> FloatArray:
    played = [_replayed(policy, environment, trajectory, task, start) for _ in range(branches)]
    codec, outcomes = policy.codec, np.zeros(branches)
    active = list(range(branches))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for _ in range(start, environment.step_limit):
            texts = [played[i][1] for i in active]
            ended = set()
            for i, ids in zip(active, _generate(policy, texts, config), strict=True):
                reply = played[i][0].step(parse(codec.decode(ids))[1])
                outcomes[i] = reply.outcome
                end = [] if ids[-1] == codec.end_id else [codec.end_id]
                played[i][1].extend([*ids, *end, *codec.reply_ids(reply.observation)])
                if reply.done or len(played[i][1]) >= policy.context - config.max_new_tokens - 1:
                    ended.add(i)
            active = [i for i in active if i not in ended]
            if not active:
                break
    return outcomes


def _replayed(
    policy: Policy, environment: Environment, trajectory: Trajectory, task: Task, start: int
) -> tuple[World, list[int]]:
    """A world of its own at h_start, and the text up to there as tokens."""
    world, codec = environment.make_world(), policy.codec
    ids = list(codec.opening_ids(world.reset(task)))
    for step in trajectory.steps[:start]:
        ids += [*codec.text_ids(step.text), codec.end_id]
        ids += codec.reply_ids(world.step(step.action).observation)
    return world, ids


@torch.inference_mode()
def _generate(policy: Policy, texts: list[list[int]], config: RolloutConfig) -> list[list[int]]:
    codec, device = policy.codec, policy.model.device
    longest = max(map(len, texts))
    padding = [longest - len(text) for text in texts]
    ids = torch.tensor([[codec.pad_id] * pad + text for pad, text in zip(padding, texts, strict=True)])
    mask = torch.tensor([[0] * pad + [1] * (longest - pad) for pad in padding])
    settings = GenerationConfig(
        max_new_tokens=config.max_new_tokens,
        do_sample=True,
        temperature=config.temperature,
        top_k=0,
        top_p=1.0,
        eos_token_id=codec.end_id,
        pad_token_id=codec.pad_id,
    )
    out = policy.model.generate(  # type: ignore[operator]
        ids.to(device), attention_mask=mask.to(device), generation_config=settings
    )
    rows = out[:, longest:].tolist()
    return [row[: row.index(codec.end_id) + 1] if codec.end_id in row else row for row in rows]
