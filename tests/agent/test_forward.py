"""Forward passes over slots give the hidden states of transformers reading every text alone."""

import random
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from spa_lab.agent.forward import Forward, LlamaForward, TransformersForward, forward_of
from spa_lab.agent.lora import add_lora
from spa_lab.agent.slots import History, Pass, Slots

WORDS = 12
SHAPE = dict(
    vocab_size=WORDS, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, head_dim=8, max_position_embeddings=256, initializer_range=0.35,
)  # fmt: skip


def _made(kind: type[PreTrainedModel], config: type, **options: object) -> PreTrainedModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return kind(config(**SHAPE | options)).eval()


def _llama(**options: object) -> PreTrainedModel:
    return _made(LlamaForCausalLM, LlamaConfig, **options)


MODELS: dict[str, Callable[[], PreTrainedModel]] = {
    "llama": _llama,
    "llama with biases": lambda: _llama(attention_bias=True, mlp_bias=True),
    "llama, one key head for all": lambda: _llama(num_key_value_heads=1),
    "llama 3's positions": lambda: _llama(
        rope_parameters={
            "rope_type": "llama3", "rope_theta": 10_000.0, "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 32,
        }
    ),
    "mistral": lambda: _made(MistralForCausalLM, MistralConfig, sliding_window=200),
    "qwen3": lambda: _made(Qwen3ForCausalLM, Qwen3Config),
    "gemma2": lambda: _made(Gemma2ForCausalLM, Gemma2Config, attn_implementation="eager"),
}  # fmt: skip


@torch.inference_mode()
def _alone(model: PreTrainedModel, ids: Sequence[int]) -> Tensor:
    return model.base_model(torch.tensor([ids]), use_cache=False).last_hidden_state[0]


@torch.inference_mode()
def _largest_error(model: PreTrainedModel, forward: Forward, *, prefix: int = 0) -> float:
    """Texts of many lengths read in passes of uneven pieces, with drafts, some behind a shared prefix."""
    rng = random.Random(0)
    words = [[rng.randrange(WORDS) for _ in range(n)] for n in (1, 40, 7, 23, 60, 2) * 4]
    shared = [rng.randrange(WORDS) for _ in range(prefix)]
    slots, texts, histories = Slots(), [], []
    slots.resize(len(words), 80)
    keys_values = _prefix(forward, model, shared) if prefix else None
    for i, text in enumerate(words):
        length = prefix - i % 3 if prefix else 0
        histories.append(History(list(text), prefix=keys_values, prefix_length=length))
        texts.append(shared[:length] + text)
    error = 0.0
    for n in (1, 30, 2, 9, 40):
        counts = []
        for history, text in zip(histories, texts, strict=True):
            if not history.pending:
                history.pending = [rng.randrange(WORDS)]
                text += history.pending
            counts.append(min(n, len(history.pending)))
            done = counts[-1] == len(history.pending)
            history.draft = [rng.randrange(WORDS) for _ in range(rng.randrange(3))] if done else []
        current = Pass(slots, histories, counts, model.device)
        hidden = iter(forward(current))
        for history, text, count in zip(histories, texts, counts, strict=True):
            end = history.prefix_length + len(history.read) + count
            expected = _alone(model, [*text[:end], *history.draft])[end - 1 :]
            error = max(error, *(float((next(hidden) - row).abs().max()) for row in expected))
            history.advance(count)
    return error


def _prefix(forward: Forward, model: PreTrainedModel, ids: list[int]) -> list[tuple[Tensor, Tensor]]:
    slots = Slots()
    slots.resize(1, len(ids))
    forward(Pass(slots, [History(list(ids))], [len(ids)], model.device), last_only=False)
    return [(keys[0], values[0]) for keys, values in zip(slots.keys, slots.values, strict=True)]


@pytest.mark.parametrize("prefix", [0, 21])
@pytest.mark.parametrize("name", MODELS)
def test_slots_hold_what_reading_alone_computes(name: str, prefix: int) -> None:
    model = MODELS[name]()
    assert _largest_error(model, forward_of(model), prefix=prefix) < 1e-5


@pytest.mark.parametrize("prefix", [0, 21])
def test_transformers_reads_a_llama_in_the_same_way(prefix: int) -> None:
    model = _llama()
    assert _largest_error(model, TransformersForward(model), prefix=prefix) < 1e-5


def test_what_is_written_out_and_what_is_not() -> None:
    assert isinstance(forward_of(_llama()), LlamaForward)
    assert isinstance(forward_of(MODELS["mistral"]()), TransformersForward)
    adapted = _llama()
    add_lora(adapted, rank=2, seed=0)
    assert isinstance(forward_of(adapted), TransformersForward)
    hooked = _llama()
    hooked.model.layers[0].register_forward_hook(lambda *_: None)
    assert isinstance(forward_of(hooked), TransformersForward)


def test_a_window_must_hold_the_whole_text() -> None:
    model = _made(MistralForCausalLM, MistralConfig, sliding_window=8)
    slots, forward = Slots(), forward_of(model)
    slots.resize(1, 16)
    history = History([2] * 9, draft=[])
    forward(Pass(slots, [history], [8], model.device))
    history.advance(8)
    with pytest.raises(ValueError, match="attention window is 8 tokens, 9 are needed"):
        forward(Pass(slots, [history], [1], model.device))


def test_the_model_is_left_unchanged() -> None:
    model = MODELS["qwen3"]()
    before = model.config._attn_implementation
    _largest_error(model, forward_of(model))
    assert model.config._attn_implementation == before
