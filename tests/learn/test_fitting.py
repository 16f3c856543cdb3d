"""The frame of what reads and learns: every row once, in order, and a head that begins small."""

import random
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import pytest
import torch

from spa_lab.agent.codec import ContextTooLong, TokenBatch, TokenRow
from spa_lab.agent.rollout import Policy
from spa_lab.learn.fitting import fit_rows, new_head, read_rows


@pytest.fixture(scope="module")
def policy(make_policy: Callable[..., Policy]) -> Policy:
    return make_policy()


ROWS = [TokenRow(f"t{i}", (7 + i,) * n, (0,) * n) for i, n in enumerate((5, 2, 9, 2, 7))]
COUNTS = [len(row.ids) for row in ROWS]


def _flat(batch: TokenBatch) -> torch.Tensor:
    return batch.ids[batch.attention].float()


@pytest.mark.parametrize("budget", [1, 12, 1000])
def test_what_is_read_comes_back_row_by_row(policy: Policy, budget: int) -> None:
    said = read_rows(_flat, policy.codec, ROWS, COUNTS, limit=9, budget=budget)
    assert [tuple(own.tolist()) for own in said] == [row.ids for row in ROWS]
    with pytest.raises(ContextTooLong, match="'t2' needs 9 tokens, limit is 8"):
        read_rows(_flat, policy.codec, ROWS, COUNTS, limit=8, budget=budget)


def test_every_row_is_fitted_to_once_a_pass(policy: Policy) -> None:
    model, asked, seen = new_head(1, 1, device=torch.device("cpu"), seed=0), [], []

    class Reader(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = model

        def forward(self, batch: TokenBatch) -> torch.Tensor:
            return self.head(_flat(batch)[:, None]).squeeze(-1)

    def loss(said: torch.Tensor, numbers: Sequence[int]) -> tuple[torch.Tensor, dict[str, float]]:
        assert len(said) == sum(COUNTS[i] for i in numbers)
        asked.extend(numbers)
        return (said**2).mean(), {"rows": len(numbers)}

    before = [weight.detach().clone() for weight in model.parameters()]
    schedule = SimpleNamespace(epochs=2, lr=0.1, batch_tokens=12)
    fit_rows(
        Reader(), policy.codec, ROWS, loss, schedule, limit=9, rng=random.Random(0), on_update=seen.append
    )
    assert sorted(asked) == sorted([0, 1, 2, 3, 4] * 2)
    assert [list(metrics) for metrics in seen] == [["loss", "rows", "progress"]] * len(seen)
    assert seen[-1]["progress"] == 1.0 and sum(metrics["rows"] for metrics in seen) == 10
    assert not all(torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True))


def test_heads_are_drawn_from_their_seed_and_begin_small() -> None:
    state = torch.random.get_rng_state()
    one, same, other = (new_head(8, 4, 1, device=torch.device("cpu"), seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert [type(layer).__name__ for layer in one] == ["Linear", "GELU", "Linear"]
    x = torch.ones(3, 8)
    assert torch.equal(one(x), same(x)) and not torch.equal(one(x), other(x))
    assert one(x).shape == (3, 1) and float(one(x).detach().abs().max()) < 0.1
