"""PPO: its loss by hand, its first update without a ratio, and a world that it learns to solve."""

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

from spa_lab import rewards
from spa_lab.agent.models import copy_policy
from spa_lab.agent.rollout import Episode, EpisodeSpec, Policy, rollout
from spa_lab.configs.cloning import CloneConfig
from spa_lab.configs.ppo import PPOConfig
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Demonstration, Environment, Reply, Task
from spa_lab.learn.cloning import clone
from spa_lab.learn.ppo import PPOLoss, PPORows, PPOTrainer, ppo_loss
from spa_lab.types import Step, Trajectory

TEXTS = ("Choose.", "Action: left", "Action: right", "Action: wait", "noted", "reply ", "You see a door.")
_NATS = st.floats(-5, 0)


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


def _success(policy: Policy) -> float:
    """Share of 256 episodes won, sampled as they are in training."""
    jobs = [EpisodeSpec(f"e{i}", TASKS[0], 1000 + i) for i in range(256)]
    episodes = rollout(policy, FORK, jobs, RolloutConfig(temperature=1.0, parallel=256))
    return float(np.mean([episode.trajectory.success for episode in episodes]))


def _loss(new: Sequence[float], old: Sequence[float], advantage: Sequence[float], **settings: Any) -> PPOLoss:
    n, config = len(new), PPOConfig(**({"clip": 0.2, "kl_coef": 0.0, "vf_coef": 0.0} | settings))
    tensors = [
        torch.tensor(values, dtype=torch.float64) for values in (new, old, new, [0] * n, advantage, [0] * n)
    ]
    return ppo_loss(*tensors, config)


RATIOS = [1.5, 0.5, 1.1, 1.5, 0.5]
SIGNS = [1.0, 1.0, 1.0, -1.0, -1.0]


def test_clipping_by_hand() -> None:
    """1.5 counts as 1.2 where that pays less, 0.5 as 0.8 where that costs more."""
    parts = _loss([math.log(ratio) for ratio in RATIOS], [0.0] * 5, SIGNS)
    assert float(parts.policy) == pytest.approx(-(1.2 + 0.5 + 1.1 - 1.5 - 0.8) / 5)
    assert float(parts.loss) == float(parts.policy)
    assert parts.clip_fraction == pytest.approx(4 / 5)


def test_what_is_clipped_is_not_pulled_further() -> None:
    new = torch.log(torch.tensor(RATIOS)).requires_grad_()
    zeros = torch.zeros(5)
    config = PPOConfig(clip=0.2, kl_coef=0.0, vf_coef=0.0)
    ppo_loss(new, zeros, zeros, zeros, torch.tensor(SIGNS), zeros, config).loss.backward()
    assert new.grad is not None
    assert new.grad.tolist() == pytest.approx([0, -0.5 / 5, -1.1 / 5, 1.5 / 5, 0])


def test_the_parts_add_up() -> None:
    """Ratio 1, advantage 1; values 3 and 1 against returns 1 and 1; reference twice as likely."""
    zeros, config = torch.zeros(2), PPOConfig(vf_coef=0.25, kl_coef=0.5)
    values, returns = torch.tensor([3.0, 1.0]), torch.tensor([1.0, 1.0])
    parts = ppo_loss(zeros, zeros, zeros + math.log(2), values, torch.ones(2), returns, config)
    assert float(parts.policy) == pytest.approx(-1)
    assert float(parts.value) == pytest.approx(2)
    assert float(parts.kl) == pytest.approx(math.log(2) ** 2 / 2)
    assert float(parts.loss) == pytest.approx(-1 + 0.25 * 2 + 0.5 * math.log(2) ** 2 / 2)
    assert (parts.clip_fraction, parts.approx_kl) == (0.0, 0.0)


@given(st.lists(st.tuples(_NATS, _NATS, _NATS), min_size=1, max_size=6))
def test_divergences_are_never_negative(rows: list[tuple[float, float, float]]) -> None:
    new, old, reference = torch.tensor(rows, dtype=torch.float64).T
    zeros = torch.zeros(len(rows), dtype=torch.float64)
    parts = ppo_loss(new, old, reference, zeros, zeros, zeros, PPOConfig())
    assert float(parts.kl) >= 0
    assert parts.approx_kl >= -1e-12
    slow = [math.exp(n - o) - 1 - (n - o) for n, o, _ in rows]
    assert parts.approx_kl == pytest.approx(sum(slow) / len(rows))


def test_divergences_are_right_on_average() -> None:
    """Each word weighed by the chance to sample it: one gives the gradient, the other the divergence."""
    one, other = torch.tensor([0.5, 0.3, 0.2]).double(), torch.tensor([0.2, 0.2, 0.6]).double()
    zero = torch.zeros(1).double()

    def parts(new: torch.Tensor, old: torch.Tensor, reference: torch.Tensor) -> list[PPOLoss]:
        words = zip(new.split(1), old.split(1), reference.split(1), strict=True)
        return [ppo_loss(*word, zero, zero, zero, PPOConfig()) for word in words]

    logits = one.log().requires_grad_()
    new = logits.log_softmax(0)
    (true,) = torch.autograd.grad((new.exp() * (new - other.log())).sum(), logits, retain_graph=True)
    losses = [part.kl for part in parts(new=new, old=one.log(), reference=other.log())]
    (found,) = torch.autograd.grad(sum(p * loss for p, loss in zip(one, losses, strict=True)), logits)
    assert found.tolist() == pytest.approx(true.tolist())
    from_old = [p.approx_kl for p in parts(new=other.log(), old=one.log(), reference=one.log())]
    exact = float((one * (one / other).log()).sum())
    assert float(one @ torch.tensor(from_old).double()) == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_before_any_step_nothing_has_moved(policy: Policy, temperature: float) -> None:
    """Sampled with a cache, read again in one piece: every ratio is 1, to rounding."""
    config = PPOConfig(episodes=12, epochs=1, batch_tokens=10**6, temperature=temperature)
    metrics = PPOTrainer(policy, config, rng=random.Random(0)).iterate(FORK, TASKS, _terminal)
    assert metrics["clip_fraction"] == 0.0
    assert metrics["approx_kl"] == pytest.approx(0.0, abs=1e-8)
    assert metrics["kl"] == pytest.approx(0.0, abs=1e-8)
    assert metrics["policy"] == pytest.approx(0.0, abs=1e-4)  # normalised advantages average to zero


def test_an_iteration_reports_what_was_played(policy: Policy) -> None:
    seen: list[Episode] = []

    def reward(episodes: Sequence[Episode]) -> list[np.ndarray]:
        seen.extend(episodes)
        return [np.array([0.5, 0.25]) for _ in episodes]

    trainer = PPOTrainer(policy, PPOConfig(episodes=7, epochs=1), rng=random.Random(0))
    metrics = [trainer.iterate(FORK, TASKS, reward) for _ in range(2)]
    names = {"success", "outcome", "grounding", "length", "reward", *PPOLoss._fields}
    assert set(metrics[0]) == names
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
    config = PPOConfig(episodes=48, epochs=2, batch_tokens=200, lr=5e-3, kl_coef=0.01, gamma=1.0, lam=0.95)
    trainer = PPOTrainer(policy, config, rng=random.Random(0))
    for _ in range(12):
        trainer.iterate(FORK, TASKS, _terminal)
    assert _success(policy) > 0.8
    for name, weight in trainer.reference.state_dict().items():
        assert torch.equal(weight, reference[name]), "the reference moved"


def test_the_same_seed_gives_the_same_weights(one_in_four: Policy) -> None:
    state = torch.random.get_rng_state()
    weights = []
    for seed in (1, 1, 2):
        policy = copy_policy(one_in_four, name="ppo")
        trainer = PPOTrainer(policy, PPOConfig(episodes=6, batch_tokens=40), rng=random.Random(seed))
        for _ in range(2):
            trainer.iterate(FORK, TASKS, _terminal)
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


def _trainer(policy: Policy, *, value: float | None = None, **settings: Any) -> PPOTrainer:
    """With `value` its value head says that number everywhere."""
    trainer = PPOTrainer(policy, PPOConfig(**settings), rng=random.Random(0))
    if value is not None:
        torch.nn.init.zeros_(trainer.value_head[-1].weight)
        torch.nn.init.constant_(trainer.value_head[-1].bias, value)
    return trainer


def _wrote(rows: PPORows) -> np.ndarray:
    return np.array(rows.episode.row.step) >= 0


def test_what_is_prepared_lies_on_the_tokens_of_the_policy(policy: Policy, episode: Episode) -> None:
    (rows,) = _trainer(policy, value=0.25).prepare([episode], [np.array([1.0, 2.0, 4.0])])
    wrote, step = _wrote(rows), np.array(episode.row.step)
    assert rows.values[wrote].tolist() == [0.25] * wrote.sum()
    for name in ("reference", "rewards", "values", "advantages"):
        array = getattr(rows, name)
        assert array.shape == step.shape, name
        assert not array[~wrote].any(), name
    assert [rows.rewards[step == t].sum() for t in range(3)] == [1, 2, 4]
    ends = [np.flatnonzero(step == t)[-1] for t in range(3)]
    assert rows.rewards[ends].tolist() == [1, 2, 4]
    batch = policy.codec.batch([episode.row], limit=policy.context)
    with torch.no_grad():
        said = torch.log_softmax(policy.model(batch.ids).logits[0, :-1], dim=-1)
    known = said.gather(1, batch.ids[0, 1:, None])[:, 0].numpy()
    np.testing.assert_allclose(rows.reference[1:][wrote[1:]], known[wrote[1:]], atol=1e-5)


def test_values_are_read_before_the_token_they_judge(policy: Policy, episode: Episode) -> None:
    """V in front of a step must not know what the step will say."""
    trainer = _trainer(policy)
    (before,) = trainer.prepare([episode], [np.zeros(3)])
    steps = list(episode.trajectory.steps)
    steps[1] = replace(steps[1], text="Action: right")
    changed = _as_played(policy, replace(episode.trajectory, steps=tuple(steps)))
    (after,) = trainer.prepare([changed], [np.zeros(3)])
    known = list(episode.row.step).index(1) + 1  # up to the first token of step 1 itself
    np.testing.assert_allclose(after.values[:known], before.values[:known], atol=1e-6)
    assert not np.allclose(after.values[known], before.values[known], atol=1e-6)


def _slow(rewards_: np.ndarray, values: np.ndarray, gamma: float, lam: float) -> list[float]:
    following = [*values[1:], 0.0]
    delta = [r + gamma * n - v for r, n, v in zip(rewards_, following, values, strict=True)]
    return [
        sum((gamma * lam) ** (j - i) * d for j, d in enumerate(delta) if j >= i) for i in range(len(delta))
    ]


@pytest.mark.parametrize("axis", ["action_tokens", "all_tokens"])
def test_advantages_run_over_the_tokens_asked_for(policy: Policy, episode: Episode, axis: str) -> None:
    trainer = _trainer(policy, value=0.25, gae_over=axis, gamma=0.9, lam=0.8)
    (rows,) = trainer.prepare([episode], [np.array([1.0, 2.0, 4.0])])
    use = _wrote(rows) if axis == "action_tokens" else np.ones(len(rows.values), dtype=bool)
    expected = np.zeros(len(use))
    expected[use] = _slow(rows.rewards[use], rows.values[use], 0.9, 0.8)
    np.testing.assert_allclose(rows.advantages, np.where(_wrote(rows), expected, 0.0), atol=1e-9)


@pytest.mark.parametrize(("axis", "same"), [("action_tokens", True), ("all_tokens", False)])
def test_what_longer_observations_change(
    policy: Policy, make_trajectory: Callable[..., Trajectory], axis: str, same: bool
) -> None:
    """Nothing; in the released form credit fades with every word the world says."""
    short = make_trajectory(1.0, [True] * 3)
    long = make_trajectory(1.0, [True] * 3, observations=["reply " * 20] * 3)
    trainer = _trainer(policy, value=0.25, gae_over=axis)
    found = []
    for trajectory in (short, long):
        (rows,) = trainer.prepare([_as_played(policy, trajectory)], [np.array([0.0, 0.5, 1.0])])
        found.append(rows.advantages[_wrote(rows)])
    assert np.allclose(found[0], found[1], atol=1e-6) is same
    n_last = len(policy.codec.text_ids(short.steps[2].text)) + 1
    np.testing.assert_allclose(found[0][-n_last:], found[1][-n_last:], atol=1e-6)


def test_order_and_batches_do_not_matter(policy: Policy, make_trajectory: Callable[..., Trajectory]) -> None:
    episodes = [
        _as_played(policy, make_trajectory(1.0, [True] * n, id=f"t{i}"))
        for i, n in enumerate([3, 1, 4, 2, 5])
    ]
    given = [np.arange(len(episode.trajectory), dtype=float) for episode in episodes]
    one = _trainer(policy, batch_tokens=1).prepare(episodes, given)
    many = _trainer(policy, batch_tokens=10**6).prepare(episodes[::-1], given[::-1])[::-1]
    for a, b in zip(one, many, strict=True):
        assert a.episode is b.episode
        for name in ("reference", "rewards", "values", "advantages"):
            np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=1e-5, err_msg=name)


def test_rewards_that_do_not_fit_the_steps(policy: Policy, episode: Episode) -> None:
    with pytest.raises(ValueError, match=r"cover steps \[0, 1, 2\], expected 0 ... 1"):
        _trainer(policy).prepare([episode], [np.zeros(2)])


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
    ],
)
def test_bad_settings(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(bad))}.*{next(iter(bad.values()))}"):
        PPOConfig(**bad)
