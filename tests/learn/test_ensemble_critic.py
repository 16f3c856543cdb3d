"""Value heads on frozen features: the right features, folds by task, and that they find the decisive step."""

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from spa_lab.agent.rollout import Policy
from spa_lab.learn import ensemble_critic as heads
from spa_lab.learn.ensemble_critic import EnsembleCriticConfig, fit_ensemble_critic, history_features
from spa_lab.types import Trajectory


@pytest.fixture(scope="module")
def policy(make_fork_policy: Callable[..., Policy]) -> Policy:
    return make_fork_policy(spread=0.3)


@pytest.mark.parametrize("layers", [1, 2])
def test_features_are_the_hidden_states_before_each_step(
    policy: Policy, forks: list[Trajectory], layers: int
) -> None:
    (features,) = history_features(policy, forks[:1], layers=layers)
    assert features.shape == (4, 32 * layers)
    batch = policy.codec.encode(forks[:1], limit=policy.context)
    with torch.inference_mode():
        states = policy.model.base_model(batch.ids, output_hidden_states=True)
    step = batch.step[0].tolist()
    before = [step.index(t) - 1 for t in range(4)]
    expected = torch.cat([layer[0, before] for layer in states.hidden_states[-layers:]], dim=-1)
    torch.testing.assert_close(features, expected)


def test_written_tokens_are_read_and_not_encoded_again(policy: Policy, forks: list[Trajectory]) -> None:
    written = policy.codec.row(replace(forks[0], initial_observation="noted noted noted"))
    (features,) = history_features(policy, forks[:1], rows=[written])
    (encoded,) = history_features(policy, forks[:1])
    assert features.shape == encoded.shape and not torch.equal(features, encoded)
    with pytest.raises(ValueError, match=r"'t0' of 4 steps: got the tokens of 't1', 4 steps"):
        history_features(policy, forks[:1], rows=[policy.codec.row(forks[1])])


def test_the_deciding_step_is_found(policy: Policy, forks: list[Trajectory]) -> None:
    losses: list[float] = []
    config = EnsembleCriticConfig(heads=4, epochs=30, width=32, lr=1e-2)
    critic = fit_ensemble_critic(
        policy, forks, config, rng=random.Random(0), on_update=lambda metrics: losses.append(metrics["loss"])
    )
    won, lost = critic.values(forks[:2])
    np.testing.assert_allclose(won[:2], lost[:2], atol=1e-6)
    assert 0.3 < won[0] < 0.7
    assert (won[2:] > 0.65).all() and (lost[2:] < 0.35).all()
    assert len(losses) == 4 and max(losses) < 0.5
    (each,) = critic.each(forks[:1])
    assert each.shape == (4, 4)
    np.testing.assert_allclose(each.mean(axis=0), won)


def test_a_head_is_stopped_before_it_learns_by_heart(policy: Policy, forks: list[Trajectory]) -> None:
    """Outcomes that nothing predicts: early stopping keeps about the success rate, not the noise."""
    rng = random.Random(1)
    noise = [
        Trajectory(
            fork.id, fork.task_id, "fork", "train", "", f"{i} {rng.random()}", fork.steps[:1],
            float(i % 2), bool(i % 2), "done", "x", 0,
        )
        for i, fork in enumerate(forks)
    ]  # fmt: skip
    stopped = fit_ensemble_critic(
        policy, noise, EnsembleCriticConfig(heads=4, epochs=60, lr=1e-2), rng=random.Random(0)
    )
    driven = fit_ensemble_critic(
        policy, noise, EnsembleCriticConfig(heads=1, epochs=60, lr=1e-2), rng=random.Random(0)
    )
    spread = [np.std(np.concatenate(critic.values(noise))) for critic in (stopped, driven)]
    assert spread[0] < 0.5 * spread[1]


def test_folds_keep_tasks_together(forks: list[Trajectory]) -> None:
    fold = heads._folds(forks, 4, random.Random(0))
    assert sorted(set(fold)) == [0, 1, 2, 3]
    assert all(len({fold[i] for i in range(4 * task, 4 * task + 4)}) == 1 for task in range(8))
    with pytest.raises(ValueError, match="9 folds need as many tasks, got 8"):
        heads._folds(forks, 9, random.Random(0))


def test_bad_settings() -> None:
    for settings in ({"heads": 0}, {"lr": 0.0}, {"weight_decay": -1.0}):
        with pytest.raises(ValueError, match="needs counts"):
            EnsembleCriticConfig(**settings)  # type: ignore[arg-type]
