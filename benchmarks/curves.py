"""Cost as a curve: tokens per second over episodes side by side, steps of an episode and size of the model.

The larger models have random weights. They write garbage that never ends a step by itself and seldom repeats
itself, so that drafts (`spa_lab.agent.drafts`) find nothing to read ahead; the shipped model writes text of
the world, of which they read much ahead.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks import generation
from benchmarks.records import Record
from spa_lab.agent.rollout import Policy
from spa_lab.envs.base import Environment

PART = "curves"
WIDTHS, LENGTHS = (1, 4, 16, 64), (5, 10, 20, 40)
"""Episodes side by side; steps of the longest episode."""
STEPS, STEPS_OF_SIZES, BESIDE = 20, 10, (1, 16)
"""Steps while the width varies, and while the model does, as large ones take long; widths while the steps or
the model vary."""
SPREAD = 0.1
"""Standard deviation of random weights: larger than usual, so that what is written depends on the text."""
LONGEST = 1 << 15
"""Context of models of random weights, tokens: their text encoded again is longer than what they wrote."""


@dataclass(frozen=True)
class Size:
    """A Llama of random weights, in the proportions of SmolLM2-135M: heads of 64, three to a key head."""

    hidden: int
    layers: int
    fewest: int = 4
    """Episodes, where fewer than that are played side by side."""


FEWEST = 4
"""As `Size.fewest`, of the shipped model."""
SIZES = (Size(384, 6), Size(576, 38, fewest=1))
"""10 and 135 million parameters with the household's tokenizer."""


def measure(
    base: Policy,
    environment: Environment,
    *,
    rounds: int,
    widths: Sequence[int] = WIDTHS,
    lengths: Sequence[int] = LENGTHS,
    sizes: Sequence[Size] = SIZES,
    steps: int = STEPS,
    steps_of_sizes: int = STEPS_OF_SIZES,
    beside: Sequence[int] = BESIDE,
) -> Iterator[list[Record]]:
    """Compare the ways of `generation.compare` at every point of the three curves.

    Args:
        base: the smallest model; its tokenizer is that of all.
        environment: played greedily on the first tasks of `unseen`.
        rounds: paired rounds of each point.
        widths: episodes side by side.
        lengths: steps of the longest episode.
        sizes: larger models.
        steps: longest episode while the width varies.
        steps_of_sizes: longest episode while the model varies.
        beside: episodes side by side while steps or model vary.

    Yields:
        The records of one point; `over` in their setting is the curve: "width", "length" or "size".

    Raises:
        ValueError: two ways wrote different tokens.
    """
    point = partial(_point, environment, rounds)
    for width in widths:
        yield point("width", base, width, steps)
    for width in beside:
        for longest in lengths:
            yield point("length", base, width, longest)
    for width in beside:
        yield point("size", base, width, steps_of_sizes)
    for size in sizes:
        policy = random_policy(base, size)
        for width in beside:
            yield point("size", policy, width, steps_of_sizes, size.fewest)


def _point(
    environment: Environment,
    rounds: int,
    over: str,
    policy: Policy,
    width: int,
    longest: int,
    fewest: int = FEWEST,
) -> list[Record]:
    short = replace(environment, step_limit=longest)
    n_batches = -(-max(width, fewest) // width)
    return generation.compare(
        policy,
        short,
        short.tasks("unseen", width * n_batches),
        rounds=rounds,
        parallel=width,
        part=PART,
        setting={"over": over},
    )


def random_policy(base: Policy, size: Size, *, seed: int = 0) -> Policy:
    """A Llama of random weights with the tokenizer of `base`."""
    tokenizer, heads = base.codec.tokenizer, size.hidden // 64
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=size.hidden,
        intermediate_size=8 * size.hidden // 3,
        num_hidden_layers=size.layers,
        num_attention_heads=heads,
        num_key_value_heads=max(1, heads // 3),
        max_position_embeddings=LONGEST,
        initializer_range=SPREAD,
        tie_word_embeddings=False,  # tied ones of random weights repeat the last token for ever
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return replace(base, name="random", model=LlamaForCausalLM(config).eval())
