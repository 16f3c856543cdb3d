"""Branching plays what playing every branch alone from the start would play, number for number."""

import itertools
import random
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import MistralConfig, MistralForCausalLM

from benchmarks.plain_continuations import plain_outcomes
from spa_lab.agent.rollout import Policy
from spa_lab.agent.sampling import AllowedTexts, next_token_log_probs
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Reply, Task
from spa_lab.envs.probe_rules import PROBES
from spa_lab.envs.probes import probe_environment
from spa_lab.react import parse, write
from spa_lab.truth import shared_prefix as trunk_module
from spa_lab.truth.branching import Order, grow
from spa_lab.truth.exact import lm_action_probs, play, uniform_chances
from spa_lab.truth.shared_prefix import Branch, replay
from spa_lab.types import Trajectory


class Echo:
    """Replies of many lengths; the outcome depends on every letter that was heard."""

    def reset(self, task: Task) -> str:
        self.heard: tuple[str, ...] = ()
        return f"Echo {task.id}."

    def step(self, action: str) -> Reply:
        self.heard = (*self.heard, action)
        n = sum(map(ord, "".join(self.heard))) + len(self.heard)
        return Reply("wait " * (n % 7) + "ok", bool(action), n % 5 == 4, (n % 4) / 3)

    def snapshot(self) -> tuple[str, ...]:
        return self.heard

    def restore(self, token: object) -> None:
        assert isinstance(token, tuple)
        self.heard = token


def _echo(step_limit: int = 6) -> Environment:
    return Environment(name="echo", make_world=Echo, tasks=lambda split, n: [], step_limit=step_limit)


TASKS = [Task(f"e{i}", "echo", "seen", "", "win it", 1, None) for i in range(3)]
CONFIG = RolloutConfig(temperature=0.8, max_new_tokens=6, parallel=11)


@pytest.fixture(scope="module")
def writer(make_policy: Callable[..., Policy]) -> Policy:
    """A small model that writes at random, an action or the end of a step more often than other things."""
    policy = make_policy("Action: wait", "Action: win", "ok", "wait ", hidden=16, layers=2, spread=0.3)
    codec = policy.codec
    often = [codec.end_id, *codec.text_ids("Action: wait"), *codec.text_ids("Action: win")]
    with torch.no_grad():
        policy.model.get_output_embeddings().weight[often] *= 4
    return policy


@pytest.fixture(scope="module")
def episodes() -> list[Trajectory]:
    """Trajectories of two, six (up to the limit) and three steps, of texts that the writer may well write."""
    found = []
    for task, length in zip(TASKS, (2, 6, 3), strict=True):
        runs = (
            play(uniform_chances(3), _echo(), task, ["Action: wait", "Action:", "hm"], policy="x", seed=seed)
            for seed in range(1000)
        )
        found.append(next(run for run in runs if len(run) == length))
    return found


@torch.inference_mode()
def _alone(
    policy: Policy,
    environment: Environment,
    order: Order,
    start: int,
    number: int,
    config: RolloutConfig,
    menu: AllowedTexts | None = None,
) -> float:
    """One branch by hand: reset, replay, and read all text anew for each token."""
    world, codec = environment.make_world(), policy.codec
    ids = list(codec.opening_ids(world.reset(order.task)))
    for step in order.trajectory.steps[:start]:
        ids += [*codec.text_ids(step.text), codec.end_id]
        ids += codec.reply_ids(world.step(step.action).observation)
    branch = Branch(f"{order.seed}/{order.trajectory.id}", start, number, common=order.common)
    for step in range(start, environment.step_limit):
        branch.begin(step)
        written: list[int] = []
        while len(written) < config.max_new_tokens and codec.end_id not in written:
            hidden = policy.model.base_model(torch.tensor([[*ids, *written]])).last_hidden_state[:, -1]
            logits = policy.model.get_output_embeddings()(hidden)
            chances = next_token_log_probs(logits, [written], temperature=config.temperature, menu=menu)[
                0
            ].exp()
            draw = branch.rng.random() * chances.sum().item()
            token = int((chances.cumsum(0) <= draw).sum())
            written.append(min(token, len(chances) - 1))
        reply = world.step(parse(codec.decode(written))[1])
        ids += [*written, *([] if written[-1] == codec.end_id else [codec.end_id])]
        ids += codec.reply_ids(reply.observation)
        if reply.done:
            break
    return reply.outcome


@pytest.mark.parametrize("common", [False, True])
def test_every_branch_ends_as_if_it_were_alone(
    writer: Policy, episodes: list[Trajectory], common: bool
) -> None:
    """Whatever shares the batch with it, however the history was come by."""
    orders = [
        Order(one, task, tuple(range(t % 2, 2 + t % 3) for t in range(len(one))), 7, common)
        for one, task in zip(episodes, TASKS, strict=True)
    ]
    expected = {
        order.trajectory.id: [
            [_alone(writer, _echo(), order, t, n, CONFIG) for n in numbers]
            for t, numbers in enumerate(order.numbers)
        ]
        for order in orders
    }
    for parallel in (1, 64):
        trees = grow(writer, _echo(), orders, replace(CONFIG, parallel=parallel))
        found = {tree.order.trajectory.id: [own.tolist() for own in tree.in_order()] for tree in trees}
        assert found == expected
    ends = {end for trajectory in expected.values() for step in trajectory for end in step}
    assert len(ends) > 2, "the world tells branches apart"


def _menu_scene(
    make_policy: Callable[..., Policy], name: str
) -> tuple[Policy, Environment, Trajectory, Task, AllowedTexts]:
    """A probe world, a policy that picks from its texts (alike at first, many tokens each), an episode."""
    environment = probe_environment(name)
    (task,) = environment.tasks("train", 1)
    texts = [write("I think", action) for action in PROBES[name].actions]
    names = [action.split()[-1] for action in PROBES[name].actions]  # so that a text is two tokens and more
    policy = make_policy(*texts, names=names, layers=2, context=2048, spread=0.3)
    menu = AllowedTexts.of(texts, policy.codec)
    chances = lm_action_probs(policy, menu, temperature=0.7)
    one = play(chances, environment, task, texts, policy="tiny", seed=3)
    return policy, environment, one, task, menu


def test_common_numbers_make_branches_of_neighbours_the_same(make_policy: Callable[..., Policy]) -> None:
    """What branch n writes from h_t where it follows the record is what it writes from h_{t+1}."""
    policy, environment, one, task, menu = _menu_scene(make_policy, "corridor")
    config = RolloutConfig(temperature=0.7, max_new_tokens=menu.longest, parallel=64)
    agreement = []
    for common in (True, False):
        order = Order(one, task, (range(60),) * len(one), 3, common)
        (tree,) = grow(policy, environment, [order], config, menu=menu)
        pairs = itertools.pairwise(tree.in_order())
        agreement.append(np.mean([np.mean(a == b) for a, b in pairs]))
    assert agreement[0] > agreement[1]


@pytest.mark.parametrize("name", sorted(PROBES))
def test_a_menu_is_kept_to(make_policy: Callable[..., Policy], name: str) -> None:
    """Listed texts that share a beginning, and whose tokens are many."""
    policy, environment, one, task, menu = _menu_scene(make_policy, name)
    config = RolloutConfig(temperature=0.7, max_new_tokens=menu.longest, parallel=16)
    order = Order(one, task, (range(2),) * len(one), 1, False)
    (tree,) = grow(policy, environment, [order], config, menu=menu)
    for t, found in enumerate(tree.in_order()):
        assert found.tolist() == [_alone(policy, environment, order, t, n, config, menu) for n in range(2)]


def test_greedy_branches_of_one_moment_are_all_the_same(writer: Policy, episodes: list[Trajectory]) -> None:
    greedy = replace(CONFIG, temperature=0.0)
    order = Order(episodes[1], TASKS[1], (range(4),) * len(episodes[1]), 0, False)
    (tree,) = grow(writer, _echo(), [order], greedy)
    assert all(len(set(found.tolist())) == 1 for found in tree.in_order())
    assert len({found[0] for found in tree.in_order()}) > 1, "moments differ"


def test_a_step_that_the_record_has_longer_than_the_limit(writer: Policy, episodes: list[Trajectory]) -> None:
    """Recorded with six tokens a step, continued with two: nobody can stay on the trunk for long."""
    config = replace(CONFIG, max_new_tokens=2, temperature=0.1)
    for one, task in zip(episodes, TASKS, strict=True):
        order = Order(one, task, (range(2),) * len(one), 7, False)
        (tree,) = grow(writer, _echo(), [order], config)
        for t, found in enumerate(tree.in_order()):
            assert found.tolist() == [_alone(writer, _echo(), order, t, n, config) for n in range(2)]


def test_a_full_context_ends_a_branch(make_policy: Callable[..., Policy], episodes: list[Trajectory]) -> None:
    """As in a rollout: with what the outcome is then, and without an error."""
    policy = make_policy("Action: wait", "Action: win", "ok", "wait ", context=120, spread=0.3)
    lengths: list[int] = []
    environment = replace(_echo(step_limit=99), make_world=lambda: _Counting(lengths))
    one = replace(episodes[1], ended="error")
    (tree,) = grow(policy, environment, [Order(one, TASKS[1], (range(20),) * 6, 0, False)], CONFIG)
    assert all(found.size == 20 for found in tree.in_order())
    assert 3 < max(lengths) < 99


class _Counting(Echo):
    """Never over; notes how many steps it has seen."""

    def __init__(self, lengths: list[int]) -> None:
        self.lengths = lengths

    def step(self, action: str) -> Reply:
        reply = super().step(action)
        self.lengths.append(len(self.heard))
        return replace(reply, done=False)


def test_an_attention_window_that_is_too_short_is_refused(
    writer: Policy, episodes: list[Trajectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer.model.config, "sliding_window", 4, raising=False)
    with pytest.raises(ValueError, match="the model sees 4 tokens back"):
        list(grow(writer, _echo(), [Order(episodes[0], TASKS[0], (range(9),) * 2, 0, False)], CONFIG))


def _changed(one: Trajectory, step: int, **fields: object) -> Trajectory:
    steps = list(one.steps)
    steps[step] = replace(steps[step], **fields)  # type: ignore[arg-type]
    return replace(one, steps=tuple(steps))


def test_a_replay_that_differs_from_the_record_is_refused(episodes: list[Trajectory]) -> None:
    _, long, _ = episodes
    cases: Sequence[tuple[Trajectory, str]] = [
        (_changed(long, 2, observation="else"), r"'e1#\d+', step 2, .*recorded 'else', the world now says"),
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
    if long.ended == "step_limit":
        with pytest.raises(ValueError, match="the step limit is 7: values depend on the steps that are left"):
            replay(_echo(7), long, TASKS[1])


def test_the_prefix_is_read_once(
    writer: Policy, episodes: list[Trajectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One trunk for a trajectory, and no more tokens than the branches that leave it write and read."""
    grown = []
    monkeypatch.setattr(
        "spa_lab.truth.branching.grow_shared_prefix",
        lambda *args: grown.append(args) or trunk_module.grow_shared_prefix(*args),  # type: ignore[func-returns-value]
    )
    one = episodes[1]
    list(grow(writer, _echo(), [Order(one, TASKS[1], (range(20),) * len(one), 0, False)], CONFIG))
    assert len(grown) == 1


def test_the_plain_way_measures_the_same(writer: Policy, episodes: list[Trajectory]) -> None:
    """Other random numbers, so the same means but for noise; a world of three and more outcomes."""
    one, task = episodes[0], TASKS[0]
    config = replace(CONFIG, parallel=200)
    (tree,) = grow(writer, _echo(), [Order(one, task, (range(200),) * len(one), 5, False)], config)
    plain = plain_outcomes(writer, _echo(), one, task, config, branches=100, rng=random.Random(1))
    for ours, theirs in zip(tree.in_order(), plain, strict=True):
        error = np.hypot(ours.std() / np.sqrt(200), theirs.std() / np.sqrt(100))
        assert 0 < abs(ours.mean() - theirs.mean()) < 4 * error


def test_a_model_whose_attention_is_its_own_is_refused(
    writer: Policy, episodes: list[Trajectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would read every branch as if it had no past."""
    monkeypatch.setattr("spa_lab.truth.kv_slots._exchanged_attention", lambda model: nullcontext())
    with pytest.raises(ValueError, match="LlamaForCausalLM: its attention cannot be exchanged"):
        list(grow(writer, _echo(), [Order(episodes[0], TASKS[0], (range(9),) * 2, 0, False)], CONFIG))


def test_the_model_is_left_as_it_was(writer: Policy, episodes: list[Trajectory]) -> None:
    before = writer.model.config._attn_implementation
    list(grow(writer, _echo(), [Order(episodes[0], TASKS[0], (range(9),) * 2, 0, False)], CONFIG))
    assert writer.model.config._attn_implementation == before


@pytest.mark.parametrize("heads", [(4, 4), (4, 1)])
def test_other_models(
    make_policy: Callable[..., Policy], episodes: list[Trajectory], heads: tuple[int, int]
) -> None:
    """As many key heads as heads, or one for all; another architecture."""
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
    order = Order(episodes[2], TASKS[2], (range(4),) * 3, 7, False)
    (tree,) = grow(policy, _echo(), [order], CONFIG)
    for t, found in enumerate(tree.in_order()):
        assert found.tolist() == [_alone(policy, _echo(), order, t, n, CONFIG) for n in range(4)]
