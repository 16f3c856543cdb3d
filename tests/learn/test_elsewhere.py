"""A model on another device: reading, training and playing give the results of the CPU."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.plain_continuations import plain_outcomes
from spa_lab.agent.lora import add_lora, merged
from spa_lab.agent.models import copy_policy
from spa_lab.agent.rollout import Episode, EpisodeSpec, Policy, rollout
from spa_lab.agent.sampling import AllowedTexts
from spa_lab.configs.cloning import CloneConfig
from spa_lab.configs.estimator import EstimatorConfig
from spa_lab.configs.ppo import PPOConfig
from spa_lab.configs.presets import TINY
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Demonstration, Environment, Reply, Task
from spa_lab.learn.cloning import clone
from spa_lab.learn.ensemble_critic import EnsembleCriticConfig, fit_ensemble_critic
from spa_lab.learn.estimator import fit_estimator
from spa_lab.learn.method import TrainingInputs
from spa_lab.learn.ppo import ppo
from spa_lab.learn.return_predictor import PredictorConfig, fit_predictor
from spa_lab.truth.exact import History, lm_action_probs
from spa_lab.truth.monte_carlo import branch_outcomes
from tests.learn.elsewhere import DEVICE, Far, elsewhere, moved

PLAYING = RolloutConfig(temperature=0.7, max_new_tokens=5)


class Waiting:
    """Three steps of anything; the outcome is the share of letters."""

    def reset(self, task: Task) -> str:
        self.actions: tuple[str, ...] = ()
        return "Wait."

    def step(self, action: str) -> Reply:
        self.actions = (*self.actions, action)
        share = sum(map(str.isalpha, "".join(self.actions))) / max(1, len("".join(self.actions)))
        return Reply("noted", True, len(self.actions) == 3, share)

    def snapshot(self) -> tuple[str, ...]:
        return self.actions

    def restore(self, token: tuple[str, ...]) -> None:
        self.actions = token


WORLD = Environment(name="waiting", make_world=Waiting, tasks=lambda split, n: [], step_limit=3)
TASKS = [Task(f"w{i}", "waiting", "train", "", "", 3, None) for i in range(4)]
JOBS = [EpisodeSpec(f"e{i}", task, i) for i, task in enumerate(TASKS)]


@pytest.fixture(scope="module")
def near(make_policy: Callable[..., Policy]) -> Policy:
    return make_policy("Action: good", "noted", spread=0.3)


@pytest.fixture(scope="module")
def far(near: Policy) -> Policy:
    return Policy(near.name, moved(near.model), near.codec)


@pytest.fixture(scope="module")
def episodes(near: Policy) -> list[Episode]:
    return rollout(near, WORLD, JOBS, PLAYING)


def _flat(values: Any) -> np.ndarray:
    return np.concatenate([np.ravel(value) for value in values])


def _weights(policy: Policy) -> np.ndarray:
    return _flat(weight.detach().cpu().numpy() for weight in policy.model.parameters())


def _estimator(policy: Policy, played: list[Episode], head: Any) -> np.ndarray:
    trajectories = [episode.trajectory for episode in played]
    fitted = fit_estimator(policy, trajectories, EstimatorConfig(head=head, epochs=1), rng=random.Random(0))
    return _flat(
        credit.contributions
        for credit in fitted.credit(trajectories, rows=[episode.row for episode in played])
    )


def _reader(policy: Policy, played: list[Episode]) -> np.ndarray:
    trajectories = [episode.trajectory for episode in played]
    config = PredictorConfig(input="step", output="increment", epochs=1)
    return _flat(fit_predictor(policy, trajectories, config, rng=random.Random(0)).values(trajectories))


def _heads(policy: Policy, played: list[Episode]) -> np.ndarray:
    trajectories = [episode.trajectory for episode in played]
    return _flat(
        fit_ensemble_critic(
            policy, trajectories, EnsembleCriticConfig(heads=2, layers=2, epochs=2), rng=random.Random(0)
        ).values(trajectories)
    )


def _clone(policy: Policy, played: list[Episode]) -> np.ndarray:
    twin = copy_policy(policy, name="clone")
    clone(
        twin,
        [Demonstration(episode.trajectory, (True, False, True)) for episode in played],
        CloneConfig(),
        rng=random.Random(0),
    )
    return _weights(twin)


def _ppo(policy: Policy, played: list[Episode]) -> np.ndarray:
    twin = copy_policy(policy, name="ppo")
    preset = replace(TINY, ppo=PPOConfig(episodes=4, epochs=1), explore_rollout=PLAYING)
    inputs = TrainingInputs(policy=twin, environment=WORLD, preset=preset, rng=random.Random(0))
    metrics = ppo(inputs, lambda episodes: [np.arange(3.0) for _ in episodes]).iterate(TASKS)
    return np.append(_weights(twin), list(metrics.values()))


def _adapters(policy: Policy, played: list[Episode]) -> np.ndarray:
    twin = copy_policy(policy, name="lora")
    add_lora(twin.model, rank=2, seed=0)
    contributions = _estimator(twin, played, "mlp")
    return np.append(contributions, _weights(Policy("merged", merged(twin.model), twin.codec)))


def _played(policy: Policy, played: list[Episode]) -> np.ndarray:
    again = [
        episode
        for t in (0.0, 0.7)
        for episode in rollout(policy, WORLD, JOBS, replace(PLAYING, temperature=t))
    ]
    return np.append(_flat(e.row.ids for e in again), _flat(e.logprobs for e in again))


def _branches(policy: Policy, played: list[Episode]) -> np.ndarray:
    trajectories = [episode.trajectory for episode in played]
    branched = branch_outcomes(policy, WORLD, trajectories, TASKS, PLAYING, branches=3, rng=random.Random(0))
    return _flat(row for branches in branched for row in branches.outcomes)


def _chances(policy: Policy, played: list[Episode]) -> np.ndarray:
    allowed = AllowedTexts.of(["Action: good", "Action: bad"], policy.codec)
    return lm_action_probs(policy, allowed, temperature=0.7)([History("Wait.", ())])


@pytest.mark.parametrize(
    "work",
    [
        pytest.param(lambda *given: _estimator(*given, "mlp"), id="estimator"),
        pytest.param(lambda *given: _estimator(*given, "vocabulary"), id="released head"),
        _reader, _heads, _clone, _ppo, _adapters, _played, _branches, _chances,
    ],
)  # fmt: skip
def test_the_same_elsewhere(near: Policy, far: Policy, episodes: list[Episode], work: Any) -> None:
    expected = work(near, episodes)
    with elsewhere():
        result = work(far, episodes)
    np.testing.assert_allclose(result, expected, atol=1e-3)


def test_the_plain_way_elsewhere(far: Policy, episodes: list[Episode]) -> None:
    """Draws from the device's own generator, so only that it runs can be asked for."""
    trajectory = episodes[0].trajectory
    with elsewhere():
        outcomes = plain_outcomes(far, WORLD, trajectory, TASKS[0], PLAYING, branches=2, rng=random.Random(0))
    assert [len(row) for row in outcomes] == [2, 2, 2]


def test_tensors_of_two_devices_do_not_meet() -> None:
    with elsewhere():
        there = torch.zeros(2, device=DEVICE)
        assert isinstance(there, Far)
        assert (there + torch.ones(2).to(DEVICE) + torch.tensor(1.0)).tolist() == [2.0, 2.0]
        for meet in (lambda: there + torch.ones(2), lambda: torch.cat([torch.ones(2), there])):
            with pytest.raises(RuntimeError, match="of the processor meet"):
                meet()
