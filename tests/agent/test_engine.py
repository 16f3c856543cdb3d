"""The engine writes what a slow loop writes that reads everything again for each token."""

import gc
import math
import random
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch

from spa_lab.agent import engine as engine_module
from spa_lab.agent.engine import Engine
from spa_lab.agent.rollout import EpisodeSpec, Policy, rollout
from spa_lab.agent.row import Branch, Row, Written
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Task
from tests.envs.quiz import Quiz

CONFIG = RolloutConfig(temperature=0.8, max_new_tokens=6, parallel=5)
LIKELY = 4.0
"""Factor on the logits of a few tokens: steps end, and drafts are often right."""


@pytest.fixture(scope="module")
def policy(make_policy: Callable[..., Policy]) -> Policy:
    made = make_policy("Action: wait", "ok", hidden=16, layers=2, spread=0.3)
    frequent = [made.codec.end_id, *made.codec.text_ids("Action: wait")]
    with torch.no_grad():
        made.model.get_output_embeddings().weight[frequent] *= LIKELY
    return made


class Talk(Row):
    """Reads scripted replies between its steps and keeps what it wrote."""

    def __init__(self, opening: Sequence[int], replies: Sequence[Sequence[int]], seed: int) -> None:
        super().__init__(opening, [Branch(random.Random(seed))])
        self.replies = list(replies)
        self.steps: list[Written] = []

    def following(self, written: Written) -> Sequence[int] | None:
        self.steps.append(written)
        return self.replies.pop(0) if self.replies else None


def _talks(policy: Policy, n: int) -> list[Talk]:
    """Openings and replies of many lengths; every third opening is that of the first."""
    rng = random.Random(5)
    size = len(policy.codec.tokenizer)
    opening = [rng.randrange(size) for _ in range(40)]
    talks = []
    for i in range(n):
        own = opening if i % 3 == 0 else [rng.randrange(size) for _ in range(rng.randint(1, 30))]
        replies = [[rng.randrange(size) for _ in range(rng.randint(1, 9))] for _ in range(rng.randint(1, 4))]
        talks.append(Talk(own, replies, seed=i))
    return talks


def _played(policy: Policy, n: int, config: RolloutConfig) -> tuple[Engine, list[Talk]]:
    engine, talks = Engine(policy, config, keep_hidden=True), _talks(policy, n)
    for talk in talks:
        engine.add(talk)
    while engine.busy:
        engine.advance()
        if config.cached_tokens:
            assert engine.slots.n_rows * engine.slots.n_columns <= config.cached_tokens
        assert engine.slots.n_rows <= config.parallel
    return engine, talks


@torch.inference_mode()
def _slow(policy: Policy, talk: Talk, seed: int, config: RolloutConfig) -> list[Written]:
    """The same talk without a cache."""
    rng, text, steps = random.Random(seed), list(talk.pending), []
    for reply in [*talk.replies, None]:
        ids, logprobs, states = [], [], []
        while len(ids) < config.max_new_tokens and policy.codec.end_id not in ids:
            hidden = policy.model.base_model(torch.tensor([[*text, *ids]])).last_hidden_state[0, -1]
            logits = policy.model.get_output_embeddings()(hidden).double() / (config.temperature or 1.0)
            probs = torch.softmax(logits, dim=0)
            if config.temperature:
                ids.append(int((probs.cumsum(0) <= rng.random()).sum()))
            else:
                ids.append(int(probs.argmax()))
            logprobs.append(math.log(probs[ids[-1]]))
            states.append(hidden)
        steps.append(Written(tuple(ids), tuple(logprobs), tuple(states)))
        text += [*ids, *(reply or [])]
    return steps


def _same(steps: Sequence[Written], others: Sequence[Written]) -> None:
    assert [step.ids for step in steps] == [step.ids for step in others]
    for step, other in zip(steps, others, strict=True):
        assert step.logprobs == pytest.approx(other.logprobs, abs=1e-4)
        for state, expected in zip(step.hidden, other.hidden, strict=True):
            torch.testing.assert_close(state, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("temperature", [0.0, 0.8, 1.5])
@pytest.mark.parametrize("options", [{}, {"parallel": 1}, {"parallel": 64}, {"cached_tokens": 190}])
def test_every_row_writes_as_if_it_were_alone(
    policy: Policy, temperature: float, options: dict[str, int]
) -> None:
    """Whatever shares the batch, waits, is copied, or is read again because memory ran out."""
    config = replace(CONFIG, temperature=temperature, **options)
    _, talks = _played(policy, 12, config)
    lengths = set()
    for i, (talk, fresh) in enumerate(zip(talks, _talks(policy, 12), strict=True)):
        _same(talk.steps, _slow(policy, fresh, i, config))
        lengths |= {len(step.ids) for step in talk.steps}
    assert len(lengths) > 2, "steps must end at different tokens"


def test_passes_of_few_tokens(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long openings are read in pieces."""
    whole = _played(policy, 6, CONFIG)[1]
    monkeypatch.setattr(engine_module, "_PASS_TOKENS", 9)
    for talk, other in zip(_played(policy, 6, CONFIG)[1], whole, strict=True):
        _same(talk.steps, other.steps)


def test_drafts_save_passes_and_change_nothing(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    def passes() -> tuple[int, list[list[Written]]]:
        engine, talks = Engine(policy, CONFIG), _talks(policy, 12)
        for talk in talks:
            engine.add(talk)
        n = 0
        while engine.busy:
            engine.advance()
            n += 1
        return n, [talk.steps for talk in talks]

    n_drafted, drafted = passes()
    monkeypatch.setattr("spa_lab.agent.drafts.Drafts.after", lambda *_: [])
    n_plain, plain = passes()
    assert n_drafted < n_plain
    for steps, others in zip(drafted, plain, strict=True):
        _same(steps, others)


def test_an_opening_that_others_have_is_read_once(policy: Policy) -> None:
    opening = list(range(2, 42))
    engine = Engine(policy, replace(CONFIG, parallel=8))
    talks = [Talk(opening, [], seed) for seed in range(8)]
    read: list[int] = []
    forward = engine.forward
    engine.forward = lambda current, **options: read.append(len(current.ids)) or forward(current, **options)
    for talk in talks:
        engine.add(talk)
    while engine.busy:
        engine.advance()
    n_written = sum(len(step.ids) for talk in talks for step in talk.steps)
    assert sum(read) < len(opening) + 8 + 3 * n_written
    assert all(talk.steps for talk in talks)


def test_too_little_memory_is_refused(policy: Policy) -> None:
    engine = Engine(policy, replace(CONFIG, cached_tokens=30))
    engine.add(Talk(range(2, 42), [], 0))
    with pytest.raises(ValueError, match="an episode needs 46 cached tokens, the limit is 30"):
        engine.advance()


def test_sampling_follows_the_probabilities(policy: Policy) -> None:
    """4,000 branches of one past: every common token within five standard errors of its probability."""

    drawn: dict[int, int] = {}

    class Once(Row):
        def following(self, written: Written) -> None:
            drawn[written.ids[0]] = drawn.get(written.ids[0], 0) + len(self.branches)

    n, rng = 4000, random.Random(0)
    engine = Engine(policy, RolloutConfig(0.7, 1, n))
    engine.add(Once([2, 3, 4], [Branch(random.Random(rng.random())) for _ in range(n)]))
    while engine.busy:
        engine.advance()
    with torch.no_grad():
        probs = (policy.model(torch.tensor([[2, 3, 4]])).logits[0, -1].double() / 0.7).softmax(dim=0)
    counts = torch.tensor([drawn.get(token, 0) for token in range(len(probs))])
    assert int(counts.sum()) == n
    common = probs > 5 / n  # a normal error needs some counts
    assert int(common.sum()) > 3 and counts[probs < 1e-7].sum() == 0
    error = (probs * (1 - probs) / n).sqrt()
    assert ((counts / n - probs).abs() <= 5 * error)[common].all()


class _Top(random.Random):
    """Draws the largest float below 1."""

    def random(self) -> float:
        return math.nextafter(1.0, 0.0)


def test_the_largest_random_number_names_a_token(policy: Policy) -> None:
    talk = Talk([2, 3, 4], [], 0)
    talk.branches = [Branch(_Top())]
    engine = Engine(policy, replace(CONFIG, max_new_tokens=1))
    engine.add(talk)
    engine.advance()
    assert talk.steps[0].ids == (len(policy.codec.tokenizer) - 1,)


def test_greedy_draws_nothing(policy: Policy) -> None:
    talk = Talk([2, 3], [[4]], 1)
    engine = Engine(policy, replace(CONFIG, temperature=0.0))
    engine.add(talk)
    while engine.busy:
        engine.advance()
    assert talk.branches[0].rng.getstate() == random.Random(1).getstate()


def test_memory_does_not_grow_with_the_number_of_episodes(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slots are reused, and nothing of a finished episode is held: neither its row nor its world."""
    made: list[weakref.ref[Quiz]] = []
    sizes: list[tuple[int, int, int]] = []
    engines: list[Engine] = []
    monkeypatch.setattr("spa_lab.agent.drafts._MOST", 300)

    class Watched(Engine):
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, **options)  # type: ignore[arg-type]
            engines.append(self)

    def world() -> Quiz:
        quiz = Quiz()
        made.append(weakref.ref(quiz))
        return quiz

    def count(_: int) -> None:
        (engine,) = engines
        gc.collect(0)
        alive = sum(ref() is not None for ref in made[-100:])
        sizes.append((alive, engine.slots.n_rows * engine.slots.n_columns, len(engine.drafts._following)))

    monkeypatch.setattr("spa_lab.agent.rollout.Engine", Watched)
    environment = Environment(name="quiz", make_world=world, tasks=lambda split, n: [], step_limit=2)
    task = Task("q", "quiz", "seen", "", "win it", 1, None)
    specs = [EpisodeSpec(f"e{i}", task, i) for i in range(300)]
    episodes = rollout(policy, environment, specs, replace(CONFIG, temperature=1.0), on_episodes=count)
    assert [episode.trajectory.id for episode in episodes] == [spec.id for spec in specs]
    alive, columns, drafts = (max(column) for column in zip(*sizes, strict=True))
    assert alive <= 3 * CONFIG.parallel
    assert columns == max(size for _, size, _ in sizes[:100]), "the slots still grow"
    assert drafts <= 310
