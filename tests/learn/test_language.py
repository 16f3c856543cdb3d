"""Log-probabilities of given tokens, against a forward pass for each token."""

from collections.abc import Callable

import pytest
import torch

from spa_lab.agent.rollout import Policy
from spa_lab.learn.language import hidden_states, trainable_parameters, written_logits, written_logprobs


@pytest.fixture(scope="module")
def policy(make_policy: Callable[..., Policy]) -> Policy:
    return make_policy(layers=2, spread=0.3)


@torch.no_grad()
def test_logprobs_are_those_of_reading_up_to_each_token(policy: Policy) -> None:
    ids = torch.tensor([[9, 8, 7, 6, 5], [30, 31, 32, 0, 0]])
    mask = torch.tensor([[0, 1, 0, 1, 1], [0, 0, 1, 0, 0]], dtype=torch.bool)
    logits = written_logits(policy.model, hidden_states(policy.model, ids), mask)
    log_probs = written_logprobs(logits, ids, mask)
    slow = []
    for b, column in [(0, 1), (0, 3), (0, 4), (1, 2)]:
        logits_here = policy.model(ids[b : b + 1, :column]).logits[0, -1].double()
        slow.append(float(logits_here[ids[b, column]] - logits_here.exp().sum().log()))
    assert logits.shape == (4, len(policy.codec.tokenizer))
    assert log_probs.tolist() == pytest.approx(slow, abs=1e-5)


@torch.no_grad()
def test_padding_says_nothing(policy: Policy) -> None:
    ids = torch.tensor([[9, 8, 7]])
    padded = torch.tensor([[9, 8, 7, policy.codec.pad_id, policy.codec.pad_id], [5, 4, 3, 2, 1]])
    torch.testing.assert_close(hidden_states(policy.model, padded)[:1, :3], hidden_states(policy.model, ids))


def test_the_first_token_is_predicted_from_nothing(policy: Policy) -> None:
    ids = torch.tensor([[9, 8], [7, 6], [5, 4]])
    mask = torch.tensor([[1, 1], [0, 1], [1, 0]], dtype=torch.bool)
    with pytest.raises(ValueError, match="2 of 3 rows"):
        written_logits(policy.model, hidden_states(policy.model, ids), mask)


def test_only_what_learns_is_named() -> None:
    layers = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
    layers[0].requires_grad_(False)
    assert [name for name, _ in trainable_parameters(layers)] == ["1.weight", "1.bias"]
