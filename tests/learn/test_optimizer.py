"""Two optimisers as one: who gets which weights, how the rate moves, what is left alone."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from spa_lab.agent.rollout import Policy
from spa_lab.learn.optimizer import Optimizer


def _line(weight: float = 1.0) -> nn.Linear:
    line = nn.Linear(1, 1, bias=False)
    nn.init.constant_(line.weight, weight)
    return line


def _rates(optimizer: Optimizer, model: nn.Module, n: int) -> list[float]:
    """The rate of each of n updates."""
    rates = []
    for _ in range(n):
        model(torch.ones(1, 1)).sum().backward()
        optimizer.step()
        rates.append(optimizer.parts[0].param_groups[0]["lr"])
    return rates


def test_the_rate_rises_and_falls_to_zero() -> None:
    model = _line()
    optimizer = Optimizer(model, lr=8.0, n_updates=8, warmup=2)
    expected = [8 * min(1, (i + 1) / 2) * (1 - i / 8) for i in range(8)]
    assert _rates(optimizer, model, 8) == pytest.approx(expected)
    assert _rates(optimizer, model, 2) == [0.0, 0.0]  # more updates than promised change nothing


def test_short_fits_stay_below_the_peak_as_the_page_on_settings_says() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "settings.md"
    updates, largest, mean = (
        [float(cell) for cell in re.findall(r"[\d.]+", row)]
        for row in re.findall(
            r"^\| (?:updates of the fit|largest|mean) \|(.*)$", page.read_text(), re.MULTILINE
        )
    )
    for n, *expected in zip(map(int, updates), largest, mean, strict=True):
        rates = _rates(Optimizer(model := _line(), lr=1.0, n_updates=n), model, n)
        assert [max(rates), sum(rates) / n] == pytest.approx(expected, abs=0.0051)


def test_without_an_end_the_rate_stays() -> None:
    model = _line()
    assert _rates(Optimizer(model, lr=6.0, warmup=3), model, 5) == [2.0, 4.0, 6.0, 6.0, 6.0]


def test_hidden_matrices_go_to_muon_and_tables_do_not(make_policy: Callable[..., Policy]) -> None:
    model = make_policy(layers=2).model
    optimizer = Optimizer(model, lr=1e-3, muon_lr=1e-2)
    adam, muon = (part.param_groups[0]["params"] for part in optimizer.parts)
    assert {p.ndim for p in muon} == {2}
    assert len(muon) == 2 * 7  # q, k, v, o, gate, up, down of each layer
    assert not any(p is model.get_input_embeddings().weight for p in muon)
    assert sorted(map(id, [*adam, *muon])) == sorted(map(id, model.parameters()))


def test_without_muon_everything_goes_to_one(make_policy: Callable[..., Policy]) -> None:
    model = make_policy().model
    optimizer = Optimizer(model, lr=1e-3)
    assert len(optimizer.parts) == 1
    assert len(optimizer.parts[0].param_groups[0]["params"]) == len(list(model.parameters()))


def test_both_parts_move_and_the_frozen_stays() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].requires_grad_(False)
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = Optimizer(model, lr=0.1, muon_lr=0.1, warmup=1)
    model(torch.ones(1, 2)).square().sum().backward()
    optimizer.step()
    moved = [not torch.equal(p, old) for p, old in zip(model.parameters(), before, strict=True)]
    assert moved == [True, True, False, False]


def test_in_bfloat16_small_updates_add_up_in_a_master_copy() -> None:
    """A thousandth of 1 is lost in bfloat16, whose next smaller number is 0.996."""
    model = _line().to(torch.bfloat16)
    optimizer = Optimizer(model, lr=1e-3, warmup=1)
    weights = []
    for _ in range(8):
        model(torch.ones(1, 1, dtype=torch.bfloat16)).sum().backward()
        optimizer.step()
        weights.append(float(model.weight.detach()))
    assert weights[0] == 1.0 and weights[-1] == float(torch.tensor(1 - 8e-3, dtype=torch.bfloat16)) < 1
    assert model.weight.grad is None and float(optimizer.masters[0]) == pytest.approx(1 - 8e-3)


def test_a_master_copy_is_part_of_the_state() -> None:
    optimizers = []
    for n in (2, 0):
        model = _line().to(torch.bfloat16)
        optimizers.append(Optimizer(model, lr=1e-3, warmup=1))
        for _ in range(n):
            model(torch.ones(1, 1, dtype=torch.bfloat16)).sum().backward()
            optimizers[-1].step()
    first, second = optimizers
    second.load_state(first.state())
    assert torch.equal(first.masters[0], second.masters[0]) and float(second.masters[0]) < 1
    assert second.state().tensors.keys() == first.state().tensors.keys()


def test_gradients_are_measured_clipped_and_cleared() -> None:
    model = _line()
    optimizer = Optimizer(model, lr=1.0)
    seen: list[float] = []
    (part,) = optimizer.parts
    part.register_step_pre_hook(lambda *_: seen.append(model.weight.grad.item()))
    (model(torch.ones(1, 1)) * 30).sum().backward()
    assert optimizer.step(clip=3.0) == pytest.approx(30.0)
    assert seen == pytest.approx([3.0], rel=1e-4)
    assert model.weight.grad is None
