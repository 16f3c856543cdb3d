"""Branching gives exactly the outcomes of playing every continuation alone from the start."""

import random
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import MistralConfig, MistralForCausalLM

from benchmarks.plain_continuations import plain_outcomes
from spa_lab.agent.rollout import EpisodeSpec, Policy, rollout
from spa_lab.agent.sampling import AllowedTexts, next_token_log_probs
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Reply, Task
from spa_lab.envs.probes import PROBES, probe_environment
from spa_lab.react import parse, write
from spa_lab.truth import shared_prefix
from spa_lab.truth.branching import ContinuationRequest, RolloutTree, play_continuations
from spa_lab.truth.exact import lm_action_probs, play, uniform_action_probs
from spa_lab.truth.monte_carlo import branch_outcomes
from spa_lab.truth.shared_prefix import Continuation, SharedPrefix, replay
from spa_lab.types import Trajectory


class Echo:
    """Replies of many lengths; the outcome depends on every letter of all actions."""

    def reset(self, task: Task) -> str:
        self.actions: tuple[str, ...] = ()
        return f"Echo {task.id}."

    def step(self, action: str) -> Reply:
        self.actions = (*self.actions, action)
        n = sum(map(ord, "".join(self.actions))) + len(self.actions)
        return Reply("wait " * (n % 7) + "ok", bool(action), n % 5 == 4, (n % 4) / 3)

    def snapshot(self) -> tuple[str, ...]:
        return self.actions

    def restore(self, token: object) -> None:
        assert isinstance(token, tuple)
        self.actions = token


def _echo(step_limit: int = 6) -> Environment:
    return Environment(name="echo", make_world=Echo, tasks=lambda split, n: [], step_limit=step_limit)


TASKS = [Task(f"e{i}", "echo", "seen", "", "win it", 1, None) for i in range(3)]
CONFIG = RolloutConfig(temperature=0.8, max_new_tokens=6, parallel=11)


@pytest.fixture(scope="module")
def writer(make_policy: Callable[..., Policy]) -> Policy:
    """A small model that writes at random, but actions and end-of-turn tokens more often than others."""
    policy = make_policy("Action: wait", "Action: win", "ok", "wait ", hidden=16, layers=2, spread=0.3)
    codec = policy.codec
    frequent = [codec.end_id, *codec.text_ids("Action: wait"), *codec.text_ids("Action: win")]
    with torch.no_grad():
        policy.model.get_output_embeddings().weight[frequent] *= 4
    return policy


@pytest.fixture(scope="module")
def episodes() -> list[Trajectory]:
    """Trajectories of two, six (the limit) and three steps, of texts that the writer is likely to write."""
    trajectories = []
    texts = ["Action: wait", "Action:", "hm"]
    for task, length in zip(TASKS, (2, 6, 3), strict=True):
        plays = (
            play(uniform_action_probs(3), _echo(), task, texts, policy="x", seed=seed) for seed in range(1000)
        )
        trajectories.append(next(trajectory for trajectory in plays if len(trajectory) == length))
    return trajectories


def _request(trajectory: Trajectory, task: Task, branches: int, *, seed: int = 0) -> ContinuationRequest:
    """The same number of continuations from every step."""
    return ContinuationRequest(trajectory, task, (range(branches),) * len(trajectory), seed)


@torch.inference_mode()
def _alone(
    policy: Policy,
    environment: Environment,
    request: ContinuationRequest,
    start: int,
    index: int,
    config: RolloutConfig,
    allowed: AllowedTexts | None = None,
) -> float:
    """Outcome of one continuation by hand: reset, replay, and read the whole text again for each token."""
    world, codec = environment.make_world(), policy.codec
    ids = list(codec.opening_ids(world.reset(request.task)))
    for step in request.trajectory.steps[:start]:
        ids += [*codec.text_ids(step.text), codec.end_id]
        ids += codec.reply_ids(world.step(step.action).observation)
    branch = Continuation.of(request.trajectory.id, start, index, seed=request.seed)
    for _ in range(start, environment.step_limit):
        written: list[int] = []
        while len(written) < config.max_new_tokens and codec.end_id not in written:
            hidden = policy.model.base_model(torch.tensor([[*ids, *written]])).last_hidden_state[:, -1]
            (log_probs,) = next_token_log_probs(
                policy.model.get_output_embeddings()(hidden),
                temperature=config.temperature,
                allowed=allowed,
                written=[written],
            )
            probs = log_probs.exp()
            target = branch.rng.random() * probs.sum().item()
            token = int((probs.cumsum(0) <= target).sum())
            written.append(min(token, len(probs) - 1))
        reply = world.step(parse(codec.decode(written))[1])
        ids += [*written, *([] if written[-1] == codec.end_id else [codec.end_id])]
        ids += codec.reply_ids(reply.observation)
        if reply.done:
            break
    return reply.outcome


def _all_alone(
    policy: Policy,
    environment: Environment,
    request: ContinuationRequest,
    config: RolloutConfig,
    allowed: AllowedTexts | None = None,
) -> list[list[float]]:
    return [
        [_alone(policy, environment, request, start, index, config, allowed) for index in indices]
        for start, indices in enumerate(request.indices)
    ]


def _outcomes(tree: RolloutTree) -> list[list[float]]:
    return [outcomes.tolist() for outcomes in tree.outcomes()]


def test_every_continuation_ends_as_if_played_alone(writer: Policy, episodes: list[Trajectory]) -> None:
    """Regardless of the others in the batch, and of which tokens it shares with them."""
    requests = [
        ContinuationRequest(episode, task, tuple(range(t % 2, 2 + t % 3) for t in range(len(episode))), 7)
        for episode, task in zip(episodes, TASKS, strict=True)
    ]
    expected = {request.trajectory.id: _all_alone(writer, _echo(), request, CONFIG) for request in requests}
    for parallel in (1, 64):
        trees = play_continuations(writer, _echo(), requests, replace(CONFIG, parallel=parallel))
        assert {tree.request.trajectory.id: _outcomes(tree) for tree in trees} == expected
    different = {end for steps in expected.values() for ends in steps for end in ends}
    assert len(different) > 2, "the world must distinguish the continuations"


def test_histories_are_the_sampled_tokens(writer: Policy) -> None:
    """Greedy continuations of greedy episodes repeat them, also where the text encodes to other tokens."""
    tasks = [Task(f"g{i}", "echo", "seen", "", "win it", 1, None) for i in range(8)]
    greedy = replace(CONFIG, temperature=0.0)
    specs = [EpisodeSpec(task.id, task, 0) for task in tasks]
    episodes = rollout(writer, _echo(), specs, greedy)
    trajectories = [episode.trajectory for episode in episodes]
    others = [
        episode
        for episode in episodes
        if writer.codec.closed(episode.row).ids != writer.codec.row(episode.trajectory).ids
    ]
    assert others, "no text encodes to other tokens than were sampled"
    outcomes = branch_outcomes(
        writer, _echo(), trajectories, tasks, greedy, branches=1, rng=random.Random(0),
        rows=[episode.row for episode in episodes],
    )  # fmt: skip
    for trajectory, of_each in zip(trajectories, outcomes, strict=True):
        assert [values.tolist() for values in of_each.outcomes] == [[trajectory.outcome]] * len(trajectory)


def test_sampled_tokens_and_a_folder_are_refused(writer: Policy, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="leave out rows or the folder"):
        branch_outcomes(
            writer, _echo(), [], [], CONFIG, branches=1, rng=random.Random(0), rows=[], folder=tmp_path
        )


@pytest.mark.parametrize("name", sorted(PROBES))
def test_only_allowed_texts_are_written(make_policy: Callable[..., Policy], name: str) -> None:
    """Allowed texts that share a beginning and have several tokens."""
    environment = probe_environment(name)
    (task,) = environment.tasks("train", 1)
    texts = [write("I think", action) for action in PROBES[name].actions]
    names = [action.split()[-1] for action in PROBES[name].actions]  # so that a text has several tokens
    policy = make_policy(*texts, names=names, layers=2, context=2048, spread=0.3)
    allowed = AllowedTexts.of(texts, policy.codec)
    action_probs = lm_action_probs(policy, allowed, temperature=0.7)
    episode = play(action_probs, environment, task, texts, policy="tiny", seed=3)
    config = RolloutConfig(temperature=0.7, max_new_tokens=allowed.max_tokens, parallel=16)
    request = _request(episode, task, 2, seed=1)
    (tree,) = play_continuations(policy, environment, [request], config, allowed=allowed)
    assert _outcomes(tree) == _all_alone(policy, environment, request, config, allowed)


def test_greedy_continuations_of_one_history_are_identical(
    writer: Policy, episodes: list[Trajectory]
) -> None:
    greedy = replace(CONFIG, temperature=0.0)
    (tree,) = play_continuations(writer, _echo(), [_request(episodes[1], TASKS[1], 4)], greedy)
    assert all(len(set(outcomes)) == 1 for outcomes in _outcomes(tree))
    assert len({outcomes[0] for outcomes in _outcomes(tree)}) > 1, "histories must differ"


def test_a_recorded_step_that_is_longer_than_the_limit(writer: Policy, episodes: list[Trajectory]) -> None:
    """Recorded with six tokens a step, continued with two: every continuation leaves the record soon."""
    config = replace(CONFIG, max_new_tokens=2, temperature=0.1)
    for episode, task in zip(episodes, TASKS, strict=True):
        request = _request(episode, task, 2, seed=7)
        (tree,) = play_continuations(writer, _echo(), [request], config)
        assert _outcomes(tree) == _all_alone(writer, _echo(), request, config)


def test_a_full_context_ends_a_continuation(
    make_policy: Callable[..., Policy], episodes: list[Trajectory]
) -> None:
    """As in a rollout: with the outcome so far, and without an error."""
    policy = make_policy("Action: wait", "Action: win", "ok", "wait ", context=120, spread=0.3)
    lengths: list[int] = []
    environment = replace(_echo(step_limit=99), make_world=lambda: _Counting(lengths))
    request = _request(replace(episodes[1], ended="error"), TASKS[1], 20)
    (tree,) = play_continuations(policy, environment, [request], CONFIG)
    assert all(outcomes.size == 20 for outcomes in tree.outcomes())
    assert 3 < max(lengths) < 99


class _Counting(Echo):
    """Never done; records how many steps it has executed."""

    def __init__(self, lengths: list[int]) -> None:
        self.lengths = lengths

    def step(self, action: str) -> Reply:
        reply = super().step(action)
        self.lengths.append(len(self.actions))
        return replace(reply, done=False)


def test_a_short_attention_window_is_refused(
    writer: Policy, episodes: list[Trajectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer.model.config, "sliding_window", 4, raising=False)
    with pytest.raises(ValueError, match="attention window is 4 tokens"):
        list(play_continuations(writer, _echo(), [_request(episodes[0], TASKS[0], 9)], CONFIG))


def _changed(trajectory: Trajectory, step: int, **fields: object) -> Trajectory:
    steps = list(trajectory.steps)
    steps[step] = replace(steps[step], **fields)  # type: ignore[arg-type]
    return replace(trajectory, steps=tuple(steps))


def test_a_replay_that_differs_from_the_record_is_refused(episodes: list[Trajectory]) -> None:
    _, long, _ = episodes
    cases: Sequence[tuple[Trajectory, str]] = [
        (
            _changed(long, 2, observation="else"),
            r"'e1#\d+', step 2, .*recorded 'else', the world now replies",
        ),
        (replace(long, initial_observation="x"), "first observation: recorded 'x'"),
        (replace(long, outcome=0.9), r"outcome: recorded 0\.9"),
        (replace(long, task_id="other"), "is of task 'other' in 'echo', got task 'e1'"),
        (replace(long, steps=long.steps[:4], ended="done"), "step 3 of 4: done is False"),
    ]
    for trajectory, message in cases:
        with pytest.raises(ValueError, match=message):
            replay(_echo(), trajectory, TASKS[1])
    with pytest.raises(ValueError, match="after 6 steps, the step limit is 5"):
        replay(_echo(5), long, TASKS[1])
    assert long.ended == "step_limit"
    with pytest.raises(ValueError, match="the step limit is 7: values depend on the number of steps left"):
        replay(_echo(7), long, TASKS[1])


def test_the_shared_prefix_is_read_once(
    writer: Policy, episodes: list[Trajectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for a trajectory, however many continuations it has."""
    calls = []

    def counted(*args: Any, **options: Any) -> SharedPrefix:
        calls.append(args)
        return shared_prefix.read_shared_prefix(*args, **options)

    monkeypatch.setattr("spa_lab.truth.branching.read_shared_prefix", counted)
    list(play_continuations(writer, _echo(), [_request(episodes[1], TASKS[1], 20)], CONFIG))
    assert len(calls) == 1


def test_the_plain_implementation_measures_the_same(writer: Policy, episodes: list[Trajectory]) -> None:
    """Other random numbers, so the means agree within their errors; the world has several outcomes."""
    episode, task = episodes[0], TASKS[0]
    config = replace(CONFIG, parallel=200)
    (tree,) = play_continuations(writer, _echo(), [_request(episode, task, 200, seed=5)], config)
    plain = plain_outcomes(writer, _echo(), episode, task, config, branches=100, rng=random.Random(1))
    for branching, by_hand in zip(tree.outcomes(), plain, strict=True):
        error = np.hypot(branching.std() / np.sqrt(200), by_hand.std() / np.sqrt(100))
        assert 0 < abs(branching.mean() - by_hand.mean()) < 4 * error


def test_a_model_whose_attention_cannot_be_replaced_is_refused(
    writer: Policy, episodes: list[Trajectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would read every continuation without its prefix."""
    monkeypatch.setattr("spa_lab.agent.forward.is_small_llama", lambda model: False)
    monkeypatch.setattr("spa_lab.agent.forward._replaced_attention", lambda model: nullcontext())
    with pytest.raises(ValueError, match="LlamaForCausalLM: its attention cannot be replaced"):
        list(play_continuations(writer, _echo(), [_request(episodes[0], TASKS[0], 9)], CONFIG))


def test_the_model_is_left_unchanged(writer: Policy, episodes: list[Trajectory]) -> None:
    before = writer.model.config._attn_implementation
    list(play_continuations(writer, _echo(), [_request(episodes[0], TASKS[0], 9)], CONFIG))
    assert writer.model.config._attn_implementation == before


@pytest.mark.parametrize("heads", [(4, 4), (4, 1)])
def test_other_models(
    make_policy: Callable[..., Policy], episodes: list[Trajectory], heads: tuple[int, int]
) -> None:
    """As many key heads as query heads, or one for all; another architecture."""
    codec = make_policy("Action: wait", "Action: win", "ok", "wait ").codec
    config = MistralConfig(
        vocab_size=len(codec.tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=heads[0],
        num_key_value_heads=heads[1],
        max_position_embeddings=512,
        sliding_window=512,
        initializer_range=0.3,
        eos_token_id=codec.end_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        policy = Policy("other", MistralForCausalLM(config).eval(), codec)
    request = _request(episodes[2], TASKS[2], 4, seed=7)
    (tree,) = play_continuations(policy, _echo(), [request], CONFIG)
    assert _outcomes(tree) == _all_alone(policy, _echo(), request, CONFIG)
