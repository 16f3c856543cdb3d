"""The progress estimator: contributions that add up to an outcome, each read from the past alone."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spa_lab.agent.codec import Codec, ContextTooLong, TokenRow
from spa_lab.agent.models import copy_policy
from spa_lab.agent.rollout import Policy
from spa_lab.configs.estimator import EstimatorConfig
from spa_lab.learn.estimator import (
    ProgressEstimator,
    estimator_loss,
    fit_estimator,
    load_estimator,
    save_estimator,
)
from spa_lab.types import Credit, Step, Trajectory
from tests.learn.states import KeptStates

HEADS = pytest.mark.parametrize("head", ["mlp", "vocabulary"])


@pytest.fixture(scope="module")
def policy(make_policy: Callable[..., Policy]) -> Policy:
    texts = ["Thought: think ", "\nAction: act ", "Action: good", "Action: bad", "You see a door.", "reply "]
    return make_policy(*texts, layers=2, spread=0.3)


@pytest.fixture
def episodes(make_trajectory: Callable[..., Trajectory]) -> list[Trajectory]:
    """Seven episodes of 1 to 5 steps with outcomes between 0 and 1."""
    lengths = [3, 1, 5, 2, 4, 2, 3]
    return [make_trajectory(i / 6, [True] * n, id=f"t{i}") for i, n in enumerate(lengths)]


def _estimator(policy: Policy, *, seed: int = 0, **settings: Any) -> ProgressEstimator:
    twin = copy_policy(policy, name="estimator")
    return ProgressEstimator(twin.model, twin.codec, EstimatorConfig(**settings), seed=seed).eval()


def test_loss_by_hand() -> None:
    """Predicted 1/2 + 1/4 = 3/4 and -1; off by -1/4 and -3/2; last steps hold 1/3 and all of the credit."""
    parts = estimator_loss(torch.tensor([0.5, 0.25, -1.0]), [2, 1], [1.0, 0.5])
    assert float(parts.loss) == pytest.approx((1 / 16 + 9 / 4) / 2)
    assert parts.bias == pytest.approx(-(1 / 4 + 3 / 2) / 2)
    assert parts.share_on_last_step == pytest.approx((1 / 3 + 1) / 2)


def test_loss_against_a_loop() -> None:
    rng = np.random.default_rng(0)
    lengths = [4, 1, 7, 2]
    outcomes = rng.uniform(size=4).tolist()
    contributions = rng.normal(size=sum(lengths))
    squares, start = [], 0
    for length, outcome in zip(lengths, outcomes, strict=True):
        total = 0.0
        for c in contributions[start : start + length]:
            total += c
        squares.append((total - outcome) ** 2)
        start += length
    parts = estimator_loss(torch.tensor(contributions), lengths, outcomes)
    assert float(parts.loss) == pytest.approx(sum(squares) / 4)


def test_no_contribution_at_all_has_no_share_on_the_last_step() -> None:
    parts = estimator_loss(torch.zeros(3), [2, 1], [0.0, 1.0])
    assert (float(parts.loss), parts.bias, parts.share_on_last_step) == (0.5, -0.5, 0.0)


def test_every_step_feels_the_same_pull() -> None:
    """The sum is fitted: all steps of a trajectory share one gradient, 2 (R^ - R) / B."""
    contributions = torch.tensor([0.5, 0.25, -1.0], requires_grad=True)
    estimator_loss(contributions, [2, 1], [1.0, 0.5]).loss.backward()
    assert contributions.grad is not None
    assert contributions.grad.tolist() == pytest.approx([-0.25, -0.25, -1.5])


@HEADS
@torch.no_grad()
def test_a_contribution_is_read_at_the_last_token_of_its_step(
    policy: Policy, episodes: list[Trajectory], head: str
) -> None:
    estimator = _estimator(policy, head=head)
    for trajectory, credit in zip(episodes, estimator.credit(episodes), strict=True):
        row = policy.codec.row(trajectory)
        for t in range(len(trajectory)):
            end = max(i for i, step in enumerate(row.step) if step == t)
            assert row.ids[end] == policy.codec.end_id
            output = estimator.backbone(torch.tensor([row.ids[: end + 1]]), output_hidden_states=True)
            seen = output.hidden_states[-1] if head == "mlp" else output.logits
            assert credit.contributions[t] == pytest.approx(float(estimator.head(seen[0, -1])), abs=1e-5)


def test_credits_come_in_order_whatever_the_batches(policy: Policy, episodes: list[Trajectory]) -> None:
    small, large = (_estimator(policy, batch_tokens=n) for n in (1, 10_000))
    credits = small.credit(episodes, source="spa@run-3")
    assert [credit.trajectory_id for credit in credits] == [trajectory.id for trajectory in episodes]
    assert [len(credit) for credit in credits] == [len(trajectory) for trajectory in episodes]
    assert {credit.source for credit in credits} == {"spa@run-3"}
    assert {credit.base_value for credit in credits} == {0.0}
    for credit, other in zip(credits, large.credit(episodes), strict=True):
        np.testing.assert_allclose(credit.contributions, other.contributions, atol=1e-5)
    assert small.credit([]) == []


def _spelled(policy: Policy, trajectory: Trajectory) -> TokenRow:
    """The same text written byte by byte, as a policy may."""
    codec = policy.codec
    ids, step = list(codec.opening_ids(trajectory.initial_observation)), []
    step += [-1] * len(ids)
    for t, taken in enumerate(trajectory.steps):
        written = [token for letter in taken.text for token in codec.text_ids(letter)] + [codec.end_id]
        reply = codec.reply_ids(taken.observation) if t + 1 < len(trajectory) else ()
        ids += [*written, *reply]
        step += [t] * len(written) + [-1] * len(reply)
    return TokenRow(trajectory.id, tuple(ids), tuple(step))


@torch.no_grad()
def test_the_tokens_that_were_really_written_are_read(policy: Policy) -> None:
    estimator, episodes = _estimator(policy), _toy(4, 0)
    rows = [_spelled(policy, trajectory) for trajectory in episodes]
    encoded = estimator.credit(episodes)
    for row, credit, other in zip(rows, estimator.credit(episodes, rows=rows), encoded, strict=True):
        ends = [max(i for i, step in enumerate(row.step) if step == t) for t in range(len(credit))]
        states = estimator.backbone.base_model(torch.tensor([row.ids])).last_hidden_state[0, ends]
        np.testing.assert_allclose(credit.contributions, estimator.head(states).squeeze(-1), atol=1e-5)
        assert abs(credit.contributions - other.contributions).max() > 1e-5
    same = [policy.codec.row(trajectory) for trajectory in episodes]
    for credit, other in zip(estimator.credit(episodes, rows=same), encoded, strict=True):
        assert credit.contributions.tolist() == other.contributions.tolist()


def test_what_could_be_played_can_be_read(make_policy: Callable[..., Policy], trajectory: Trajectory) -> None:
    """A broken byte is decoded to three tokens: re-encoded text may not fit where the sampled tokens did."""
    policy = make_policy("You see a door.", "reply ", context=80)
    codec, n = policy.codec, 30
    broken = replace(trajectory, steps=(replace(trajectory.steps[0], text="\ufffd" * n),))
    opening, byte = codec.opening_ids(broken.initial_observation), codec.text_ids("é")[0]
    ids = (*opening, *[byte] * n, codec.end_id)
    row = TokenRow(broken.id, ids, (-1,) * len(opening) + (0,) * (n + 1))
    assert codec.decode([byte]) == "\ufffd"
    (credit,) = _estimator(policy).credit([broken], rows=[row])
    assert len(credit) == 1
    with pytest.raises(ContextTooLong, match=rf"'t1' needs {len(opening) + 3 * n + 1} tokens, limit is 80"):
        _estimator(policy).credit([broken])


def test_tokens_of_another_trajectory_are_refused(policy: Policy, episodes: list[Trajectory]) -> None:
    rows = [policy.codec.row(trajectory) for trajectory in episodes]
    with pytest.raises(ValueError, match=r"'t0' of 3 steps: got the tokens of 't1', 1 steps"):
        _estimator(policy).credit(episodes[:1], rows=rows[1:2])


def _with_step(trajectory: Trajectory, t: int, **changes: Any) -> Trajectory:
    steps = list(trajectory.steps)
    steps[t] = replace(steps[t], **changes)
    return replace(trajectory, steps=tuple(steps))


def test_later_steps_change_no_earlier_contribution(
    policy: Policy, make_trajectory: Callable[..., Trajectory]
) -> None:
    estimator = _estimator(policy)
    trajectory = make_trajectory(1.0, [True] * 4)
    (before,) = estimator.credit([trajectory])
    later = _with_step(trajectory, 2, text="Action: something quite different and long")
    (after,) = estimator.credit([later])
    np.testing.assert_allclose(after.contributions[:2], before.contributions[:2], atol=1e-6)
    assert abs(after.contributions[2] - before.contributions[2]) > 1e-5
    (answered,) = estimator.credit([_with_step(trajectory, 1, observation="Nothing of the kind.")])
    np.testing.assert_allclose(answered.contributions[:2], before.contributions[:2], atol=1e-6)
    assert abs(answered.contributions[2] - before.contributions[2]) > 1e-5


def test_the_outcome_is_no_input(policy: Policy, trajectory: Trajectory) -> None:
    """Neither the outcome nor the observation after the last step is an input."""
    estimator = _estimator(policy)
    failed = replace(_with_step(trajectory, 2, observation="You lost."), outcome=0.0, success=False)
    credit, other = estimator.credit([trajectory, failed])
    np.testing.assert_allclose(credit.contributions, other.contributions, atol=1e-6)


def _toy(n: int, seed: int) -> list[Trajectory]:
    """Three steps, each good or bad; the outcome is the share of good ones."""
    rng = random.Random(seed)
    made = []
    for i in range(n):
        acts = [rng.choice(["good", "bad"]) for _ in range(3)]
        steps = tuple(Step(f"Action: {act}", "", act, "reply ", True) for act in acts)
        outcome = acts.count("good") / 3
        facts = ("task", "toy", "train", "do it", "You see a door.", steps, outcome, outcome == 1)
        made.append(Trajectory(f"{seed}-{i}", *facts, "done", "scripted", i))
    return made


@pytest.mark.parametrize(("head", "train_backbone"), [("mlp", True), ("mlp", False), ("vocabulary", True)])
def test_it_learns_which_steps_earned_the_outcome(policy: Policy, head: Any, train_backbone: bool) -> None:
    config = EstimatorConfig(
        head=head, train_backbone=train_backbone, width=32, epochs=30, lr=0.02, batch_tokens=120
    )
    seen: list[dict[str, float]] = []
    estimator = fit_estimator(policy, _toy(32, 0), config, rng=random.Random(0), on_update=seen.append)
    new = _toy(20, 1)
    credits = estimator.credit(new)
    errors = [credit.predicted_outcome - t.outcome for credit, t in zip(credits, new, strict=True)]
    spread = np.var([t.outcome for t in new])
    assert np.mean(np.square(errors)) < 0.4 * spread
    assert np.mean([m["loss"] for m in seen[-5:]]) < 0.2 * np.mean([m["loss"] for m in seen[:5]])
    assert set(seen[0]) == {"loss", "bias", "share_on_last_step", "progress"}
    assert seen[-1]["progress"] == 1.0
    if train_backbone:  # a head on frozen random features fits the sum, but not the split
        assert _mean_of("good", new, credits) > _mean_of("bad", new, credits) + 0.1


def _mean_of(action: str, trajectories: Sequence[Trajectory], credits: Sequence[Credit]) -> float:
    steps = [step for trajectory in trajectories for step in trajectory.steps]
    contributions = np.concatenate([credit.contributions for credit in credits])
    return float(np.mean([c for c, step in zip(contributions, steps, strict=True) if step.action == action]))


@pytest.mark.parametrize("train_backbone", [True, False])
def test_the_policy_is_left_alone_and_so_is_a_frozen_backbone(policy: Policy, train_backbone: bool) -> None:
    before = {name: weight.clone() for name, weight in policy.model.state_dict().items()}
    wanted = [parameter.requires_grad for parameter in policy.model.parameters()]
    config = EstimatorConfig(train_backbone=train_backbone, epochs=1)
    estimator = fit_estimator(policy, _toy(4, 0), config, rng=random.Random(0))
    for name, weight in policy.model.state_dict().items():
        assert torch.equal(weight, before[name]), name
    assert [parameter.requires_grad for parameter in policy.model.parameters()] == wanted
    fitted = estimator.backbone.state_dict()
    same = all(torch.equal(fitted[name], weight) for name, weight in before.items())
    assert same is not train_backbone


@HEADS
def test_it_begins_near_zero(policy: Policy, episodes: list[Trajectory], head: str) -> None:
    """Otherwise the sum over many steps would start as noise many times larger than the outcome."""
    credits = _estimator(policy, head=head).credit(episodes)
    assert max(abs(credit.contributions).max() for credit in credits) < 0.2


def test_the_seed_decides(policy: Policy) -> None:
    state = torch.random.get_rng_state()
    config = EstimatorConfig(epochs=1, batch_tokens=60)
    fitted = [fit_estimator(policy, _toy(6, 0), config, rng=random.Random(seed)) for seed in (1, 1, 2)]
    flat = [torch.cat([p.detach().flatten() for p in estimator.parameters()]) for estimator in fitted]
    assert torch.equal(flat[0], flat[1])
    assert not torch.equal(flat[0], flat[2])
    assert torch.equal(torch.random.get_rng_state(), state)


@HEADS
def test_an_interrupted_fit_continues_bit_for_bit(policy: Policy, head: Any) -> None:
    config = EstimatorConfig(head=head, epochs=3, batch_tokens=60)

    def weights(checkpoint: KeptStates) -> torch.Tensor:
        fitted = fit_estimator(policy, _toy(6, 0), config, rng=random.Random(0), checkpoint=checkpoint)
        return torch.cat([p.detach().flatten() for p in fitted.parameters()])

    checkpoint = KeptStates()
    whole = weights(checkpoint)
    assert torch.equal(weights(KeptStates(checkpoint.states[:2])), whole)


@HEADS
def test_what_is_saved_comes_back(
    policy: Policy, episodes: list[Trajectory], tmp_path: Path, head: str
) -> None:
    estimator = _estimator(policy, head=head)
    save_estimator(estimator, tmp_path / "e")
    loaded = load_estimator(tmp_path / "e", estimator.config)
    for credit, other in zip(loaded.credit(episodes), estimator.credit(episodes), strict=True):
        np.testing.assert_allclose(credit.contributions, other.contributions, atol=1e-6)


def test_it_reads_the_manual_that_its_policy_read(policy: Policy, tmp_path: Path) -> None:
    instructed = Policy("instructed", policy.model, Codec(policy.codec.tokenizer, manual="Be brief."))
    estimator = fit_estimator(instructed, _toy(2, 0), EstimatorConfig(epochs=1), rng=random.Random(0))
    save_estimator(estimator, tmp_path)
    loaded = load_estimator(tmp_path, estimator.config, manual="Be brief.")
    for credit, other in zip(loaded.credit(_toy(4, 1)), estimator.credit(_toy(4, 1)), strict=True):
        np.testing.assert_allclose(credit.contributions, other.contributions, atol=1e-6)


def test_files_that_do_not_hold_this_estimator(policy: Policy, tmp_path: Path) -> None:
    estimator = _estimator(policy, head="mlp")
    save_estimator(estimator, tmp_path)
    with pytest.raises(ValueError, match=r"head.safetensors: not a head of kind 'vocabulary'"):
        load_estimator(tmp_path, replace(estimator.config, head="vocabulary"))
    (tmp_path / "head.safetensors").write_bytes(b"{")
    with pytest.raises(ValueError, match=r"head.safetensors: not a head"):
        load_estimator(tmp_path, estimator.config)
    (tmp_path / "head.safetensors").unlink()
    with pytest.raises(ValueError, match=r"head.safetensors"):
        load_estimator(tmp_path, estimator.config)


def test_too_long_is_refused_by_name(make_policy: Callable[..., Policy], trajectory: Trajectory) -> None:
    policy = make_policy(context=20)
    message = r"'t1' needs \d+ tokens, limit is 20"
    with pytest.raises(ContextTooLong, match=message):
        _estimator(policy).credit([trajectory])
    with pytest.raises(ContextTooLong, match=message):
        fit_estimator(policy, [trajectory], EstimatorConfig(), rng=random.Random(0))


@pytest.mark.parametrize(
    "bad", [{"epochs": 0}, {"width": 0}, {"batch_tokens": 0}, {"lr": 0.0}, {"head": "mpl"}]
)
def test_bad_settings(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        EstimatorConfig(**bad)
