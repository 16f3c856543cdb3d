"""Gradients of single episodes: those of autograd, in the metric of Adam, and their sketches."""

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch

from spa_lab.agent.rollout import Episode, Policy
from spa_lab.learn.episode_gradients import (
    DAMPING,
    group_gradients,
    make_sketch,
    metric_weights,
    n_coordinates,
)
from spa_lab.learn.estimates import steps_of
from spa_lab.learn.language import logprobs_under
from spa_lab.types import FloatArray, Trajectory


@pytest.fixture(scope="module")
def played(
    make_fork_policy: Callable[..., Policy], forks: list[Trajectory]
) -> tuple[Policy, list[Episode], list[FloatArray]]:
    """A policy, four of its episodes and two advantages of each."""
    policy = make_fork_policy(spread=0.3)
    rows = policy.codec.rows_of(forks[:4])
    episodes = [
        Episode(trajectory, row, (0.0,) * len(row.ids)) for trajectory, row in zip(forks, rows, strict=False)
    ]
    rng = np.random.default_rng(0)
    return policy, episodes, [rng.normal(size=(2, len(row.ids))) for row in rows]


def _plain(policy: Policy, episode: Episode, per_token: FloatArray) -> np.ndarray:
    """The gradient of sum A_l log pi(l), by a pass of its own."""
    batch = policy.codec.batch([episode.row], limit=policy.context)
    logprobs = logprobs_under(policy.model, batch.ids, batch.action_mask, temperature=0.7)
    written = per_token[steps_of(episode) >= 0]
    parts = torch.autograd.grad(
        (torch.from_numpy(written).float() * logprobs).sum(), list(policy.model.parameters())
    )
    return torch.cat([part.flatten() for part in parts]).double().numpy()


def test_products_and_mean_are_those_of_autograd(
    played: tuple[Policy, list[Episode], list[FloatArray]],
) -> None:
    policy, episodes, coefficients = played
    size = n_coordinates(policy)
    weights = torch.rand(size, generator=torch.Generator().manual_seed(1)) + 0.5
    sketch = make_sketch(size, 4096, seed=0)
    products, mean = group_gradients(policy, episodes, coefficients, weights, sketch, temperature=0.7)
    expected = np.array(
        [
            [_plain(policy, episode, row) * weights.numpy() for row in rows]
            for episode, rows in zip(episodes, coefficients, strict=True)
        ]
    )  # (G, K, P)
    np.testing.assert_allclose(products, np.einsum("gap,gbp->ab", expected, expected) / 4, rtol=1e-4)
    exact = expected.mean(axis=0)
    scale = np.linalg.norm(exact[0]) * np.linalg.norm(exact[1])
    np.testing.assert_allclose(mean @ mean.T, exact @ exact.T, atol=4 * scale / np.sqrt(4096))
    assert mean.shape == (2, 4096)


def test_the_metric_is_the_second_moment_of_the_score(
    played: tuple[Policy, list[Episode], list[FloatArray]],
) -> None:
    """One step alone has a sign that squares away, so that the moment is known."""
    policy, episodes, _ = played
    episode = episodes[0]
    only = np.where(steps_of(episode) == 0, 0, -1)
    row = episode.row.__class__("one", episode.row.ids, tuple(only.tolist()))
    short = Episode(episode.trajectory, row, episode.logprobs)
    weights = metric_weights(policy, [short], temperature=0.7, rng=random.Random(0)).numpy()
    moment = _plain(policy, short, np.ones(len(only))) ** 2
    np.testing.assert_allclose(weights, (moment + DAMPING * moment.mean()) ** -0.25, rtol=1e-3)


def test_a_sketch_depends_on_its_seed_alone() -> None:
    vectors = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    first, again, other = (make_sketch(50, 16, seed=seed)(vectors) for seed in (4, 4, 5))
    assert torch.equal(first, again) and not torch.equal(first, other)
    products = torch.stack([make_sketch(50, 16, seed=s)(vectors) @ vectors.new_ones(16) for s in range(2)])
    assert products.shape == (2, 3)
    unbiased = np.mean(
        [(sketched := make_sketch(50, 16, seed=s)(vectors)) @ sketched.T for s in range(400)], axis=0
    )
    np.testing.assert_allclose(unbiased, vectors @ vectors.T, atol=4 * 50 / np.sqrt(16 * 400))
