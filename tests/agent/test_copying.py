"""A fresh model that copies: after a token it predicts what followed that token before."""

import pytest
import torch
from transformers import LlamaForCausalLM

from spa_lab.agent.copying import begin_copying
from spa_lab.agent.models import tiny_model
from spa_lab.agent.tokenizer import build_tokenizer


@pytest.fixture(scope="module")
def fresh() -> LlamaForCausalLM:
    names = [f"B{number}" for number in range(100, 300)]
    tokenizer = build_tokenizer([" ".join(names)] * 2, names, at_least=2, numbered=False)
    return tiny_model(tokenizer, seed=0)


def _copied(model: LlamaForCausalLM) -> float:
    """Share of tokens of the second half of a text, equal to its first, that are the most likely ones."""
    first = torch.randint(256, model.config.vocab_size, (8, 60), generator=torch.Generator().manual_seed(1))
    ids = torch.cat([first, first], dim=1)
    with torch.no_grad():
        likely = model(ids).logits[:, 60:-1].argmax(-1)
    return float((likely == ids[:, 61:]).float().mean())


def test_what_stood_behind_a_token_is_expected_behind_it(fresh: LlamaForCausalLM) -> None:
    before = {name: weight.clone() for name, weight in fresh.state_dict().items()}
    assert _copied(fresh) < 0.05
    begin_copying(fresh, back=6, seed=0)
    assert _copied(fresh) > 0.3
    changed = {name for name, weight in fresh.state_dict().items() if not weight.equal(before[name])}
    assert not any("mlp" in name or "layers.2" in name or "layers.3" in name for name in changed)
    once = {name: weight.clone() for name, weight in fresh.state_dict().items()}
    fresh.load_state_dict(before)
    begin_copying(fresh, back=6, seed=0)
    assert all(weight.equal(once[name]) for name, weight in fresh.state_dict().items())
