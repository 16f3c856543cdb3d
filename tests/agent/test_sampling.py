"""Next-token distributions, sampling by inversion, and policies restricted to a list of texts."""

import math
import random
from collections.abc import Callable

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from spa_lab.agent.rollout import Policy
from spa_lab.agent.sampling import AllowedTexts, next_token_log_probs, sample_tokens

TEXTS = ("Action: go left", "Action: go right", "Action: go")


@pytest.fixture(scope="module")
def policy(make_policy: Callable[..., Policy]) -> Policy:
    """Encodes "Action: go" as one token, so that the texts share a beginning."""
    return make_policy(*TEXTS, names=("left", "right"), layers=2, spread=0.3, seed=1)


def test_temperature_divides_the_logits() -> None:
    logits = torch.tensor([[0.0, math.log(2.0)]])
    for temperature, expected in ((1.0, [1 / 3, 2 / 3]), (0.5, [1 / 5, 4 / 5]), (0, [0.0, 1.0])):
        probs = next_token_log_probs(logits, temperature=temperature).exp()
        assert probs[0].tolist() == pytest.approx(expected)
        assert probs.dtype == torch.float64


@pytest.mark.parametrize("temperature", [0, 0.7])
def test_on_a_mac_double_precision_is_on_the_cpu(temperature: float) -> None:
    """Its device has no float64; fake tensors have a device and no numbers."""
    with FakeTensorMode():
        for device, expected in (("mps", "cpu"), ("cuda", "cuda")):
            logits = torch.zeros(2, 3, device=device)
            log_probs = next_token_log_probs(logits, temperature=temperature)
            assert (log_probs.device.type, log_probs.dtype) == (expected, torch.float64)


def test_samples_invert_the_cumulative_distribution() -> None:
    probs = torch.tensor([[0.25, 0.5, 0.25], [0.0, 1.0, 0.0]], dtype=torch.float64)
    uniforms = torch.tensor([[0.0, 0.2499, 0.25, 0.7499, 0.75, 0.9999]] * 2, dtype=torch.float64)
    assert sample_tokens(probs.log(), uniforms).tolist() == [[0, 0, 1, 1, 2, 2], [1] * 6]


def test_sampled_frequencies_are_the_probabilities() -> None:
    rng = random.Random(0)
    log_probs = next_token_log_probs(torch.tensor([[0.0, 1.0, -1.0, 0.5]]), temperature=0.7)
    uniforms = torch.tensor([[rng.random() for _ in range(20_000)]], dtype=torch.float64)
    counts = torch.bincount(sample_tokens(log_probs, uniforms)[0], minlength=4) / 20_000
    assert counts.tolist() == pytest.approx(log_probs[0].exp().tolist(), abs=0.012)  # 3.4 standard errors


def test_the_last_token_is_in_range_where_probabilities_sum_to_less_than_one() -> None:
    log_probs = torch.tensor([[0.1] * 9 + [0.1 - 1e-9]], dtype=torch.float64).log()
    below_one = torch.tensor([[math.nextafter(1.0, 0.0)]], dtype=torch.float64)
    assert sample_tokens(log_probs, below_one).tolist() == [[9]]


def test_allowed_texts(policy: Policy) -> None:
    allowed = AllowedTexts.of(TEXTS, policy.codec)
    (go,) = policy.codec.text_ids("Action: go")
    assert allowed.max_tokens == 3
    assert allowed.next_tokens([]) == [go]
    assert policy.codec.end_id in allowed.next_tokens([go]) and len(allowed.next_tokens([go])) == 3
    assert allowed.next_tokens([go, policy.codec.end_id]) == []
    for texts in ((), ("a", "a")):
        with pytest.raises(ValueError, match="must be distinct and at least one"):
            AllowedTexts.of(texts, policy.codec)


@pytest.mark.parametrize("temperature", [0, 0.7])
def test_forbidden_tokens_have_probability_zero(policy: Policy, temperature: float) -> None:
    """And the allowed ones share all of it, each row by what it has written."""
    allowed = AllowedTexts.of(TEXTS, policy.codec)
    (go,) = policy.codec.text_ids("Action: go")
    logits = torch.zeros(2, len(policy.codec.tokenizer))
    logits[:, 0] = 99.0  # likely, but forbidden
    probs = next_token_log_probs(logits, temperature=temperature, allowed=allowed, written=[[], [go]]).exp()
    assert probs.sum(1).tolist() == pytest.approx([1, 1])
    assert probs[0].nonzero().flatten().tolist() == [go]
    possible = set(probs[1].nonzero().flatten().tolist())
    assert possible <= set(allowed.next_tokens([go])) and len(possible) == (1 if temperature == 0 else 3)
