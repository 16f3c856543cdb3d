"""Log-probabilities of given tokens, against a forward pass for each token."""

from collections.abc import Callable

import pytest
import torch

from spa_lab.agent.rollout import Policy
from spa_lab.learn import language
from spa_lab.learn.language import (
    before_written,
    hidden_states,
    logprobs_under,
    read_tokens,
    trainable_parameters,
)


@pytest.fixture(scope="module")
def policy(make_policy: Callable[..., Policy]) -> Policy:
    return make_policy(layers=2, spread=0.3)


@torch.no_grad()
def test_logprobs_are_those_of_reading_up_to_each_token(policy: Policy) -> None:
    ids = torch.tensor([[9, 8, 7, 6, 5], [30, 31, 32, 0, 0]])
    mask = torch.tensor([[0, 1, 0, 1, 1], [0, 0, 1, 0, 0]], dtype=torch.bool)
    log_probs = logprobs_under(policy.model, ids, mask, temperature=1.0)
    slow = []
    for b, column in [(0, 1), (0, 3), (0, 4), (1, 2)]:
        logits_here = policy.model(ids[b : b + 1, :column]).logits[0, -1].double()
        slow.append(float(logits_here[ids[b, column]] - logits_here.exp().sum().log()))
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
        logprobs_under(policy.model, ids, mask, temperature=1.0)


def test_in_chunks_the_same_is_said_and_learnt(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    """One chunk of two tokens and a rest, each computed again in the backward pass."""
    ids = torch.tensor([[9, 8, 7, 6, 5], [30, 31, 32, 0, 0]])
    mask = torch.tensor([[0, 1, 1, 1, 0], [0, 0, 1, 1, 0]], dtype=torch.bool)

    def read() -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        features = before_written(hidden_states(policy.model, ids), mask)
        reading = read_tokens(policy.model, features, ids[mask], temperature=0.7, with_entropy=True)
        policy.model.zero_grad()
        (reading.logprobs.sum() + reading.entropy.sum()).backward()
        return list(reading), [p.grad.clone() for p in policy.model.parameters() if p.grad is not None]

    whole, gradients = read()
    monkeypatch.setattr(language, "LOGITS_AT_ONCE", 2 * policy.model.config.vocab_size + 1)
    parts, same = read()
    assert [part.shape for part in parts] == [(5,)] * 3 and len(gradients) > 10
    for one, other in zip([*whole, *gradients], [*parts, *same], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=2e-5)  # sums in another order
    with torch.no_grad():
        chosen = logprobs_under(policy.model, ids, mask, temperature=0.7)
    torch.testing.assert_close(chosen, whole[0])


def test_only_what_learns_is_named() -> None:
    layers = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
    layers[0].requires_grad_(False)
    assert [name for name, _ in trainable_parameters(layers)] == ["1.weight", "1.bias"]
