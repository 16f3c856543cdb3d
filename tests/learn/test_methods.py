"""The table of training methods: complete, torch-free, open to methods of users."""

import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spa_lab import rewards
from spa_lab.agent.models import copy_policy
from spa_lab.agent.rollout import Episode, EpisodeSpec, Policy, rollout
from spa_lab.configs.estimator import EstimatorConfig
from spa_lab.configs.ppo import PPOConfig
from spa_lab.configs.presets import TINY, Preset
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Reply, Task
from spa_lab.learn.estimator import ProgressEstimator, fit_estimator
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod
from spa_lab.learn.methods import METHODS, find_method
from spa_lab.types import Trajectory
from tests.learn.reference_ppo import ReferencePPO
from tests.learn.states import stored

TRAINED = [name for name, entry in METHODS.items() if entry.factory]


class Fork:
    """Won by a first action of an even number of characters; up to four steps."""

    def reset(self, task: Task) -> str:
        self.actions: list[str] = []
        return "Choose."

    def step(self, action: str) -> Reply:
        self.actions.append(action)
        won = len(self.actions) > 1 and len(self.actions[0]) % 2 == 0
        return Reply("noted", len(action) % 2 == 0, won or len(self.actions) == 4, float(won))


FORK = Environment(name="fork", make_world=Fork, tasks=lambda split, n: [], step_limit=4)
TASKS = [Task(f"f{i}", "fork", "train", "", "", 2, None) for i in range(8)]
PRESET = replace(
    TINY,
    ppo=PPOConfig(episodes=8, batch_tokens=150, lr=3e-3),
    explore_rollout=RolloutConfig(temperature=1.0, max_new_tokens=5),
)


@pytest.fixture(scope="module")
def cloned(make_policy: Callable[..., Policy]) -> Policy:
    return make_policy("Choose.", "Action: a", "Action: bb", "noted", hidden=16, spread=0.4)


@pytest.fixture(scope="module")
def explored(cloned: Policy) -> list[Trajectory]:
    specs = [EpisodeSpec(f"x{i}", TASKS[i % 8], i) for i in range(16)]
    return [episode.trajectory for episode in rollout(cloned, FORK, specs, PRESET.explore_rollout)]


@pytest.fixture(scope="module")
def estimator(cloned: Policy, explored: list[Trajectory]) -> ProgressEstimator:
    return fit_estimator(cloned, explored, EstimatorConfig(epochs=1), rng=random.Random(0))


Make = Callable[..., Learner]


@pytest.fixture
def make(cloned: Policy, explored: list[Trajectory], estimator: ProgressEstimator) -> Make:
    """(method, preset) -> its learner, from a fresh copy of the cloned policy and the same seed."""

    def build(method: str | TrainingMethod, preset: Preset = PRESET) -> Learner:
        found = find_method(method)
        inputs = TrainingInputs(
            policy=copy_policy(cloned, name=found.name),
            environment=FORK,
            preset=preset,
            rng=random.Random(f"0/ppo-{found.name}"),
            explored=explored,
            estimator=estimator,
        )
        return found.make(inputs)

    return build


def _weights(learner: Learner) -> torch.Tensor:
    return torch.cat([weight.detach().flatten() for weight in learner.policy.model.parameters()])


def _iterate(learner: Learner, n: int) -> list[dict[str, float]]:
    return [learner.iterate(TASKS) for _ in range(n)]


def test_the_table_says_what_the_methods_say() -> None:
    assert METHODS["sft"].factory is None
    for name in TRAINED:
        method, entry = find_method(name), METHODS[name]
        assert (method.name, method.title, method.needs) == (name, entry.title, entry.needs)
        assert method.origin and entry.summary


def test_the_table_needs_no_torch() -> None:
    program = (
        "import sys; sys.modules['torch'] = None; import spa_lab.learn.methods as m; print(len(m.METHODS))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{len(METHODS)}\n"), done.stderr


@pytest.mark.parametrize("name", TRAINED)
def test_training_continues_from_a_state_bit_for_bit(make: Make, name: str) -> None:
    """Three iterations, and one, a state, a new learner and two more."""
    whole = make(name)
    expected = _iterate(whole, 3)
    first = make(name)
    _iterate(first, 1)
    state = stored(first.state())
    _iterate(first, 1)  # what happens later must not change the state
    resumed = make(name)
    resumed.load_state(state)
    assert _iterate(resumed, 2) == expected[1:]
    assert torch.equal(_weights(resumed), _weights(whole))
    assert not torch.equal(_weights(first), _weights(whole))


USER_METHOD = '''
from spa_lab import rewards
from spa_lab.learn.method import TrainingMethod
from spa_lab.learn.ppo import ppo


def step_rewards(episodes):
    """R at the last step, less 0.01 a step if the episode succeeded: short successes pay more."""
    paid = []
    for episode in episodes:
        reward = rewards.terminal(episode.trajectory).contributions
        paid.append(reward - 0.01 * episode.trajectory.success)
    return paid


METHOD = TrainingMethod(
    name="short_success",
    title="shorter successes",
    origin="example",
    make=lambda inputs: ppo(inputs, step_rewards),
)
'''


@pytest.fixture
def user_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """(name, text) -> a module outside the package, in the current folder."""

    def write(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(text)

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return write


def test_a_method_of_a_user(make: Make, user_module: Callable[[str, str], None]) -> None:
    """A step reward in less than 30 lines outside the package, found by its path, trained and resumed."""
    assert USER_METHOD.count("\n") <= 30
    user_module("short_success_method", USER_METHOD)
    path = "short_success_method:METHOD"
    whole, first, resumed = make(path), make(path), make(path)
    metrics = _iterate(whole, 2)
    won = metrics[0]["success"]
    assert metrics[0]["reward"] < won or won == 0
    _iterate(first, 1)
    resumed.load_state(stored(first.state()))
    _iterate(resumed, 1)
    assert torch.equal(_weights(whole), _weights(resumed))


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("spaa", "no training method 'spaa'; there are: .*spa.*; or package.module:attribute"),
        ("sft", "behaviour cloning only"),
        ("no_such_module:METHOD", "cannot import module 'no_such_module'"),
        ("spa_lab.rewards:mean", "expected a spa_lab.learn.method.TrainingMethod, got function"),
        ("taken_method:METHOD", "its name 'spa' is a built-in method's"),
    ],
)
def test_methods_that_are_refused(method: str, message: str, user_module: Callable[[str, str], None]) -> None:
    user_module("taken_method", USER_METHOD.replace('"short_success"', '"spa"'))
    with pytest.raises(ValueError, match=message):
        find_method(method)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"name": "My method"}, "'My method': the name must be of the form"),
        ({"name": "cloned"}, "'cloned': the name must be"),
        ({"needs": frozenset({"branches"})}, "needs branches; only explored, estimator can be needed"),
    ],
)
def test_bad_descriptions(facts: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingMethod(**({"name": "a", "title": "", "origin": "", "make": lambda inputs: None} | facts))


def test_states_of_other_learners_are_refused(make: Make, make_policy: Callable[..., Policy]) -> None:
    state = make("terminal").state()
    wider = make_policy("Choose.", hidden=32)
    inputs = TrainingInputs(policy=wider, environment=FORK, preset=PRESET, rng=random.Random(0))
    with pytest.raises(ValueError, match=r"state: .* has shape"):
        find_method("terminal").make(inputs).load_state(state)


@pytest.mark.parametrize("name", ["terminal", "spa"])
@pytest.mark.parametrize(
    "settings",
    [
        {"gamma": 1.0, "lam": 0.99},
        {"gae_over": "all_tokens", "temperature": 0.7, "clip": 0.05, "epochs": 3},
    ],
)
def test_the_weights_are_those_of_the_reference(
    make: Make, cloned: Policy, estimator: ProgressEstimator, name: str, settings: dict
) -> None:
    """Bit for bit after two iterations: taking PPO apart changed no operation and no random draw."""
    preset = replace(PRESET, ppo=replace(PRESET.ppo, **settings))
    learner = make(name, preset)
    rng = random.Random(f"0/ppo-{name}")
    rng.randrange(2**31)  # seeds the numpy generator of `TrainingInputs`
    reference = ReferencePPO(copy_policy(cloned, name=name), preset.ppo, rng, preset.explore_rollout)

    def reward(episodes: Sequence[Episode]) -> list[np.ndarray]:
        trajectories = [episode.trajectory for episode in episodes]
        if name == "terminal":
            return [np.append(np.zeros(len(t) - 1), t.outcome) for t in trajectories]
        credits = estimator.credit(trajectories, rows=[episode.row for episode in episodes])
        return [rewards.fuse(t, c, preset.reward) for t, c in zip(trajectories, credits, strict=True)]

    for _ in range(2):
        learner.iterate(TASKS)
        reference.iterate(FORK, TASKS, reward)
    expected = torch.cat([weight.detach().flatten() for weight in reference.policy.model.parameters()])
    assert torch.equal(_weights(learner), expected)
    assert not torch.equal(expected, torch.cat([w.detach().flatten() for w in cloned.model.parameters()]))
