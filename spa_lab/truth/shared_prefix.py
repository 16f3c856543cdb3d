"""The trunk of a tree of continuations: one recorded trajectory, replayed and read once.

All branches share it. A branch from h_t that writes what was recorded stays on the trunk and costs nothing;
where it writes something else it leaves, with the keys and values up to there.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache

from spa_lab.agent.rollout import Policy
from spa_lab.agent.sampling import AllowedTexts, draw, next_token_log_probs
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Task, World
from spa_lab.truth.kv_slots import Past
from spa_lab.types import Trajectory


class Branch:
    """One continuation: where it starts, its number, its random numbers."""

    __slots__ = ("_key", "common", "number", "rng", "start")

    def __init__(self, key: str, start: int, number: int, *, common: bool) -> None:
        self._key, self.start, self.number, self.common = key, start, number, common
        self.rng: random.Random

    def begin(self, step: int) -> None:
        """At the start of a step: common random numbers belong to the step, others to where it started."""
        if self.common or step == self.start:
            self.rng = random.Random(f"{self._key}/{self.number}/{step}")


@dataclass(frozen=True)
class Departure:
    """Branches that leave the trunk at one place with one token."""

    step: int
    written: tuple[int, ...]
    """Token ids of the step so far; the last one is not on the trunk (unless the step was cut off there)."""
    length: int
    """Tokens of the trunk before that last one."""
    branches: tuple[Branch, ...]


@dataclass(frozen=True, eq=False)
class SharedPrefix:
    """A trajectory, its moments and its keys and values."""

    trajectory: Trajectory
    world: World
    moments: tuple[object, ...]
    """T snapshots, before each step."""
    starts: tuple[int, ...]
    """T positions: tokens before the first one of each step."""
    steps: tuple[tuple[int, ...], ...]
    """Token ids of each step, end-of-turn token included."""
    hidden: Tensor
    """(L, d) hidden states behind each token."""
    past: Past
    """Keys and values of its L tokens."""


def replay(environment: Environment, trajectory: Trajectory, task: Task) -> tuple[World, tuple[object, ...]]:
    """Play a trajectory's actions again; returns the world and its T snapshots before each step.

    Raises:
        ValueError: the trajectory does not fit the task or the step limit, or the world says anything else
            than was recorded.
    """
    where = f"trajectory {trajectory.id!r}"
    if trajectory.task_id != task.id or trajectory.env != environment.name:
        raise ValueError(
            f"{where}: is of task {trajectory.task_id!r} in {trajectory.env!r}, "
            f"got task {task.id!r} in {environment.name!r}"
        )
    _check_length(trajectory, environment.step_limit)
    world = environment.make_world()
    _same(f"{where}, first observation", trajectory.initial_observation, world.reset(task))
    moments = []
    for t, step in enumerate(trajectory.steps):
        moments.append(world.snapshot())
        reply = world.step(step.action)
        _same(f"{where}, step {t}, action {step.action!r}: observation", step.observation, reply.observation)
        last = t + 1 == len(trajectory)
        if reply.done != (last and trajectory.ended == "done"):
            raise ValueError(f"{where}, step {t} of {len(trajectory)}: done is {reply.done} in the world")
    _same(f"{where}: outcome", trajectory.outcome, reply.outcome)
    return world, tuple(moments)


@torch.inference_mode()
def grow_shared_prefix(
    policy: Policy, environment: Environment, trajectory: Trajectory, task: Task
) -> SharedPrefix:
    """Replay a trajectory and read it once.

    Its text is encoded as for learning: a history is what was written, not how it was cut into tokens.

    Raises:
        ValueError: as `replay`; or the model cannot read that many tokens.
    """
    world, moments = replay(environment, trajectory, task)
    row = policy.codec.row(trajectory)
    if len(row.ids) > policy.context:
        raise ValueError(
            f"trajectory {trajectory.id!r} needs {len(row.ids)} tokens, the model reads {policy.context}"
        )
    starts = tuple(row.step.index(t) for t in range(len(trajectory)))
    steps = tuple(row.ids[start : start + row.step.count(t)] for t, start in enumerate(starts))
    cache = DynamicCache()
    ids = torch.tensor([row.ids], device=policy.model.device)
    output = policy.model.base_model(input_ids=ids, past_key_values=cache, use_cache=True)
    past = tuple((keys[0], values[0]) for keys, values, *_ in cache)
    return SharedPrefix(trajectory, world, moments, starts, steps, output.last_hidden_state[0], past)


@torch.inference_mode()
def walk(
    trunk: SharedPrefix,
    branches: Sequence[Branch],
    policy: Policy,
    config: RolloutConfig,
    menu: AllowedTexts | None,
) -> tuple[list[Departure], list[Branch]]:
    """Let branches follow the trunk from where they start.

    Returns:
        Where they leave it, in the order of the trunk, and the branches that never do.
    """
    departures: list[Departure] = []
    following: list[Branch] = []
    for step, recorded in enumerate(trunk.steps):
        following += [branch for branch in branches if branch.start == step]
        for branch in following:
            branch.begin(step)
        if following:
            left, following = _walk_step(trunk, step, recorded, following, policy, config, menu)
            departures += left
    return departures, following


def _walk_step(
    trunk: SharedPrefix,
    step: int,
    recorded: tuple[int, ...],
    branches: list[Branch],
    policy: Policy,
    config: RolloutConfig,
    menu: AllowedTexts | None,
) -> tuple[list[Departure], list[Branch]]:
    start = trunk.starts[step]
    n = min(len(recorded), config.max_new_tokens)
    logits = policy.model.get_output_embeddings()(trunk.hidden[start - 1 : start - 1 + n])
    pasts = [recorded[:j] for j in range(n)]
    chances = next_token_log_probs(logits, pasts, temperature=config.temperature, menu=menu)
    departures = []
    for j in range(n):
        if not branches:
            break
        (tokens,) = draw(chances[j : j + 1], [[branch.rng.random() for branch in branches]])
        for token, group in together(tokens, branches).items():
            if token != recorded[j]:
                departures.append(Departure(step, (*recorded[:j], token), start + j, tuple(group)))
        branches = [branch for token, branch in zip(tokens, branches, strict=True) if token == recorded[j]]
    cut = recorded[n:] not in ((), (policy.codec.end_id,))
    if branches and cut:  # what was recorded goes on where the limit of tokens now ends a step
        departures.append(Departure(step, recorded[:n], start + n - 1, tuple(branches)))
        branches = []
    return departures, branches


def together(tokens: Sequence[int], branches: Sequence[Branch]) -> dict[int, list[Branch]]:
    """Branches by the token that they chose, in order of appearance."""
    groups: dict[int, list[Branch]] = {}
    for token, branch in zip(tokens, branches, strict=True):
        groups.setdefault(token, []).append(branch)
    return groups


def _check_length(trajectory: Trajectory, step_limit: int) -> None:
    n = len(trajectory)
    if n > step_limit or (trajectory.ended == "step_limit" and n != step_limit):
        raise ValueError(
            f"trajectory {trajectory.id!r}: ended by {trajectory.ended!r} after {n} steps, "
            f"the step limit is {step_limit}: values depend on the steps that are left"
        )


def _same(what: str, recorded: object, found: object) -> None:
    if recorded != found:
        raise ValueError(f"{what}: recorded {recorded!r:.200}, the world now says {found!r:.200}")
