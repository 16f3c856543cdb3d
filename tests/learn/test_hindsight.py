"""A language model that is told the outcome: finds the decisive step, and trains a policy by it."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from spa_lab.agent.lora import add_lora
from spa_lab.agent.models import copy_policy
from spa_lab.agent.rollout import Episode, Policy
from spa_lab.configs.hindsight import HindsightConfig
from spa_lab.credit.hindsight import OddsLine
from spa_lab.learn.collect import Collected
from spa_lab.learn.hindsight import HindsightModel, fit_hindsight
from spa_lab.learn.language import logprobs_under
from spa_lab.learn.method import TrainingInputs
from spa_lab.learn.methods import spa_hindsight
from spa_lab.learn.methods.spa_hindsight import HindsightAdvantages
from spa_lab.learn.on_policy import OnPolicyLearner
from spa_lab.types import Trajectory
from tests.learn.states import stored

CONFIG = HindsightConfig(epochs=12, lr=1e-2, muon_lr=1e-2, batch_tokens=200)


@pytest.fixture(scope="module")
def policy(make_fork_policy: Callable[..., Policy]) -> Policy:
    return make_fork_policy()


def test_at_first_the_outcome_changes_nothing(policy: Policy, forks: Sequence[Trajectory]) -> None:
    """All ratios are 0, and what it writes is what the policy writes."""
    model = HindsightModel(policy, CONFIG)
    rows = policy.codec.rows_of(forks[:2])
    assert [ratio.tolist() for ratio in model.log_ratios(rows)] == [[0.0] * 4] * 2
    batch = policy.codec.batch(rows, limit=policy.context)
    with torch.inference_mode():
        ours = model(batch, torch.tensor([1.0, 0.0]))
        own = logprobs_under(policy.model, batch.ids, batch.action_mask, temperature=1.0)
    torch.testing.assert_close(ours, own)


def test_ratios_are_differences_of_two_readings(policy: Policy, forks: Sequence[Trajectory]) -> None:
    """By hand: the vector is added once, and taken away once, and tokens are summed by step."""
    model = HindsightModel(policy, CONFIG)
    with torch.no_grad():
        model.outcome += torch.linspace(-1, 1, len(model.outcome))
    (row,) = policy.codec.rows_of(forks[:1])
    table = policy.model.get_input_embeddings()(torch.tensor([row.ids]))
    readings = []
    with torch.inference_mode():
        for sign in (1, -1):
            logits = policy.model(inputs_embeds=table + sign * model.outcome).logits[0]
            readings.append(torch.log_softmax(logits[:-1], -1)[range(len(row.ids) - 1), row.ids[1:]])
    by_token = (readings[0] - readings[1]).numpy()
    expected = [by_token[np.array(row.step[1:]) == t].sum() for t in range(4)]
    assert model.log_ratios([row])[0] == pytest.approx(expected, abs=1e-4)
    assert np.abs(expected).max() > 0.01


def test_the_decisive_step_is_found_in_other_tasks(policy: Policy, forks: Sequence[Trajectory]) -> None:
    """The second step decides; its contribution has the right sign and is the largest by far."""
    line, model = fit_hindsight(policy, forks[:24], CONFIG, rng=random.Random(0))
    assert line.slope > 0.3
    for ratio, trajectory in zip(model.log_ratios(policy.codec.rows_of(forks[24:])), forks[24:], strict=True):
        progress = np.diff(line.values(ratio))
        assert np.abs(progress).argmax() == 1
        assert progress[1] * (1 if trajectory.success else -1) > 0.2
        assert np.abs(np.delete(progress, 1)).max() < 0.1


def test_of_a_model_with_adapters_only_these_learn(policy: Policy, forks: Sequence[Trajectory]) -> None:
    """And the vector that tells the outcome, which may lie between failure and success."""
    adapted = copy_policy(policy, name="adapted")
    add_lora(adapted.model, rank=2, seed=0)
    model = HindsightModel(adapted, replace(CONFIG, muon_lr=None))
    frozen = {name: weight.clone() for name, weight in model.named_parameters() if not weight.requires_grad}
    model.fit(policy.codec.rows_of(forks[:3]), [1.0, 0.0, 0.5], epochs=2, rng=random.Random(0))
    names = set(model.state().tensors)
    assert "outcome" in names and all(".lora_" in name for name in names - {"outcome"})
    assert frozen and all(torch.equal(dict(model.named_parameters())[name], w) for name, w in frozen.items())
    assert np.abs(model.log_ratios(policy.codec.rows_of(forks[:1]))[0]).max() > 0


def test_one_task_alone_cannot_be_halved(policy: Policy, forks: Sequence[Trajectory]) -> None:
    with pytest.raises(ValueError, match="at least 2 tasks, got 1"):
        fit_hindsight(policy, forks[:4], CONFIG, rng=random.Random(0))


def _inputs(
    inputs_of: Callable[..., TrainingInputs], policy: Policy, explored: Sequence[Trajectory]
) -> TrainingInputs:
    made = inputs_of(explored, gae_level="step", gamma=1.0)
    hindsight = replace(CONFIG, epochs=2, lam=0.5)
    return replace(made, policy=policy, preset=replace(made.preset, hindsight=hindsight))


def test_advantages_by_hand(
    policy: Policy,
    forks: Sequence[Trajectory],
    inputs_of: Callable[..., TrainingInputs],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three episodes of four steps: r_t = V(h_{t+1}) - V(h_t), A_t = r_t + lambda A_{t+1}, V(h_T) = R."""
    learner = spa_hindsight.make(_inputs(inputs_of, policy, forks))
    assert isinstance(learner, OnPolicyLearner) and learner.critic is None
    advantages = learner.estimate
    assert isinstance(advantages, HindsightAdvantages)
    monkeypatch.setattr(
        advantages.fits, "log_ratios", lambda rows: [np.array([1.0, -1.0, 0.0, 0.0])] * len(rows)
    )
    monkeypatch.setattr(spa_hindsight, "fit_odds_line", lambda ratios, outcomes: OddsLine(0.0, 1.0))
    rows = policy.codec.rows_of(forks[:3])
    episodes = [Episode(t, row, (0.0,) * len(row.ids)) for t, row in zip(forks[:3], rows, strict=True)]
    estimates = learner.estimate(Collected(episodes, [0, 1, 2]))
    v = 1 / (1 + np.exp(-1.0))
    for estimate, episode in zip(estimates, episodes, strict=True):
        paid = [v - 0.5, 0.5 - v, 0.0, episode.trajectory.known_outcome - 0.5]
        expected = [sum(0.5 ** (s - t) * paid[s] for s in range(t, 4)) for t in range(4)]
        step = np.array(episode.row.step)
        assert estimate.advantage[step >= 0] == pytest.approx([expected[t] for t in step if t >= 0])
        assert not estimate.advantage[step < 0].any()


def test_learning_continues_from_a_saved_state(
    policy: Policy, forks: Sequence[Trajectory], inputs_of: Callable[..., TrainingInputs]
) -> None:
    """Two rounds in one go, and with a state saved between them: the same ratios."""
    rows = policy.codec.rows_of(forks)
    episodes = [Episode(t, row, (0.0,) * len(row.ids)) for t, row in zip(forks, rows, strict=True)]
    halves = [Collected(episodes[:16], list(range(16))), Collected(episodes[16:], list(range(16)))]

    def made() -> HindsightAdvantages:
        learner = spa_hindsight.make(_inputs(inputs_of, policy, forks[:8]))
        assert isinstance(learner, OnPolicyLearner) and isinstance(learner.estimate, HindsightAdvantages)
        return learner.estimate

    first = made()
    before = first.fits.log_ratios(rows)[0]
    first(halves[0])
    resumed = made()
    resumed.fits.load_state(stored(first.fits.state()))
    first(halves[1])
    resumed(halves[1])
    after = first.fits.log_ratios(rows)[0]
    assert after.tolist() == resumed.fits.log_ratios(rows)[0].tolist()
    assert after.tolist() != before.tolist()


def test_explorations_are_needed(inputs_of: Callable[..., TrainingInputs]) -> None:
    with pytest.raises(ValueError, match="needs explored trajectories"):
        spa_hindsight.make(inputs_of(()))
