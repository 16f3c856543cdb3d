"""The table of training methods: complete, torch-free, open to methods of users."""

import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest
import torch

from spa_lab.agent.codec import Codec, TokenRow
from spa_lab.agent.models import copy_policy
from spa_lab.agent.rollout import Episode, EpisodeSpec, Policy, rollout
from spa_lab.configs.cloning import CloneConfig
from spa_lab.configs.estimator import EstimatorConfig
from spa_lab.configs.ppo import PPOConfig
from spa_lab.configs.presets import TINY, Preset
from spa_lab.configs.reward import RewardConfig
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.configs.settings import Setting, flat, list_settings, updated
from spa_lab.envs.base import Demonstration, Environment, Reply, Task
from spa_lab.learn.cloning import clone
from spa_lab.learn.collect import Collected
from spa_lab.learn.estimator import ProgressEstimator, fit_estimator
from spa_lab.learn.method import Learner, TrainingInputs, TrainingMethod
from spa_lab.learn.methods import METHODS, find_method
from spa_lab.learn.on_policy import OnPolicyLearner
from spa_lab.learn.settings_read import unread
from spa_lab.learn.step_rewards import fused
from spa_lab.learn.utterance_critics import UtteranceCritics
from spa_lab.pipeline.experiment import check_portable
from spa_lab.types import Credit, Step, Trajectory
from tests.learn.reference_ppo import ReferencePPO
from tests.learn.states import stored

TRAINED = [name for name, entry in METHODS.items() if entry.factory]


class Fork:
    """Won at the second step if one of the two actions is "bb"; lost after the fourth."""

    def reset(self, task: Task) -> str:
        self.actions: list[str] = []
        return "Choose."

    def step(self, action: str) -> Reply:
        self.actions.append(action)
        won = len(self.actions) == 2 and "bb" in self.actions
        return Reply("noted", action in ("a", "bb"), won or len(self.actions) == 4, float(won))

    def snapshot(self) -> tuple[str, ...]:
        return tuple(self.actions)

    def restore(self, token: tuple[str, ...]) -> None:
        self.actions = list(token)

    def goal_conditions_met(self) -> float:
        return float("bb" in self.actions[:2])


FORK = Environment(name="fork", make_world=Fork, tasks=lambda split, n: [], step_limit=4)
TASKS = [Task(f"f{i}", "fork", "train", "", "", 2, None) for i in range(8)]
PRESET = replace(
    TINY,
    reward=replace(TINY.reward, grounding_form="bonus"),  # all actions of this policy are executable
    ppo=PPOConfig(episodes=16, batch_tokens=300, lr=3e-3, branches=2),
    explore_rollout=RolloutConfig(temperature=1.0, max_new_tokens=5),
)


@pytest.fixture(scope="module")
def demonstrations(make_trajectory: Callable[..., Trajectory]) -> list[Demonstration]:
    shown = []
    for i, action in enumerate(["a", "a", "a", "bb"]):
        steps = (Step(f"Action: {action}", "", action, "noted", True),) * 4
        trajectory = replace(make_trajectory(id=f"d{i}"), initial_observation="Choose.", steps=steps)
        shown.append(Demonstration(trajectory, (True,) * 4))
    return shown


@pytest.fixture(scope="module")
def cloned(make_policy: Callable[..., Policy], demonstrations: list[Demonstration]) -> Policy:
    """Cloned from three episodes of "a" and one of "bb"."""
    policy = make_policy("Choose.", "Action: a", "Action: bb", "noted", hidden=16, spread=0.2)
    config = CloneConfig(epochs=60, lr=0.02, muon_lr=None)
    clone(policy, demonstrations, config, rng=random.Random(0))
    return policy


@pytest.fixture(scope="module")
def explored(cloned: Policy) -> list[Trajectory]:
    specs = [EpisodeSpec(f"x{i}", TASKS[i % 8], i) for i in range(16)]
    return [episode.trajectory for episode in rollout(cloned, FORK, specs, PRESET.explore_rollout)]


@pytest.fixture(scope="module")
def estimator(cloned: Policy, explored: list[Trajectory]) -> ProgressEstimator:
    return fit_estimator(cloned, explored, EstimatorConfig(epochs=1), rng=random.Random(0))


Make = Callable[..., Learner]


@pytest.fixture
def make(
    cloned: Policy,
    explored: list[Trajectory],
    estimator: ProgressEstimator,
    demonstrations: list[Demonstration],
) -> Make:
    """(method, preset, explored_rows) -> its learner, from a fresh copy of the policy and the same seed."""

    def build(
        method: str | TrainingMethod,
        preset: Preset = PRESET,
        explored_rows: Sequence[TokenRow] | None = None,
    ) -> Learner:
        training = find_method(method)
        inputs = TrainingInputs(
            policy=copy_policy(cloned, name=training.name),
            environment=FORK,
            preset=preset,
            rng=random.Random("0/training"),
            explored=explored,
            explored_rows=explored_rows,
            estimator=estimator,
            demonstrations=demonstrations * 4,
        )
        return training.make(inputs)

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


@pytest.mark.parametrize(
    ("name", "hindsight"),
    [
        *((name, False) for name in TRAINED if "explored" in METHODS[name].needs),
        ("spa_progress", True),
    ],
)
def test_explorations_are_read_as_they_were_sampled(
    make: Make,
    cloned: Policy,
    explored: list[Trajectory],
    name: str,
    hindsight: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where their tokens are known, the text of none is encoded again."""
    rows, encode = [cloned.codec.row(trajectory) for trajectory in explored], Codec.row

    def row(codec: Codec, trajectory: Trajectory) -> TokenRow:
        assert trajectory not in explored
        return encode(codec, trajectory)

    preset = replace(PRESET, progress=replace(PRESET.progress, hindsight=hindsight))
    monkeypatch.setattr(Codec, "row", row)
    _iterate(make(name, preset, rows), 1)


@pytest.mark.parametrize("name", ["archer", "prm4a", "spa_hindsight"])
def test_a_resumed_method_does_not_fit_to_the_explorations_again(
    make: Make, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its model comes from the state; signs of drift are those of an unbroken run."""
    whole = make(name)
    (first,) = _iterate(whole, 1)
    state = stored(whole.state())
    assert first["extra_updates"] > 0, "a model is fitted in the first iteration"
    with monkeypatch.context() as patch:
        for module in ("step_network", "hindsight"):
            patch.setattr(f"spa_lab.learn.{module}.fit", lambda *_, **__: pytest.fail("fitted again"))
        patch.setattr(UtteranceCritics, "fit", lambda *_, **__: pytest.fail("fitted again"))
        resumed = make(name)
        resumed.load_state(state)
    assert isinstance(whole, OnPolicyLearner) and isinstance(resumed, OnPolicyLearner)
    played = whole.play(TASKS)
    ours, theirs = whole.prepare(played), resumed.prepare(played)
    assert torch.equal(ours.advantages, theirs.advantages)
    assert ours.drift == theirs.drift and bool(ours.drift) == (name == "spa_hindsight")


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


USER_GROUP_METHOD = '''
from spa_lab import rewards
from spa_lab.learn.estimates import group_relative, step_credit
from spa_lab.learn.method import TrainingMethod
from spa_lab.learn.on_policy import OnPolicyLearner
from spa_lab.learn.settings_read import unread
from spa_lab.types import Credit


def grounded_groups(collected):
    """RLOO, and 0.1 less for each ungrounded step, on that step alone."""
    trajectories = [episode.trajectory for episode in collected.episodes]
    paid = [rewards.terminal(t).contributions for t in trajectories]
    refused = [Credit(t.id, "refused", t.grounded - 1.0) for t in trajectories]
    return step_credit(collected, refused, weight=0.1, add_to=group_relative(collected, paid, kind="rloo"))


METHOD = TrainingMethod(
    name="grounded_groups",
    title="RLOO and grounding",
    origin="example",
    make=lambda inputs: OnPolicyLearner(inputs, grounded_groups, group_size=4),
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


@pytest.mark.parametrize("text", [USER_METHOD, USER_GROUP_METHOD], ids=["step reward", "advantage"])
def test_a_method_of_a_user(make: Make, user_module: Callable[[str, str], None], text: str) -> None:
    """In at most 30 lines outside the package; found by its path, trained and resumed."""
    assert text.count("\n") <= 30
    module = f"user_method_{len(text)}"
    user_module(module, text)
    path = f"{module}:METHOD"
    whole, first, resumed = make(path), make(path), make(path)
    metrics = _iterate(whole, 2)
    assert metrics[0]["success"] > 0
    if text == USER_METHOD:
        assert metrics[0]["reward"] < metrics[0]["success"]
    _iterate(first, 1)
    resumed.load_state(stored(first.state()))
    _iterate(resumed, 1)
    assert torch.equal(_weights(whole), _weights(resumed))


def test_a_named_method_of_lambdas_reaches_worker_processes(
    user_module: Callable[[str, str], None],
) -> None:
    user_module("method_of_lambdas", USER_METHOD)
    method = find_method("method_of_lambdas:METHOD")
    check_portable("training method", method)
    rebuild, arguments = method.__reduce__()
    assert rebuild(*arguments).title == "shorter successes"
    with pytest.raises(ValueError, match="cannot be sent to worker processes"):
        check_portable("training method", replace(method, path=None))


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
        (
            {"needs": frozenset({"branches"})},
            "needs branches; only explored, estimator, demonstrations can be needed",
        ),
        ({"reads": frozenset({"ppo.lr", "ppo.rate"})}, "reads ppo.rate, which is no setting"),
    ],
)
def test_bad_descriptions(facts: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingMethod(**({"name": "a", "title": "", "origin": "", "make": lambda inputs: None} | facts))


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("grpo", {"ppo.group_size": 1}, "ppo.group_size: expected at least 2, got 1"),
        ("rft", {"ppo.episodes": 30}, "ppo.episodes: expected a multiple of ppo.group_size, 8, got 30"),
        ("spa_progress", {"ppo.episodes": 31}, "multiple of progress.group_size, 2, got 31"),
        ("spa_hindsight", {"hindsight.group_size": 3}, "multiple of hindsight.group_size, 3, got 128"),
    ],
)
def test_settings_are_refused_before_anything_is_trained(
    name: str, settings: dict[str, int], message: str
) -> None:
    changed = updated(replace(TINY, ppo=replace(TINY.ppo, group_size=8, episodes=128)), settings)
    with pytest.raises(ValueError, match=message):
        find_method(name).check(changed)
    find_method("terminal").check(changed)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ppo.gamma_step": 0.95}, 'ppo.gamma_step: expected none where ppo.gae_level is "step", got 0.95'),
        ({"ppo.gae_over": "all_tokens"}, "action_tokens where ppo.gae_level is \"step\", got 'all_tokens'"),
    ],
)
def test_settings_that_gae_would_ignore_are_refused(settings: dict[str, object], message: str) -> None:
    """By methods that use the preset's GAE; RAGEN's is per token in any case, others have none."""
    changed = updated(TINY, settings)
    refuse = []
    for name in TRAINED:
        try:
            find_method(name).check(changed)
        except ValueError as error:
            assert message in str(error)
            refuse.append(name)
        find_method(name).check(updated(changed, {"ppo.gae_level": "token"}))
    assert refuse == [
        "terminal", "spa", "spa_offline", "spa_progress", "spa_hindsight", "critic", "mean", "random",
        "mc_value", "mc_difference", "goal_conditions", "progress_advantage",
    ]  # fmt: skip


def _another(setting: Setting, value: Any) -> Any:
    """An allowed value of a setting other than that."""
    for choice in (kind for kind in (setting.type, *get_args(setting.type)) if get_origin(kind) is Literal):
        return next(other for other in get_args(choice) if other != value)
    if value is None:
        return 60 if int in get_args(setting.type) else 0.5
    return not value if isinstance(value, bool) else value + 1 if isinstance(value, int) else 0.5 * value


@pytest.mark.parametrize("name", TRAINED)
def test_what_a_method_does_not_read_changes_nothing(make: Make, name: str) -> None:
    """All of its settings without effect are changed at once, and it trains as before, bit for bit."""
    values = flat(PRESET)
    settings = {setting.key: setting for setting in list_settings(Preset)}
    ignored = unread(settings, [find_method(name)])
    assert len(ignored) > 10
    changed = updated(PRESET, {key: _another(settings[key], values[key]) for key in ignored})
    assert all(flat(changed)[key] != values[key] for key in ignored)
    learner, other = make(name), make(name, changed)
    assert _iterate(other, 2) == _iterate(learner, 2)
    assert torch.equal(_weights(other), _weights(learner))


def test_one_method_that_reads_a_setting_is_enough() -> None:
    rloo, terminal, spa = map(find_method, ("rloo", "terminal", "spa"))
    keys = ["ppo.lam", "ppo.lr", "rollouts_per_task", "estimator.head", "demonstrations", "clone.lr"]
    assert unread(keys, [rloo]) == ["ppo.lam", "rollouts_per_task", "estimator.head"]
    assert unread(keys, [rloo, terminal]) == ["rollouts_per_task", "estimator.head"]
    assert unread(keys, [rloo, spa]) == []
    assert unread(keys, [rloo, replace(rloo, reads=None)]) == []  # one of the user's, who may read all
    assert unread(keys, []) == ["ppo.lam", "ppo.lr", "rollouts_per_task", "estimator.head"]


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
        {"gamma": 1.0, "lam": 0.95, "gae_level": "step"},
        {"gamma": 1.0, "lam": 0.99, "similar_lengths": True},
        {"gae_over": "all_tokens", "temperature": 0.7, "clip": 0.05, "epochs": 3},
    ],
)
def test_the_weights_are_those_of_the_reference(
    make: Make,
    cloned: Policy,
    explored: list[Trajectory],
    estimator: ProgressEstimator,
    name: str,
    settings: dict,
) -> None:
    """After two iterations; every arm is paid the same grounding.

    Not bit for bit: the learner's critic reads the hidden states that playing computed, the reference reads
    the episodes again.
    """
    preset = replace(PRESET, ppo=replace(PRESET.ppo, **settings))
    learner = make(name, preset)
    reference = ReferencePPO(copy_policy(cloned, name=name), preset.ppo, 0, preset.explore_rollout)
    seen = [credit.contributions for credit in estimator.credit(explored)]
    later = np.concatenate([contributions[1:] for contributions in seen])

    def reward(episodes: Sequence[Episode]) -> list[np.ndarray]:
        trajectories = [episode.trajectory for episode in episodes]
        grounding = [0.05 * t.grounded for t in trajectories]
        split = [np.zeros(len(t)) for t in trajectories]
        if name == "spa":
            credits = estimator.credit(trajectories, rows=[episode.row for episode in episodes])
            for parts, credit in zip(split, credits, strict=True):
                parts[0] = np.clip(credit.contributions[0], min(c[0] for c in seen), max(c[0] for c in seen))
                parts[1:] = np.clip(credit.contributions[1:], later.min(), later.max())
        for parts, trajectory in zip(split, trajectories, strict=True):
            parts[-1] += trajectory.outcome - parts.sum()
        return [parts + paid for parts, paid in zip(split, grounding, strict=True)]

    for _ in range(2):
        learner.iterate(TASKS)
        reference.iterate(FORK, TASKS, reward)
    expected = torch.cat([weight.detach().flatten() for weight in reference.policy.model.parameters()])
    before = torch.cat([weight.detach().flatten() for weight in cloned.model.parameters()])
    error, change = (_weights(learner) - expected).norm(), (expected - before).norm()
    assert change > 0 and error < 1e-5 * change


def test_groups_play_the_same_task(make: Make) -> None:
    learner = make("rloo")
    assert isinstance(learner, OnPolicyLearner)
    collected = learner.play(TASKS)
    tasks = [episode.trajectory.task_id for episode in collected.episodes]
    assert tasks == ["f0"] * 8 + ["f1"] * 8 and list(collected.group) == [0] * 8 + [1] * 8
    batch = learner.prepare(collected)
    assert learner.critic is None and batch.returns is None and (batch.centre, batch.scale) == (0.0, 1.0)
    returns = np.array([t.outcome + 0.05 * t.grounded.sum() for t in batch.trajectories])
    assert 0 < returns.min() < 1 < returns.max()  # grounding is paid to every method
    means = np.repeat([returns[:8].mean(), returns[8:].mean()], 8)
    for expected, advantages, written in zip(
        (returns - means) * 8 / 7, batch.advantages, batch.written, strict=True
    ):
        np.testing.assert_allclose(advantages[written], expected)


def test_groups_must_divide_the_episodes(make: Make) -> None:
    preset = replace(PRESET, ppo=replace(PRESET.ppo, episodes=12))
    with pytest.raises(ValueError, match=r"ppo\.episodes: expected a multiple of the group size 8, got 12"):
        make("grpo", preset)
    make("grpo", replace(preset, ppo=replace(preset.ppo, group_size=4)))


def test_all_methods_play_the_same_episodes(make: Make) -> None:
    """The policies are the same at first, and so are the seeds in every iteration."""
    played = {}
    for name in ("terminal", "spa", "random", "monte_carlo"):
        learner = make(name)
        assert isinstance(learner, OnPolicyLearner)
        played[name] = [episode.row.ids for episode in learner.play(TASKS).episodes]
        learner.iteration = 1
        seeds = [episode.trajectory.seed for episode in learner.play(TASKS).episodes]
        played[name].append(tuple(seeds))
    assert all(episodes == played["terminal"] for episodes in played.values())
    learner = make("rloo")
    assert isinstance(learner, OnPolicyLearner)
    learner.iteration = 1
    assert tuple(e.trajectory.seed for e in learner.play(TASKS).episodes) == played["terminal"][-1]


def test_contributions_are_clipped_to_what_was_explored(make: Make, explored: list[Trajectory]) -> None:
    """A source that pays 9 for what it has not seen pays as much as it ever did."""

    def source(trajectories: Sequence[Trajectory], *, rows: object = None) -> list[Credit]:
        known = {trajectory.id for trajectory in explored}
        return [
            Credit(t.id, "x", np.full(len(t), 0.25 if t.id in known else 9.0), base_value=0.5)
            for t in trajectories
        ]

    learner = make("terminal")
    assert isinstance(learner, OnPolicyLearner)
    episodes = learner.play(TASKS).episodes
    config = RewardConfig(beta=0.0, residual="last")
    free = fused(config, source, explored=explored)(episodes)
    clipped = fused(replace(config, clip=True), source, explored=explored)(episodes)
    for episode, loose, tight in zip(episodes, free, clipped, strict=True):
        assert (loose[:-1] == 9.0).all() and (tight[:-1] == 0.25).all()
        assert loose.sum() == pytest.approx(episode.trajectory.outcome - 0.5) == pytest.approx(tight.sum())


def test_a_fitted_credit_reports_its_drift(make: Make) -> None:
    signs = {"credit_error", "credit_missed", "paid_beyond", "paid_repeats"}
    for name in ("spa", "critic", "spa_progress", "spa_hindsight"):
        (metrics,) = _iterate(make(name), 1)
        assert signs <= metrics.keys() and all(0 <= metrics[sign] <= 1 for sign in signs - {"credit_error"})
    assert metrics["credit_error"] < 1e-9, "progress sums to the outcome by construction"
    assert not signs & _iterate(make("mean"), 1)[0].keys()


def test_progress_with_hindsight_counts_its_updates(make: Make) -> None:
    """The same method, with log-ratios among what the heads read."""
    learner = make("spa_progress", replace(PRESET, progress=replace(PRESET.progress, hindsight=True)))
    assert isinstance(learner, OnPolicyLearner) and "hindsight" in learner.stateful
    first, second = _iterate(learner, 2)
    assert first["extra_updates"] > 0 and second["extra_updates"] > 0
    assert first["credit_error"] < 1e-9


def test_monte_carlo_pays_progress_and_grounding(make: Make) -> None:
    """Telescoped: the sum of an episode's advantages is R - V(h_0) and its grounding."""
    learner = make("monte_carlo")
    assert isinstance(learner, OnPolicyLearner)
    batch = learner.prepare(learner.play(TASKS))
    assert batch.rewards is not None and learner.critic is None
    for b, trajectory in enumerate(batch.trajectories):
        step, advantages = batch.step[b], batch.advantages[b]
        per_step = np.array([float(advantages[step == t][0]) for t in range(len(trajectory))])
        progress = per_step - 0.05 * trajectory.grounded
        value = trajectory.outcome - progress.sum()
        # two continuations: V is one of 0, 1/2, 1
        np.testing.assert_allclose(np.array([value, *(value + progress.cumsum())]) * 2 % 1, 0, atol=1e-9)
        assert batch.rewards[b].sum() == pytest.approx(per_step.sum())


def test_an_update_needs_an_episode(make: Make) -> None:
    learner = make("terminal")
    assert isinstance(learner, OnPolicyLearner)
    with pytest.raises(ValueError, match="at least 1 episode, got 0"):
        learner.prepare(Collected([], []))


def test_an_iteration_without_any_episode_to_learn_from(make: Make) -> None:
    """A filter that drops all: nothing is updated, and every metric is there."""
    method = TrainingMethod(
        name="nothing",
        title="",
        origin="",
        make=lambda inputs: OnPolicyLearner(
            inputs, lambda collected: [], keep=lambda collected: collected.select([])
        ),
    )
    learner = make(method)
    before = _weights(learner)
    (metrics,) = _iterate(learner, 1)
    assert torch.equal(_weights(learner), before)
    assert metrics.keys() == _iterate(make("terminal"), 1)[0].keys()
    assert metrics["loss"] == 0.0 and metrics["length"] > 0
