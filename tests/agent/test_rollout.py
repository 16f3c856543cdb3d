"""Rollouts: text, replies, why an episode ended, and exactly the sampled tokens."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from spa_lab import react
from spa_lab.agent.codec import Codec, ContextTooLong
from spa_lab.agent.rollout import Episode, EpisodeSpec, Policy, rollout
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Task
from spa_lab.envs.household import environment as household
from spa_lab.learn.language import logprobs_under
from tests.envs.quiz import Quiz


class Parrot:
    """A model that writes the same tokens in every step: the last token read determines the next one."""

    device = torch.device("cpu")

    def __init__(self, codec: Codec, ids: Sequence[int], *, context: int = 512, ends: bool = True) -> None:
        self.config = SimpleNamespace(num_hidden_layers=0, max_position_embeddings=context)
        self.config._attn_implementation = "none"
        chain = [codec.opening_ids("")[-1], *ids, *([codec.end_id] if ends else ids[-1:])]
        self.following = torch.zeros(len(codec.tokenizer), len(codec.tokenizer))
        self.following[chain[:-1], chain[1:]] = 99.0

    def base_model(self, input_ids: torch.Tensor, **_: object) -> SimpleNamespace:
        return SimpleNamespace(last_hidden_state=self.following[input_ids])

    def get_output_embeddings(self) -> Callable[[torch.Tensor], torch.Tensor]:
        return lambda hidden: hidden


def _quiz(step_limit: int = 3) -> Environment:
    return Environment(name="quiz", make_world=Quiz, tasks=lambda split, n: [], step_limit=step_limit)


def _specs(*seeds: int) -> list[EpisodeSpec]:
    return [
        EpisodeSpec(f"e{seed}", Task(f"q{seed}", "quiz", "seen", "", "win it", 1, None), seed)
        for seed in seeds
    ]


@pytest.fixture
def parrot(make_policy: Callable[..., Policy]) -> Callable[..., Policy]:
    """(text, or tokens of a codec, context, ends) -> Policy that writes exactly this."""

    def make(text: str | Callable[[Codec], Sequence[int]], **options: Any) -> Policy:
        codec = make_policy(*([text] if isinstance(text, str) else [])).codec
        ids = codec.text_ids(text) if isinstance(text, str) else text(codec)
        return Policy("parrot", Parrot(codec, ids, **options), codec)

    return make


def _play(policy: Policy, *, step_limit: int = 3, **options: Any) -> Episode:
    return rollout(policy, _quiz(step_limit), _specs(7), RolloutConfig(temperature=0.0, **options))[0]


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "Action:",
        "Action: ",
        "Thought: I",
        "Action: dance\nAction: win",
        "<|end|> win",
        "\x00\n\r",
        "Action: wín",
    ],
)
def test_text_without_a_valid_action_is_an_ungrounded_step(parrot: Callable[..., Policy], text: str) -> None:
    trajectory = _play(parrot(text)).trajectory
    assert (trajectory.ended, trajectory.outcome, trajectory.success) == ("step_limit", 0.0, False)
    assert [step.text for step in trajectory.steps] == [text] * 3
    assert [(step.thought, step.action) for step in trajectory.steps] == [react.parse(text)] * 3
    assert not trajectory.grounded.any()


def test_broken_bytes_and_role_tokens_are_an_ungrounded_step(parrot: Callable[..., Policy]) -> None:
    def half_a_letter(codec: Codec) -> list[int]:
        return [codec.text_ids("é")[0], codec.opening_ids("")[0], codec.pad_id]

    trajectory = _play(parrot(half_a_letter)).trajectory
    assert [step.text for step in trajectory.steps] == ["\ufffd"] * 3
    assert not trajectory.grounded.any()


def test_an_empty_step_is_ungrounded(parrot: Callable[..., Policy]) -> None:
    episode = _play(parrot(lambda codec: []))
    assert [step.text for step in episode.trajectory.steps] == [""] * 3
    assert not episode.trajectory.grounded.any()
    assert sum(step >= 0 for step in episode.row.step) == 3  # the end tokens


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("win", (1, "done", 1.0, True)),
        ("half", (1, "done", 0.5, False)),
        ("wait", (3, "step_limit", 0.25, False)),
        ("almost", (3, "step_limit", 1.0, False)),  # success means that the world ended the episode
    ],
)
def test_how_episodes_end(
    parrot: Callable[..., Policy], action: str, expected: tuple[int, str, float, bool]
) -> None:
    trajectory = _play(parrot(f"Action: {action}")).trajectory
    assert (len(trajectory), trajectory.ended, trajectory.outcome, trajectory.success) == expected
    assert trajectory.grounded.all()


def test_an_episode_that_fills_the_context_ends_in_error(parrot: Callable[..., Policy]) -> None:
    policy = parrot("Action: wait", context=64)
    episode = _play(policy, step_limit=99, max_new_tokens=4)
    assert episode.trajectory.ended == "error"
    assert 1 < len(episode.trajectory) < 99
    assert len(episode.row.ids) <= 64
    policy.codec.batch([episode.row], limit=policy.context)


def test_an_episode_can_always_be_read_again(parrot: Callable[..., Policy]) -> None:
    """Half a letter is one token as sampled, and three when its text is encoded again."""
    policy = parrot(lambda codec: [codec.text_ids("é")[0]] * 2, context=96, ends=False)
    episode = _play(policy, step_limit=99, max_new_tokens=8)
    again = policy.codec.row(episode.trajectory)
    reply, step = len(policy.codec.reply_ids("reply 1")), 3 * 8 + 1
    assert episode.trajectory.ended == "error" and len(episode.trajectory) > 1
    assert len(episode.row.ids) < len(again.ids) <= 96 < len(again.ids) + reply + step
    assert len(episode.row.ids) == len(episode.row.step) == len(episode.logprobs)
    assert episode.row.step[-1] == again.step[-1] == len(episode.trajectory) - 1


def test_an_opening_that_does_not_fit_is_refused(parrot: Callable[..., Policy]) -> None:
    policy = parrot("Action: win", context=14)
    n = len(policy.codec.opening_ids("Quiz q7."))
    with pytest.raises(ContextTooLong, match=rf"'e7' opens with {n} tokens, limit is 9"):
        _play(policy, max_new_tokens=4)


def test_every_field_of_the_trajectory(parrot: Callable[..., Policy]) -> None:
    trajectory = _play(parrot("Thought: easy\nAction: win")).trajectory
    assert (trajectory.id, trajectory.task_id, trajectory.seed) == ("e7", "q7", 7)
    assert (trajectory.env, trajectory.split, trajectory.policy) == ("quiz", "seen", "parrot")
    assert (trajectory.instruction, trajectory.initial_observation) == ("win it", "Quiz q7.")
    (step,) = trajectory.steps
    assert (step.thought, step.action, step.observation) == ("easy", "win", "reply 1")


def test_the_row_is_the_trajectory_in_tokens(parrot: Callable[..., Policy]) -> None:
    policy = parrot("Action: wait")
    episode = _play(policy)
    assert episode.row == policy.codec.row(episode.trajectory)


def test_a_step_that_is_cut_off_gets_an_end_token(parrot: Callable[..., Policy]) -> None:
    """The model reads the end token, but it belongs to no step: the policy did not write it."""
    policy = parrot("Action: wait", ends=False)
    episode = _play(policy, step_limit=2, max_new_tokens=3)
    word = policy.codec.text_ids("Action: wait") * 3
    opening, reply = policy.codec.opening_ids("Quiz q7."), policy.codec.reply_ids("reply 1")
    assert episode.row.ids == (*opening, *word, policy.codec.end_id, *reply, *word)
    assert episode.row.step == (-1,) * len(opening) + (0,) * 3 + (-1,) * (1 + len(reply)) + (1,) * 3


def test_an_inserted_end_token_can_be_counted_as_the_steps(parrot: Callable[..., Policy]) -> None:
    """As when text is encoded again, but with the sampled tokens; whole steps stay unchanged."""
    policy = parrot("Action: wait", ends=False)
    episode = _play(policy, step_limit=2, max_new_tokens=3)
    closed = policy.codec.closed(episode.row)
    assert closed.ids == (*episode.row.ids, policy.codec.end_id)
    n_opening, n_reply = (
        len(ids(text))
        for ids, text in ((policy.codec.opening_ids, "Quiz q7."), (policy.codec.reply_ids, "reply 1"))
    )
    assert closed.step == (-1,) * n_opening + (0,) * 4 + (-1,) * n_reply + (1,) * 4
    assert closed.ids != policy.codec.row(episode.trajectory).ids
    whole = _play(parrot("Action: wait"))
    assert policy.codec.closed(whole.row) == whole.row


@pytest.fixture
def writer(make_policy: Callable[..., Policy]) -> Policy:
    """A small model that writes at random and sometimes ends a step."""
    policy = make_policy("Action: wait", "Action: win", "Action: half", hidden=16, layers=2, spread=0.3)
    embedding = policy.model.get_output_embeddings()
    with torch.no_grad():  # else an end token is one in 260
        embedding.weight[policy.codec.end_id] *= 4
    return policy


CONFIG = RolloutConfig(temperature=0.8, max_new_tokens=6, parallel=5)


def test_logprobs_are_those_of_the_written_tokens(writer: Policy) -> None:
    episodes = rollout(writer, _quiz(4), _specs(*range(6)), CONFIG)
    assert len({len(episode.row.ids) for episode in episodes}) > 2
    for episode in episodes:
        batch = writer.codec.batch([episode.row], limit=writer.context)
        with torch.no_grad():
            known = logprobs_under(writer.model, batch.ids, batch.action_mask, temperature=0.8)
        wrote = [step >= 0 for step in episode.row.step]
        assert len(episode.logprobs) == len(wrote)
        assert [p for p, w in zip(episode.logprobs, wrote, strict=True) if w] == pytest.approx(
            known.tolist(), abs=1e-4
        )
        assert {p for p, w in zip(episode.logprobs, wrote, strict=True) if not w} == {0.0}


def _facts(episodes: Sequence[Episode]) -> list[tuple[object, ...]]:
    return [(episode.trajectory, episode.row) for episode in episodes]


def test_an_episode_depends_only_on_its_seed(writer: Policy) -> None:
    specs = _specs(*range(7))
    expected = _facts(rollout(writer, _quiz(), specs, CONFIG))
    assert _facts(rollout(writer, _quiz(), specs, CONFIG)) == expected
    assert _facts(rollout(writer, _quiz(), specs, replace(CONFIG, parallel=1))) == expected
    assert _facts(rollout(writer, _quiz(), specs[::-1], CONFIG))[::-1] == expected
    other = rollout(writer, _quiz(), [replace(spec, seed=spec.seed + 100) for spec in specs], CONFIG)
    assert [e.trajectory.steps for e in other] != [facts[0].steps for facts in expected]


def test_global_generators_are_not_used(writer: Policy) -> None:
    specs = _specs(1, 2)
    before = random.getstate(), torch.random.get_rng_state()
    rollout(writer, _quiz(), specs, CONFIG)
    assert random.getstate() == before[0]
    assert torch.equal(torch.random.get_rng_state(), before[1])


def test_finished_episodes_are_counted(parrot: Callable[..., Policy]) -> None:
    counts: list[int] = []
    config = RolloutConfig(parallel=2)
    episodes = rollout(parrot("Action: win"), _quiz(), _specs(1, 2, 3), config, on_episodes=counts.append)
    assert [episode.trajectory.id for episode in episodes] == ["e1", "e2", "e3"]
    assert counts == [2, 1]
    assert rollout(parrot("Action: win"), _quiz(), [], config) == []


def test_an_untrained_model_plays_in_a_real_world(make_policy: Callable[..., Policy]) -> None:
    world = replace(household("small"), step_limit=3)
    specs = [EpisodeSpec(task.id, task, 0) for task in world.tasks("train", 2)]
    policy = make_policy(context=4096)
    episodes = rollout(policy, world, specs, RolloutConfig(temperature=1.0, max_new_tokens=5))
    assert [e.trajectory.task_id for e in episodes] == [spec.task.id for spec in specs]
    assert {(len(e.trajectory), e.trajectory.ended) for e in episodes} == {(3, "step_limit")}
    assert not any(e.trajectory.grounded.any() for e in episodes)


@pytest.mark.parametrize("bad", [{"temperature": -0.1}, {"max_new_tokens": 0}, {"parallel": 0}])
def test_bad_settings(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"{next(iter(bad))}: expected a .* >= "):
        RolloutConfig(**bad)
