"""Logits are those of the model, whatever it does after its head; playing and learning read the same ones."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)

from spa_lab.agent.engine import Engine
from spa_lab.agent.head import check_head, logits_of
from spa_lab.agent.models import load_policy, save_policy
from spa_lab.agent.rollout import Policy
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.learn.language import hidden_states, logprobs_under

SHAPE = dict(
    vocab_size=32, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, head_dim=8, max_position_embeddings=64, initializer_range=0.6,
    pad_token_id=0, bos_token_id=1, eos_token_id=2,
)  # fmt: skip
IDS = torch.tensor([[3, 14, 15, 9, 26, 5]])


def _made(kind: type[PreTrainedModel], config: type, **options: object) -> PreTrainedModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return kind(config(**SHAPE | options)).eval()


MODELS: dict[str, Callable[[], PreTrainedModel]] = {
    "divided": lambda: _made(GraniteForCausalLM, GraniteConfig, logits_scaling=8.0),
    "multiplied": lambda: _made(CohereForCausalLM, CohereConfig, logit_scale=0.0625),
    "bounded": lambda: _made(Gemma2ForCausalLM, Gemma2Config, final_logit_softcapping=2.0),
    "as they are": lambda: _made(LlamaForCausalLM, LlamaConfig),
}


@pytest.mark.parametrize("name", MODELS)
@torch.inference_mode()
def test_playing_and_learning_read_the_models_own_logits(
    name: str, make_policy: Callable[..., Policy]
) -> None:
    model = MODELS[name]()
    own = torch.log_softmax(model(IDS).logits[0].float(), dim=-1)  # (L, V)
    hidden = hidden_states(model, IDS)[0]
    engine = Engine(replace(make_policy(), model=model), RolloutConfig(temperature=1.0))
    torch.testing.assert_close(engine.log_probs(hidden, []).float(), own)
    mask = torch.tensor([[False, *[True] * 5]])
    read = logprobs_under(model, IDS, mask, temperature=1.0)
    torch.testing.assert_close(read, own[:-1].gather(1, IDS[0, 1:, None])[:, 0])


@torch.inference_mode()
def test_the_logits_of_a_llama_are_its_heads_bit_for_bit() -> None:
    model = MODELS["as they are"]()
    hidden = hidden_states(model, IDS)[0]
    assert torch.equal(logits_of(model, hidden), model.get_output_embeddings()(hidden).float())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", MODELS)
def test_known_heads_are_accepted_in_every_precision(name: str, dtype: torch.dtype) -> None:
    check_head(MODELS[name]().to(dtype), name)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_model_with_another_head_is_refused_when_it_is_loaded(
    make_policy: Callable[..., Policy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype
) -> None:
    save_policy(make_policy(), tmp_path / "model", dtype=dtype)
    forward = LlamaForCausalLM.forward

    def raised(self: LlamaForCausalLM, *args: object, **options: object) -> object:
        output = forward(self, *args, **options)
        output.logits = output.logits * 1.2
        return output

    load_policy(tmp_path / "model", name="x", dtype="auto")
    monkeypatch.setattr(LlamaForCausalLM, "forward", raised)
    with pytest.raises(
        ValueError,
        match=r"model: LlamaForCausalLM makes its logits, which .* differ by up to",
    ):
        load_policy(tmp_path / "model", name="x", dtype="auto")
