"""The clipped loss and its parts by hand, and an update's minibatches."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spa_lab.agent.codec import TokenRow
from spa_lab.agent.rollout import Episode, Policy
from spa_lab.configs.ppo import PPOConfig
from spa_lab.learn.estimates import Estimate
from spa_lab.learn.policy_gradient import Loss, Objective, clipped_loss, descend, minibatch_loss
from spa_lab.learn.update_batch import UpdateBatch, make_update_batch
from spa_lab.types import Trajectory

_NATS = st.floats(-5, 0)


def _loss(new: Sequence[float], old: Sequence[float], advantage: Sequence[float], **settings: Any) -> Loss:
    objective = Objective(**({"kl_coef": 0.0, "vf_coef": 0.0} | settings))
    names = {"new": new, "sampled": old, "reference": new, "advantage": advantage}
    tensors = {name: torch.tensor(given, dtype=torch.float64) for name, given in names.items()}
    return clipped_loss(**tensors, objective=objective)


RATIOS = [1.5, 0.5, 1.1, 1.5, 0.5]
SIGNS = [1.0, 1.0, 1.0, -1.0, -1.0]


def test_clipping_by_hand() -> None:
    """1.5 counts as 1.2 where that pays less, 0.5 as 0.8 where that costs more."""
    parts = _loss([math.log(ratio) for ratio in RATIOS], [0.0] * 5, SIGNS)
    assert float(parts.policy) == pytest.approx(-(1.2 + 0.5 + 1.1 - 1.5 - 0.8) / 5)
    assert float(parts.loss) == float(parts.policy)
    assert parts.clip_fraction == pytest.approx(4 / 5)


def test_without_a_reference_no_distance_is_paid_or_reported() -> None:
    new = torch.log(torch.tensor(RATIOS))
    parts = clipped_loss(
        new=new, sampled=torch.zeros(5), advantage=torch.tensor(SIGNS), objective=Objective(kl_coef=0.5)
    )
    assert parts.kl is None and "kl" not in parts.metrics()
    assert float(parts.loss) == float(parts.policy)


def test_what_is_clipped_is_not_pulled_further() -> None:
    new = torch.log(torch.tensor(RATIOS)).requires_grad_()
    zeros = torch.zeros(5)
    objective = Objective(kl_coef=0.0, vf_coef=0.0)
    clipped_loss(
        new=new, sampled=zeros, reference=zeros, advantage=torch.tensor(SIGNS), objective=objective
    ).loss.backward()
    assert new.grad is not None
    assert new.grad.tolist() == pytest.approx([0, -0.5 / 5, -1.1 / 5, 1.5 / 5, 0])


def test_the_parts_add_up() -> None:
    """Ratio 1, advantage 1; values 3 and 1 against returns 1 and 1; reference twice as likely."""
    zeros, objective = torch.zeros(2), Objective(vf_coef=0.25, kl_coef=0.5)
    values, returns = torch.tensor([3.0, 1.0]), torch.tensor([1.0, 1.0])
    parts = clipped_loss(
        new=zeros, sampled=zeros, reference=zeros + math.log(2), advantage=torch.ones(2),
        values=values, returns=returns, objective=objective,
    )  # fmt: skip
    assert float(parts.policy) == pytest.approx(-1)
    assert float(parts.value) == pytest.approx(2)
    assert float(parts.kl) == pytest.approx(math.log(2) ** 2 / 2)
    assert float(parts.loss) == pytest.approx(-1 + 0.25 * 2 + 0.5 * math.log(2) ** 2 / 2)
    assert (parts.clip_fraction, parts.approx_kl) == (0.0, 0.0)


@given(st.lists(st.tuples(_NATS, _NATS, _NATS), min_size=1, max_size=6))
def test_divergences_are_never_negative(rows: list[tuple[float, float, float]]) -> None:
    new, old, reference = torch.tensor(rows, dtype=torch.float64).T
    zeros = torch.zeros(len(rows), dtype=torch.float64)
    parts = clipped_loss(new=new, sampled=old, reference=reference, advantage=zeros, objective=Objective())
    assert float(parts.kl) >= 0
    assert parts.approx_kl >= -1e-12
    slow = [math.exp(n - o) - 1 - (n - o) for n, o, _ in rows]
    assert parts.approx_kl == pytest.approx(sum(slow) / len(rows))


def test_divergences_are_right_on_average() -> None:
    """Each token weighted by its probability: k2 gives the gradient of the KL, k3 the KL itself."""
    p, q = torch.tensor([0.5, 0.3, 0.2]).double(), torch.tensor([0.2, 0.2, 0.6]).double()
    zero = torch.zeros(1).double()

    def parts(new: torch.Tensor, old: torch.Tensor, reference: torch.Tensor) -> list[Loss]:
        words = zip(new.split(1), old.split(1), reference.split(1), strict=True)
        return [
            clipped_loss(new=n, sampled=s, reference=r, advantage=zero, objective=Objective())
            for n, s, r in words
        ]

    logits = p.log().requires_grad_()
    new = logits.log_softmax(0)
    (true,) = torch.autograd.grad((new.exp() * (new - q.log())).sum(), logits, retain_graph=True)
    losses = [part.kl for part in parts(new=new, old=p.log(), reference=q.log())]
    expected = sum(weight * loss for weight, loss in zip(p, losses, strict=True))
    (gradient,) = torch.autograd.grad(expected, logits)
    assert gradient.tolist() == pytest.approx(true.tolist())
    from_old = [part.approx_kl for part in parts(new=q.log(), old=p.log(), reference=p.log())]
    exact = float((p * (p / q).log()).sum())
    assert float(p @ torch.tensor(from_old).double()) == pytest.approx(exact, rel=1e-5)


def test_the_two_sides_of_the_clip_range_are_set_apart() -> None:
    """1.5 counts as 1.28, 0.5 as 0.9."""
    parts = _loss([math.log(ratio) for ratio in RATIOS], [0.0] * 5, SIGNS, clip_low=0.1, clip_high=0.28)
    assert float(parts.policy) == pytest.approx(-(1.28 + 0.5 + 1.1 - 1.5 - 0.9) / 5)
    assert parts.clip_fraction == pytest.approx(4 / 5)


def test_kl_forms_by_hand() -> None:
    """The reference is twice as likely: k2 log(2)^2 / 2, k3 2 - 1 - log 2."""
    zeros = torch.zeros(1)
    given = {"new": zeros, "sampled": zeros, "reference": zeros + math.log(2), "advantage": zeros}
    k2, k3 = (clipped_loss(**given, objective=Objective(kl_form=form)).kl for form in ("k2", "k3"))
    assert float(k2) == pytest.approx(math.log(2) ** 2 / 2)
    assert float(k3) == pytest.approx(1 - math.log(2))


def test_weights_make_weighted_means() -> None:
    """Advantages 1 and 5 with weights 3 and 1; squared errors 4 and 0."""
    zeros = torch.zeros(2)
    parts = clipped_loss(
        new=zeros, sampled=zeros, reference=zeros, advantage=torch.tensor([1.0, 5.0]),
        weights=torch.tensor([3.0, 1.0]), values=torch.tensor([2.0, 0.0]), returns=zeros,
        objective=Objective(),
    )  # fmt: skip
    assert float(parts.policy) == pytest.approx(-(3 * 1 + 1 * 5) / 4)
    assert float(parts.value) == pytest.approx(3 * 4 / 4)
    unused = clipped_loss(
        new=zeros, sampled=zeros, reference=zeros, advantage=zeros + 1, weights=zeros, objective=Objective()
    )
    assert float(unused.loss) == 0.0


def test_entropy_is_paid() -> None:
    zeros = torch.zeros(2)
    given = {"new": zeros, "sampled": zeros, "reference": zeros, "advantage": zeros}
    parts = clipped_loss(**given, entropy=torch.tensor([1.0, 3.0]), objective=Objective(entropy_coef=0.5))
    assert float(parts.loss) == pytest.approx(-0.5 * 2)
    assert parts.metrics()["entropy"] == 2.0
    assert "entropy" not in clipped_loss(**given, objective=Objective()).metrics()


def test_a_critic_needs_both_values_and_returns() -> None:
    zeros = torch.zeros(1)
    with pytest.raises(ValueError, match="values and returns must be given together"):
        clipped_loss(
            new=zeros, sampled=zeros, reference=zeros, advantage=zeros, values=zeros, objective=Objective()
        )


@pytest.mark.parametrize(
    "bad", [{"clip_low": -0.1}, {"kl_coef": math.nan}, {"kl_form": "k1"}, {"mean_over": "batch"}]
)
def test_bad_objectives(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"Objective: {next(iter(bad))} must be"):
        Objective(**bad)


def test_the_objective_of_a_config() -> None:
    objective = Objective.of(PPOConfig(clip=0.3, kl_coef=0.1, vf_coef=0.5))
    assert objective == Objective(clip_low=0.3, clip_high=0.3, kl_coef=0.1, vf_coef=0.5)


STEPS = ((-1, 0, 0, -1, 1), (-1, -1, 0), (-1, 0, 0, -1, 1, 1, 1))
"""Step of each token of three episodes with 2, 1 and 2 steps."""
Build = Callable[..., UpdateBatch]


@pytest.fixture
def build(make_trajectory: Callable[..., Trajectory], policy: Policy) -> Build:
    """(settings of `make_update_batch`) -> a record of three episodes; `weight` is of the first."""

    def make(weight: np.ndarray | None = None, **settings: Any) -> UpdateBatch:
        rng = random.Random(0)
        episodes, estimates, reference = [], [], []
        for i, step in enumerate(STEPS):
            written = np.array(step) >= 0
            ids = tuple(rng.randrange(8) for _ in step)
            logprobs = np.where(written, [-rng.random() for _ in step], 0.0)
            trajectory = make_trajectory(1.0, [True] * (max(step) + 1), id=f"t{i}")
            episodes.append(Episode(trajectory, TokenRow(f"t{i}", ids, step), tuple(logprobs.tolist())))
            advantage = np.where(written, [rng.gauss(0, 1) for _ in step], 0.0)
            tokens = np.ones(len(step)) if weight is not None and i else weight
            estimates.append(Estimate(advantage, returns=advantage + 1.0 * written, weight=tokens))
            reference.append(logprobs - 0.1 * written)
        tokens = policy.codec.batch([episode.row for episode in episodes], limit=99)
        return make_update_batch(tokens, episodes, estimates, reference, **settings)

    return make


@pytest.fixture(scope="module")
def policy(make_policy: Callable[..., Policy]) -> Policy:
    return make_policy(spread=0.3)


def test_selected_rows_are_trimmed_to_the_longest(build: Build) -> None:
    batch = build()
    part = batch.select([1, 0])
    assert (len(batch), batch.ids.shape, part.ids.shape) == (3, (3, 7), (2, 5))
    assert [trajectory.id for trajectory in part.trajectories] == ["t1", "t0"]
    assert torch.equal(part.step[1], torch.tensor(STEPS[0]))
    assert part.step[0].tolist() == [*STEPS[1], -1, -1]
    for name in ("sampled", "reference", "advantages", "returns"):
        whole, rows = getattr(batch, name), getattr(part, name)
        assert torch.equal(rows[1], whole[0, :5]) and torch.equal(rows[0, :3], whole[1, :3]), name
        assert rows.dtype == torch.float64 and part.to(torch.device("cpu")).sampled.dtype == torch.float32
    assert (part.centre, part.scale) == (batch.centre, batch.scale)


def test_advantages_are_normalised_over_the_written_tokens_of_the_whole_batch(build: Build) -> None:
    batch = build()
    normalised = batch.normalised[batch.written]
    assert float(normalised.mean()) == pytest.approx(0) and float(
        normalised.std(correction=0)
    ) == pytest.approx(1)
    raw = build(normalise=False)
    assert torch.equal(raw.normalised, raw.advantages)


@pytest.mark.parametrize("mean_over", ["token", "step", "episode"])
def test_what_the_loss_is_a_mean_over(build: Build, policy: Policy, mean_over: str) -> None:
    """At ratio 1 the policy's part is the mean advantage: over tokens, steps or episodes."""
    batch = build(normalise=False, mean_over=mean_over)
    units: list[float] = []
    for advantages, steps in zip(batch.advantages.numpy(), STEPS, strict=True):
        step, row = np.array(steps), advantages[: len(steps)]
        if mean_over == "token":
            units += row[step >= 0].tolist()
        elif mean_over == "step":
            units += [row[step == t].mean() for t in range(max(steps) + 1)]
        else:
            units.append(row[step >= 0].mean())
    with torch.no_grad():
        batch = batch.to(torch.device("cpu"))
        now = minibatch_loss(policy, batch, Objective(), temperature=1.0)
        hidden = policy.model(batch.ids).logits.log_softmax(-1)
        new = hidden[:, :-1].gather(2, batch.ids[:, 1:, None]).squeeze(2)
        same = replace(batch, sampled=torch.nn.functional.pad(new, (1, 0)))
        parts = minibatch_loss(policy, same, Objective(), temperature=1.0)
    assert float(parts.policy) == pytest.approx(-np.mean(units), abs=1e-5)
    assert float(now.policy) != pytest.approx(-np.mean(units), abs=1e-3)


@pytest.mark.parametrize("mean_over", ["token", "step", "episode"])
def test_in_parts_a_minibatch_has_the_same_gradient(build: Build, policy: Policy, mean_over: str) -> None:
    batch = build(mean_over=mean_over)

    def gradient(*parts: UpdateBatch) -> tuple[list[torch.Tensor], dict[str, float]]:
        policy.model.zero_grad()
        metrics = descend(policy, parts, Objective(kl_coef=0.1, entropy_coef=0.1), temperature=0.8)
        return [w.grad.clone() for w in policy.model.parameters() if w.grad is not None], metrics

    whole, metrics = gradient(batch)
    parts, same = gradient(batch.select([0]), batch.select([1, 2]))
    policy.model.zero_grad()
    assert len(whole) > 5 and metrics == pytest.approx(same, rel=1e-5)
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_weights_of_estimates_reach_the_loss(build: Build) -> None:
    weight = np.array([0.0, 2.0, 0.0, 0.0, 1.0])
    batch = build(weight=weight, mean_over="episode")
    assert batch.weights is not None
    np.testing.assert_allclose(batch.weights[0, :5], weight / 3)  # three written tokens
    np.testing.assert_allclose(batch.weights[1, :3], [0, 0, 1])


def test_returns_of_some_episodes_only_are_refused(build: Build, policy: Policy) -> None:
    rows = [TokenRow("a", (1, 2), (-1, 0)), TokenRow("b", (1, 2), (-1, 0))]
    batch = build()
    episodes = [Episode(batch.trajectories[1], row, (0.0, -0.5)) for row in rows]
    zeros = np.zeros(2)
    with pytest.raises(ValueError, match="1 of 2 estimates have returns"):
        make_update_batch(
            policy.codec.batch(rows, limit=9),
            episodes,
            [Estimate(zeros, zeros), Estimate(zeros)],
            [zeros] * 2,
        )
