"""Generation with a cache kept over steps says what reading everything again from the start would say."""

import math
import random
from collections.abc import Sequence

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, PreTrainedModel

from spa_lab.agent.session import Session, Written

END, PAD, WORDS = 0, 1, 12


@pytest.fixture(scope="module")
def model() -> LlamaForCausalLM:
    """Twelve words, weights large enough that every word depends on all before it."""
    config = LlamaConfig(
        vocab_size=WORDS,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        initializer_range=0.35,
        bos_token_id=None,
        eos_token_id=END,
        pad_token_id=PAD,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return LlamaForCausalLM(config).eval()


def _session(model: PreTrainedModel) -> Session:
    return Session(model, end_ids={END}, pad_id=PAD)


@torch.inference_mode()
def _slow(
    model: PreTrainedModel, past: Sequence[int], rng: random.Random, temperature: float, n: int
) -> Written:
    """One step of one row without a cache: everything is read again for each token."""
    ids: list[int] = []
    logprobs: list[float] = []
    while len(ids) < n and END not in ids:
        logits = model(torch.tensor([[*past, *ids]]), use_cache=False).logits[0, -1].double()
        chances = torch.softmax(logits / (temperature or 1.0), dim=0).tolist()
        if temperature == 0:
            chosen = max(range(WORDS), key=chances.__getitem__)
        else:
            draw, chosen = rng.random(), 0
            while draw >= sum(chances[: chosen + 1]):
                chosen += 1
        ids.append(chosen)
        logprobs.append(math.log(chances[chosen]))
    return Written(tuple(ids), tuple(logprobs), ids[-1] == END)


def _same(step: Written, other: Written) -> None:
    assert (step.ids, step.ended) == (other.ids, other.ended)
    assert step.logprobs == pytest.approx(other.logprobs, abs=1e-4)


def _words(rng: random.Random, n: int) -> list[int]:
    return [rng.randrange(2, WORDS) for _ in range(n)]


def _play(
    model: PreTrainedModel, keeps: Sequence[Sequence[int]], temperature: float, *, ragged: int = 9
) -> list[float]:
    """Feed, write, keep, and so on, each step compared with the slow way; the shares of holes seen."""
    world = random.Random(5)
    texts = [_words(world, world.randint(1, ragged)) for _ in range(4)]
    rngs = [random.Random(100 + i) for i in range(4)]
    session, feed, holes = _session(model), [list(text) for text in texts], []
    for rows in keeps:
        session.extend(feed)
        twins = [random.Random() for _ in rngs]
        for twin, rng in zip(twins, rngs, strict=True):
            twin.setstate(rng.getstate())
        written = session.write(rngs, temperature=temperature, max_new_tokens=6)
        for past, twin, step in zip(texts, twins, written, strict=True):
            _same(step, _slow(model, past, twin, temperature, 6))
        holes.append(1.0 - session.mask.float().mean().item())
        session.keep(rows)
        replies = [_words(world, world.randint(1, ragged)) for _ in rows]
        feed = [[written[row].ids[-1], *reply] for row, reply in zip(rows, replies, strict=True)]
        texts = [[*texts[row], *written[row].ids, *reply] for row, reply in zip(rows, replies, strict=True)]
        rngs = [random.Random(world.random()) for _ in rows]
    return holes


ALL = [0, 1, 2, 3]


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.5])
@pytest.mark.parametrize(
    "keeps",
    [
        [ALL] * 5,
        [[0, 2, 3], [1, 2], [1], [0]],
        [[3, 1, 0, 2], [1, 0, 3, 2], ALL],
        [[0, 0, 1, 2, 2], [4, 0, 1, 1], [2, 2], [0, 1]],
    ],
    ids=["all", "drop", "reorder", "branch"],
)
def test_cached_steps_are_those_of_reading_all_again(
    model: LlamaForCausalLM, keeps: list[list[int]], temperature: float
) -> None:
    _play(model, keeps, temperature)


def test_many_holes_are_closed_even_where_no_row_goes(model: LlamaForCausalLM) -> None:
    holes = _play(model, [ALL] * 5, 1.0, ragged=20)
    assert max(holes) > 0.25, "the test lost its object"
    session = _session(model)
    session.extend([[2] * 20, [3] * 4, [4] * 4])
    session.keep([0, 1, 2])
    session.extend([[5], [5] * 30, [5] * 30])
    assert session.mask.shape == (3, 50)
    session.keep([0, 1, 2])
    assert session.mask.shape == (3, 34)  # the longest row's own tokens
    assert session.mask.sum(1).tolist() == [21, 34, 34]
    assert session.cache.get_seq_length() == 34
    assert session.mask[0].tolist() == [True] * 21 + [False] * 13


def test_a_batch_of_eight_is_eight_batches_of_one(model: LlamaForCausalLM) -> None:
    world = random.Random(0)
    texts = [_words(world, n) for n in (1, 2, 3, 5, 8, 13, 2, 1)]
    together = _session(model)
    together.extend(texts)
    written = together.write([random.Random(i) for i in range(8)], temperature=1.0, max_new_tokens=8)
    for i, (text, step) in enumerate(zip(texts, written, strict=True)):
        alone = _session(model)
        alone.extend([text])
        _same(step, alone.write([random.Random(i)], temperature=1.0, max_new_tokens=8)[0])
    assert len({len(step.ids) for step in written}) > 2, "rows should stop at different tokens"


def test_one_random_number_a_token(model: LlamaForCausalLM) -> None:
    session, rng, twin = _session(model), random.Random(1), random.Random(1)
    session.extend([[2, 3], [4]])
    written = session.write([rng, random.Random(2)], temperature=1.0, max_new_tokens=30)
    for _ in written[0].ids:
        twin.random()
    assert rng.getstate() == twin.getstate()


def test_greedy_draws_nothing(model: LlamaForCausalLM) -> None:
    session, rng = _session(model), random.Random(1)
    session.extend([[2, 3]])
    session.write([rng], temperature=0.0, max_new_tokens=5)
    assert rng.getstate() == random.Random(1).getstate()


def test_the_limit_ends_a_step_without_an_end_token(model: LlamaForCausalLM) -> None:
    session = _session(model)
    session.extend([[2, 3], [4, 5, 6]])
    written = session.write([random.Random(i) for i in (0, 1)], temperature=0.0, max_new_tokens=3)
    assert [(len(step.ids), step.ended) for step in written] == [(3, False), (3, False)]
    assert session.mask.sum(1).tolist() == [2 + 2, 3 + 2]  # the last token is left for `extend` to feed


def test_sampling_follows_the_probabilities(model: LlamaForCausalLM) -> None:
    """4,000 branches of one past: every word within five standard errors of its probability."""
    n = 4000
    session = _session(model)
    session.extend([[2, 3, 4]])
    chances = torch.softmax(session.logits[0].double() / 0.7, dim=0)
    session.keep([0] * n)
    rng = random.Random(0)
    written = session.write([rng] * n, temperature=0.7, max_new_tokens=1)
    counts = torch.bincount(torch.tensor([step.ids[0] for step in written]), minlength=WORDS).double()
    error = (chances * (1 - chances) / n).sqrt()
    assert ((counts / n - chances).abs() <= 5 * error).all()


class _Top(random.Random):
    """Draws the largest float below 1."""

    def random(self) -> float:
        return math.nextafter(1.0, 0.0)


def test_the_largest_random_number_names_a_word(model: LlamaForCausalLM) -> None:
    session = _session(model)
    session.extend([[2, 3, 4]])
    (step,) = session.write([_Top()], temperature=1.0, max_new_tokens=1)
    assert step.ids == (WORDS - 1,)


def test_branches_do_not_write_into_each_other(model: LlamaForCausalLM) -> None:
    session = _session(model)
    session.extend([[2, 3, 4]])
    session.keep([0, 0])
    session.extend([[5, 6], [7]])
    step, other = session.write([random.Random(0)] * 2, temperature=0.0, max_new_tokens=4)
    _same(step, _slow(model, [2, 3, 4, 5, 6], random.Random(), 0.0, 4))
    _same(other, _slow(model, [2, 3, 4, 7], random.Random(), 0.0, 4))


def test_a_window_must_hold_the_whole_episode() -> None:
    """Windows are cut by column: with holes, a neighbour's length would decide what is forgotten."""
    config = MistralConfig(
        vocab_size=WORDS, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, sliding_window=8, bos_token_id=None, eos_token_id=END, pad_token_id=PAD,
    )  # fmt: skip
    session = _session(MistralForCausalLM(config).eval())
    session.extend([[2] * 6, [3]])
    session.keep([0, 1])
    session.extend([[4], [5, 6]])
    with pytest.raises(ValueError, match="attention window is 8 tokens, 9 are needed"):
        session.extend([[4], [5]])
