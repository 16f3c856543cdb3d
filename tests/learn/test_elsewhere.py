"""A model on another device: everything that reads, learns and plays says what it says on the processor."""

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
        self.told: tuple[str, ...] = ()
        return "Wait."

    def step(self, action: str) -> Reply:
        self.told = (*self.told, action)
        share = sum(map(str.isalpha, "".join(self.told))) / max(1, len("".join(self.told)))
        return Reply("noted", True, len(self.told) == 3, share)

    def snapshot(self) -> tuple[str, ...]:
        return self.told

    def restore(self, token: tuple[str, ...]) -> None:
        self.told = token


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
    return np.concatenate([np.ravel(one) for one in values])


def _weights(policy: Policy) -> np.ndarray:
    return _flat(weight.detach().cpu().numpy() for weight in policy.model.parameters())


def _estimator(policy: Policy, played: list[Episode], head: Any) -> np.ndarray:
    told = [episode.trajectory for episode in played]
    fitted = fit_estimator(policy, told, EstimatorConfig(head=head, epochs=1), rng=random.Random(0))
    return _flat(one.contributions for one in fitted.credit(told, rows=[one.row for one in played]))


def _reader(policy: Policy, played: list[Episode]) -> np.ndarray:
    told = [episode.trajectory for episode in played]
    config = PredictorConfig(input="step", output="increment", epochs=1)
    return _flat(fit_predictor(policy, told, config, rng=random.Random(0)).values(told))


def _heads(policy: Policy, played: list[Episode]) -> np.ndarray:
    told = [episode.trajectory for episode in played]
    return _flat(
        fit_ensemble_critic(
            policy, told, EnsembleCriticConfig(heads=2, layers=2, epochs=2), rng=random.Random(0)
        ).values(told)
    )


def _clone(policy: Policy, played: list[Episode]) -> np.ndarray:
    twin = copy_policy(policy, name="clone")
    clone(
        twin,
        [Demonstration(one.trajectory, (True, False, True)) for one in played],
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
    said = _estimator(twin, played, "mlp")
    return np.append(said, _weights(Policy("merged", merged(twin.model), twin.codec)))


def _played(policy: Policy, played: list[Episode]) -> np.ndarray:
    found = [one for t in (0.0, 0.7) for one in rollout(policy, WORLD, JOBS, replace(PLAYING, temperature=t))]
    return np.append(_flat(one.row.ids for one in found), _flat(one.logprobs for one in found))


def _branches(policy: Policy, played: list[Episode]) -> np.ndarray:
    told = [episode.trajectory for episode in played]
    found = branch_outcomes(policy, WORLD, told, TASKS, PLAYING, branches=3, rng=random.Random(0))
    return _flat(own for one in found for own in one.outcomes)


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
        found = work(far, episodes)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_the_plain_way_elsewhere(far: Policy, episodes: list[Episode]) -> None:
    """Draws from the device's own generator, so only that it runs can be asked for."""
    one = episodes[0].trajectory
    with elsewhere():
        found = plain_outcomes(far, WORLD, one, TASKS[0], PLAYING, branches=2, rng=random.Random(0))
    assert [len(own) for own in found] == [2, 2, 2]


def test_tensors_of_two_devices_do_not_meet() -> None:
    with elsewhere():
        there = torch.zeros(2, device=DEVICE)
        assert isinstance(there, Far)
        assert (there + torch.ones(2).to(DEVICE) + torch.tensor(1.0)).tolist() == [2.0, 2.0]
        for meet in (lambda: there + torch.ones(2), lambda: torch.cat([torch.ones(2), there])):
            with pytest.raises(RuntimeError, match="of the processor meet"):
                meet()
