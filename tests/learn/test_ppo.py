"""PPO: its first update without a ratio, what it prepares, and a world that it learns to solve."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from spa_lab import rewards
from spa_lab.agent.models import copy_policy
from spa_lab.agent.rollout import Episode, EpisodeSpec, Policy, rollout
from spa_lab.configs.cloning import CloneConfig
from spa_lab.configs.ppo import PPOConfig
from spa_lab.configs.presets import TINY
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Demonstration, Environment, Reply, Task
from spa_lab.learn.cloning import clone
from spa_lab.learn.collect import Collected
from spa_lab.learn.estimates import Estimate
from spa_lab.learn.method import TrainingInputs
from spa_lab.learn.on_policy import OnPolicyLearner
from spa_lab.learn.ppo import GAEOnRewards, ppo
from spa_lab.learn.step_rewards import StepReward
from spa_lab.learn.update_batch import make_update_batch
from spa_lab.types import Step, Trajectory

TEXTS = ("Choose.", "Action: left", "Action: right", "Action: wait", "noted", "reply ", "You see a door.")


class Fork:
    """Right at the first step wins, at the end of the second; everything can be done but nonsense."""

    def reset(self, task: Task) -> str:
        self.actions: list[str] = []
        return "Choose."

    def step(self, action: str) -> Reply:
        self.actions.append(action)
        won = len(self.actions) == 2 and self.actions[0] == "right"
        return Reply("noted", action in ("left", "right", "wait"), len(self.actions) == 2, float(won))


FORK = Environment(name="fork", make_world=Fork, tasks=lambda split, n: [], step_limit=2)
TASKS = [Task(f"f{i}", "fork", "train", "", "", 2, None) for i in range(3)]


def _demonstration(number: int, first: str) -> Demonstration:
    steps = tuple(Step(f"Action: {action}", "", action, "noted", True) for action in (first, "wait"))
    facts = (f"d{number}", "f", "fork", "train", "", "Choose.", steps, 1.0, True, "done", "expert", 0)
    return Demonstration(Trajectory(*facts), (True, True))


@pytest.fixture(scope="module")
def one_in_four(make_policy: Callable[..., Policy]) -> Policy:
    """A small policy that goes right in one episode of four."""
    policy = make_policy(*TEXTS, hidden=32)
    demonstrations = [_demonstration(i, "right" if i == 0 else "left") for i in range(4)]
    config = CloneConfig(epochs=60, lr=0.02, muon_lr=None, batch_tokens=1000)
    clone(policy, demonstrations, config, rng=random.Random(0))
    return policy


@pytest.fixture
def policy(one_in_four: Policy) -> Policy:
    return copy_policy(one_in_four, name="ppo")


def _terminal(episodes: Sequence[Episode]) -> list[np.ndarray]:
    return [rewards.terminal(episode.trajectory).contributions for episode in episodes]


def _learner(policy: Policy, reward: StepReward, *, seed: int = 0, **settings: Any) -> OnPolicyLearner:
    preset = replace(TINY, ppo=PPOConfig(**settings), explore_rollout=RolloutConfig())
    inputs = TrainingInputs(policy, FORK, preset, random.Random(seed), seed=seed)
    return ppo(inputs, reward)


def _success(policy: Policy) -> float:
    """Share of 256 episodes won, sampled as they are in training."""
    jobs = [EpisodeSpec(f"e{i}", TASKS[0], 1000 + i) for i in range(256)]
    episodes = rollout(policy, FORK, jobs, RolloutConfig(temperature=1.0, parallel=256))
    return float(np.mean([episode.trajectory.success for episode in episodes]))


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_before_any_step_nothing_has_moved(policy: Policy, temperature: float) -> None:
    """Sampled with a cache, read again in one piece: every ratio is 1, to rounding."""
    settings = {"episodes": 12, "epochs": 1, "batch_tokens": 10**6, "temperature": temperature}
    metrics = _learner(policy, _terminal, **settings).iterate(TASKS)
    assert metrics["clip_fraction"] == 0.0
    assert metrics["approx_kl"] == pytest.approx(0.0, abs=1e-7)  # the rounding of exp in float32
    assert metrics["kl"] == pytest.approx(0.0, abs=1e-7)
    assert metrics["policy"] == pytest.approx(0.0, abs=1e-4)  # normalised advantages average to zero


def test_an_iteration_reports_what_was_played(policy: Policy) -> None:
    seen: list[Episode] = []

    def reward(episodes: Sequence[Episode]) -> list[np.ndarray]:
        seen.extend(episodes)
        return [np.array([0.5, 0.25]) for _ in episodes]

    learner = _learner(policy, reward, episodes=7, epochs=1)
    metrics = [learner.iterate(TASKS) for _ in range(2)]
    names = {"episodes", "success", "outcome", "grounding", "length", "reward"}
    names |= {"loss", "policy", "value", "kl", "clip_fraction", "approx_kl"}
    assert set(metrics[0]) == names and metrics[0]["episodes"] == 7
    assert [e.trajectory.task_id for e in seen[:7]] == ["f0", "f1", "f2", "f0", "f1", "f2", "f0"]
    assert len({e.trajectory.id for e in seen}) == 14
    played = [e.trajectory for e in seen[:7]]
    assert metrics[0]["success"] == pytest.approx(np.mean([t.success for t in played]))
    assert metrics[0]["outcome"] == pytest.approx(np.mean([t.outcome for t in played]))
    assert metrics[0]["grounding"] == pytest.approx(np.mean([t.grounded.mean() for t in played]))
    assert (metrics[0]["length"], metrics[0]["reward"]) == (2.0, 0.75)
    assert metrics[1]["kl"] > metrics[0]["kl"]
    assert not policy.model.training


def test_it_learns_to_win(policy: Policy) -> None:
    assert 0.1 < _success(policy) < 0.4
    reference = {name: weight.clone() for name, weight in policy.model.state_dict().items()}
    settings = {"episodes": 48, "epochs": 2, "batch_tokens": 200, "lr": 5e-3, "kl_coef": 0.01}
    learner = _learner(policy, _terminal, gamma=1.0, lam=0.95, **settings)
    for _ in range(12):
        learner.iterate(TASKS)
    assert _success(policy) > 0.8
    assert learner.reference is not None
    for name, weight in learner.reference.state_dict().items():
        assert torch.equal(weight, reference[name]), "the reference moved"


def test_the_reference_reads_only_what_is_paid(policy: Policy) -> None:
    learner = _learner(policy, _terminal, episodes=6, epochs=1, kl_coef=0.0)
    assert learner.reference is None
    assert learner.prepare(learner.play(TASKS)).reference is None
    metrics = learner.iterate(TASKS)
    assert "kl" not in metrics and metrics["loss"] == pytest.approx(
        metrics["policy"] + learner.config.vf_coef * metrics["value"]
    )


def test_the_critic_reads_nothing_that_playing_has_read(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The values are those of reading the episodes again, to rounding."""
    learner = _learner(policy, _terminal, episodes=6)
    played = learner.play(TASKS)
    assert learner.critic is not None
    expected = learner.critic.values([replace(e, hidden=None) for e in played.episodes], budget=999)
    monkeypatch.setattr("spa_lab.learn.critic.hidden_states", None)
    values = learner.critic.values(played.episodes, budget=999)
    for ours, theirs in zip(values, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_the_same_seed_gives_the_same_weights(one_in_four: Policy) -> None:
    state = torch.random.get_rng_state()
    weights = []
    for seed in (1, 1, 2):
        policy = copy_policy(one_in_four, name="ppo")
        learner = _learner(policy, _terminal, seed=seed, episodes=6, batch_tokens=40)
        for _ in range(2):
            learner.iterate(TASKS)
        weights.append(torch.cat([p.detach().flatten() for p in policy.model.parameters()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.fixture
def episode(policy: Policy, trajectory: Trajectory) -> Episode:
    return _as_played(policy, trajectory)


def _as_played(policy: Policy, trajectory: Trajectory) -> Episode:
    row = policy.codec.row(trajectory)
    return Episode(trajectory, row, tuple(-0.5 * (step >= 0) for step in row.step))


class Prepared(NamedTuple):
    """What an update reads of one episode; (L,) arrays."""

    episode: Episode
    reference: np.ndarray
    rewards: np.ndarray
    values: np.ndarray
    advantages: np.ndarray

    @property
    def written(self) -> np.ndarray:
        return np.array(self.episode.row.step) >= 0


def _prepare(
    policy: Policy,
    episodes: Sequence[Episode],
    step_rewards: Sequence[np.ndarray],
    *,
    value: float | None = None,
    **settings: Any,
) -> list[Prepared]:
    """With `value` the critic gives that number everywhere; it is not fitted."""
    learner = _learner(policy, lambda episodes: list(step_rewards), **settings)
    assert learner.critic is not None
    learner.critic.is_fitted = True
    if value is not None:
        torch.nn.init.zeros_(learner.critic.head[-1].weight)
        torch.nn.init.constant_(learner.critic.head[-1].bias, value)
    batch = learner.prepare(Collected(episodes, range(len(episodes))))
    assert batch.rewards is not None and batch.values is not None
    tensors = (batch.reference, batch.rewards, batch.values, batch.advantages)
    return [
        Prepared(episode, *(tensor[b, : len(episode.row.ids)].numpy() for tensor in tensors))
        for b, episode in enumerate(episodes)
    ]


def test_what_is_prepared_lies_on_the_tokens_of_the_policy(policy: Policy, episode: Episode) -> None:
    (row,) = _prepare(policy, [episode], [np.array([1.0, 2.0, 4.0])], value=0.25)
    written, step = row.written, np.array(episode.row.step)
    assert row.values[written].tolist() == [0.25] * written.sum()
    for name in ("reference", "rewards", "values", "advantages"):
        array = getattr(row, name)
        assert array.shape == step.shape, name
        assert not array[~written].any(), name
    assert [row.rewards[step == t].sum() for t in range(3)] == [1, 2, 4]
    ends = [np.flatnonzero(step == t)[-1] for t in range(3)]
    assert row.rewards[ends].tolist() == [1, 2, 4]
    batch = policy.codec.batch([episode.row], limit=policy.context)
    with torch.no_grad():
        log_probs = torch.log_softmax(policy.model(batch.ids).logits[0, :-1], dim=-1)
    expected = log_probs.gather(1, batch.ids[0, 1:, None])[:, 0].numpy()
    np.testing.assert_allclose(row.reference[1:][written[1:]], expected[written[1:]], atol=1e-5)


def test_values_are_read_before_the_token_they_judge(policy: Policy, episode: Episode) -> None:
    """V before a step must not depend on what the step will say."""
    (before,) = _prepare(policy, [episode], [np.zeros(3)])
    steps = list(episode.trajectory.steps)
    steps[1] = replace(steps[1], text="Action: right")
    changed = _as_played(policy, replace(episode.trajectory, steps=tuple(steps)))
    (after,) = _prepare(policy, [changed], [np.zeros(3)])
    n_equal = list(episode.row.step).index(1) + 1  # up to the first token of step 1 itself
    np.testing.assert_allclose(after.values[:n_equal], before.values[:n_equal], atol=1e-6)
    assert not np.allclose(after.values[n_equal], before.values[n_equal], atol=1e-6)


def _slow(rewards_: np.ndarray, values: np.ndarray, gamma: float, lam: float) -> list[float]:
    following = [*values[1:], 0.0]
    delta = [r + gamma * n - v for r, n, v in zip(rewards_, following, values, strict=True)]
    return [
        sum((gamma * lam) ** (j - i) * d for j, d in enumerate(delta) if j >= i) for i in range(len(delta))
    ]


@pytest.mark.parametrize("over", ["action_tokens", "all_tokens"])
def test_advantages_run_over_the_tokens_asked_for(policy: Policy, episode: Episode, over: str) -> None:
    settings = {"value": 0.25, "gae_over": over, "gamma": 0.9, "lam": 0.8}
    (row,) = _prepare(policy, [episode], [np.array([1.0, 2.0, 4.0])], **settings)
    used = row.written if over == "action_tokens" else np.ones(len(row.values), dtype=bool)
    expected = np.zeros(len(used))
    expected[used] = _slow(row.rewards[used], row.values[used], 0.9, 0.8)
    np.testing.assert_allclose(row.advantages, np.where(row.written, expected, 0.0), atol=1e-9)


class _Untrained:
    """A critic that says 0 everywhere and keeps the targets of its first fit."""

    is_fitted = False

    def fit(self, episodes: Sequence[Episode], returns: Sequence[np.ndarray]) -> None:
        self.returns = list(returns)

    def values(self, episodes: Sequence[Episode], *, budget: int) -> list[np.ndarray]:
        return [np.zeros(len(episode.row.ids)) for episode in episodes]


@pytest.mark.parametrize(
    "settings",
    [{}, {"gae_over": "all_tokens"}, {"gae_level": "step"}],
    ids=["action tokens", "all tokens", "steps"],
)
def test_the_first_targets_are_the_returns_of_the_gae(episode: Episode, settings: dict[str, Any]) -> None:
    """With lambda = 1 and values of 0 an advantage is the return."""
    critic, config = (
        _Untrained(),
        replace(TINY.ppo, gamma=0.9, lam=1.0, **({"gae_level": "token"} | settings)),
    )
    estimator = GAEOnRewards(lambda episodes: [np.array([1.0, 2.0, 4.0])], critic, config)  # type: ignore[arg-type]
    (estimate,) = estimator(Collected([episode], [0]))
    written = np.array(episode.row.step) >= 0
    assert critic.returns[0][written] == pytest.approx(estimate.advantage[written])


@pytest.mark.parametrize(("over", "same"), [("action_tokens", True), ("all_tokens", False)])
def test_what_longer_observations_change(
    policy: Policy, make_trajectory: Callable[..., Trajectory], over: str, same: bool
) -> None:
    """Nothing; in the released form credit decays over every token of an observation."""
    short = make_trajectory(1.0, [True] * 3)
    long = make_trajectory(1.0, [True] * 3, observations=["reply " * 20] * 3)
    advantages = []
    for trajectory in (short, long):
        paid = [np.array([0.0, 0.5, 1.0])]
        (row,) = _prepare(policy, [_as_played(policy, trajectory)], paid, value=0.25, gae_over=over)
        advantages.append(row.advantages[row.written])
    assert np.allclose(advantages[0], advantages[1], atol=1e-6) is same
    n_last = len(policy.codec.text_ids(short.steps[2].text)) + 1
    np.testing.assert_allclose(advantages[0][-n_last:], advantages[1][-n_last:], atol=1e-6)


def test_order_and_batches_do_not_matter(policy: Policy, make_trajectory: Callable[..., Trajectory]) -> None:
    episodes = [
        _as_played(policy, make_trajectory(1.0, [True] * n, id=f"t{i}"))
        for i, n in enumerate([3, 1, 4, 2, 5])
    ]
    paid = [np.arange(len(episode.trajectory), dtype=float) for episode in episodes]
    alone = _prepare(policy, episodes, paid, batch_tokens=1)
    together = _prepare(policy, episodes[::-1], paid[::-1], batch_tokens=10**6)[::-1]
    for a, b in zip(alone, together, strict=True):
        assert a.episode is b.episode
        for name in ("reference", "rewards", "values", "advantages"):
            np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=1e-5, err_msg=name)


def test_rewards_that_do_not_fit_the_steps(policy: Policy, episode: Episode) -> None:
    with pytest.raises(ValueError, match=r"expected one for each of 3 steps, got shape \(2,\)"):
        _prepare(policy, [episode], [np.zeros(2)])


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_an_advantage_that_is_not_finite_is_refused(policy: Policy, episode: Episode, wrong: float) -> None:
    estimate = Estimate(np.full(len(episode.row.ids), wrong))
    tokens = policy.codec.batch([episode.row], limit=policy.context)
    with pytest.raises(ValueError, match=r"advantage of .*: expected a finite number for each of"):
        make_update_batch(tokens, [episode], [estimate])


def test_with_steps_as_actions_a_step_has_one_advantage(policy: Policy, episode: Episode) -> None:
    """gamma 1, lambda 1, V = 1/4: reward-to-go less the value, the same on all tokens of a step."""
    preset = replace(TINY, ppo=PPOConfig(gamma=1.0, lam=1.0, gae_level="step"))
    inputs = TrainingInputs(policy=policy, environment=FORK, preset=preset, rng=random.Random(0))
    learner = ppo(inputs, lambda episodes: [np.array([1.0, 2.0, 4.0])])
    batch = learner.prepare(Collected([episode], [0]))
    step = np.array(episode.row.step)
    assert batch.values is not None and batch.returns is not None
    for t, to_go in enumerate([7.0, 6.0, 4.0]):
        value = batch.values[0, step == t][0]
        np.testing.assert_allclose(batch.advantages[0, step == t], to_go - value)
        np.testing.assert_allclose(batch.returns[0, step == t], to_go, atol=1e-6)


@pytest.mark.parametrize(
    "bad",
    [
        {"iterations": 0},
        {"episodes": 0},
        {"epochs": 0},
        {"batch_tokens": 0},
        {"gamma": 1.1},
        {"lam": -0.1},
        {"temperature": 0.0},
        {"lr": 0.0},
        {"clip": 0.0},
        {"gae_over": "tokens"},
        {"gae_level": "episode"},
        {"group_size": 0},
        {"branches": 0},
    ],
)
def test_bad_settings(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(bad))}.*{next(iter(bad.values()))}"):
        PPOConfig(**bad)
