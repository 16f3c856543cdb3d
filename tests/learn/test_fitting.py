"""Reading and fitting in batches: every row once, in order; interrupted fits continue bit for bit."""

import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from spa_lab.agent.codec import ContextTooLong, TokenBatch, TokenRow
from spa_lab.agent.rollout import Policy
from spa_lab.learn.checkpoint import Checkpoint
from spa_lab.learn.fitting import fit, new_head
from spa_lab.learn.reading import read_rows, read_written
from tests.learn.states import KeptStates


@pytest.fixture(scope="module")
def policy(make_policy: Callable[..., Policy]) -> Policy:
    return make_policy()


ROWS = [TokenRow(f"t{i}", (7 + i,) * n, (0,) * n) for i, n in enumerate((5, 2, 9, 2, 7))]
COUNTS = [len(row.ids) for row in ROWS]


@pytest.fixture
def checkpoint() -> KeptStates:
    return KeptStates()


def _flat(batch: TokenBatch) -> torch.Tensor:
    return batch.ids[batch.attention].float()


def test_numbers_of_written_tokens_stand_at_their_tokens(policy: Policy) -> None:
    """The number of a token is its id here; tokens that the policy did not write get 0."""
    rows = [TokenRow("a", (7, 8, 9, 10), (-1, 0, -1, 1)), TokenRow("b", (11, 12), (-1, 0))]
    arrays = read_written(
        lambda batch: batch.ids[batch.action_mask].float(), policy.codec, rows, limit=9, budget=99
    )
    assert [array.tolist() for array in arrays] == [[0, 8, 0, 10], [0, 12]]
    assert arrays[0].dtype == np.float64


@pytest.mark.parametrize("budget", [1, 12, 1000])
def test_what_is_read_comes_back_row_by_row(policy: Policy, budget: int) -> None:
    outputs = read_rows(_flat, policy.codec, ROWS, COUNTS, limit=9, budget=budget)
    assert [tuple(numbers.tolist()) for numbers in outputs] == [row.ids for row in ROWS]
    with pytest.raises(ContextTooLong, match="'t2' needs 9 tokens, limit is 8"):
        read_rows(_flat, policy.codec, ROWS, COUNTS, limit=8, budget=budget)


LENGTHS = [5, 2, 9, 2, 7]


class Toy:
    """A line fitted to the lengths; records the rows that it was asked for."""

    def __init__(self) -> None:
        self.model = new_head(1, 1, device=torch.device("cpu"), seed=0)
        self.indices: list[int] = []
        self.metrics: list[dict[str, float]] = []

    def loss(self, indices: Sequence[int]) -> tuple[torch.Tensor, dict[str, float]]:
        self.indices += indices
        x = torch.tensor([[float(LENGTHS[i])] for i in indices])
        return ((self.model(x) - x) ** 2).mean(), {"rows": len(indices)}

    def fit(
        self,
        *,
        epochs: int = 3,
        checkpoint: Checkpoint | None = None,
        seed: int = 0,
        micro_tokens: int | None = None,
    ) -> torch.Tensor:
        fit(
            self.model, LENGTHS, self.loss, epochs=epochs, lr=0.1, budget=12, similar_lengths=False,
            rng=random.Random(seed), on_update=self.metrics.append, checkpoint=checkpoint,
            micro_tokens=micro_tokens,
        )  # fmt: skip
        return torch.cat([weight.detach().flatten() for weight in self.model.parameters()])


def test_every_row_is_used_once_a_pass() -> None:
    toy = Toy()
    before = [weight.detach().clone() for weight in toy.model.parameters()]
    toy.fit(epochs=2)
    assert sorted(toy.indices) == sorted([0, 1, 2, 3, 4] * 2)
    assert [list(metrics) for metrics in toy.metrics] == [["loss", "rows", "progress"]] * len(toy.metrics)
    assert toy.metrics[-1]["progress"] == 1.0 and sum(metrics["rows"] for metrics in toy.metrics) == 10
    assert not all(torch.equal(*pair) for pair in zip(before, toy.model.parameters(), strict=True))


def test_in_parts_a_batch_has_the_same_update() -> None:
    """As many updates, from more passes through the model."""
    whole, parts = Toy(), Toy()
    torch.testing.assert_close(parts.fit(micro_tokens=4), whole.fit())
    assert parts.indices == whole.indices and len(parts.metrics) == len(whole.metrics)
    for one, other in zip(parts.metrics, whole.metrics, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], abs=1e-5)
    assert {metrics["rows"] for metrics in parts.metrics} == {1.0} != {m["rows"] for m in whole.metrics}


def test_an_interrupted_fit_continues_bit_for_bit(checkpoint: KeptStates) -> None:
    whole = Toy()
    expected = whole.fit(checkpoint=checkpoint)
    assert [state.facts["fit"]["epoch"] for state in checkpoint.states] == [1, 2, 3]
    for n_done in (1, 2, 3):
        resumed = Toy()
        assert torch.equal(resumed.fit(checkpoint=KeptStates(checkpoint.states[:n_done])), expected)
        assert resumed.metrics == whole.metrics[len(whole.metrics) - len(resumed.metrics) :]
        assert sorted(resumed.indices) == sorted([0, 1, 2, 3, 4] * (3 - n_done))


def test_a_state_of_another_fit_is_refused(checkpoint: KeptStates) -> None:
    Toy().fit(checkpoint=checkpoint)
    with pytest.raises(ValueError, match=r"state: of a fit of \d+ updates, this one has \d+"):
        Toy().fit(epochs=4, checkpoint=checkpoint)


def test_heads_are_drawn_from_their_seed_and_begin_small() -> None:
    state = torch.random.get_rng_state()
    first, same, other = (new_head(8, 4, 1, device=torch.device("cpu"), seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert [type(layer).__name__ for layer in first] == ["Linear", "GELU", "Linear"]
    x = torch.ones(3, 8)
    assert torch.equal(first(x), same(x)) and not torch.equal(first(x), other(x))
    assert first(x).shape == (3, 1) and float(first(x).detach().abs().max()) < 0.1
