"""A text that does nothing but that a fitted credit takes for progress (+1.2): does an agent learn it?

A world of two actions, small enough for every episode and its probability to be listed: "work" succeeds with
chance 0.4 and ends the episode, "chant" does nothing. A policy with one number for each step follows the
exact gradient of its advantages, which the functions that train language models estimate.
"""

from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest

from spa_lab import rewards
from spa_lab.agent.codec import TokenRow
from spa_lab.agent.rollout import Episode
from spa_lab.configs.reward import Residual, RewardConfig
from spa_lab.learn.estimates import gae
from spa_lab.types import Credit, FloatArray, Step, Trajectory

LIMIT, CHANCE, PAID = 4, 0.4, 1.2


class Listed(NamedTuple):
    """One possible episode."""

    episode: Episode
    chants: np.ndarray
    """(T,) bool."""


def _listed(chants: tuple[bool, ...], won: bool) -> Listed:
    name = "".join("wc"[chant] for chant in chants) + str(int(won))
    steps = tuple(Step("chant" if c else "work", "", "chant" if c else "work", "", True) for c in chants)
    facts = (name, "t", "chant", "train", "", "Begin.", steps, float(won), won, "done", "p", 0)
    row = TokenRow(name, tuple(range(len(chants))), tuple(range(len(chants))))
    return Listed(Episode(Trajectory(*facts), row, (0.0,) * len(chants)), np.array(chants))


EPISODES = [
    *(_listed((*before, False), True) for n in range(LIMIT) for before in product((True, False), repeat=n)),
    *(_listed(chants, False) for chants in product((True, False), repeat=LIMIT)),
]


def _chances(chant: FloatArray) -> FloatArray:
    """Probability of each episode if step t chants with probability chant[t]."""
    chances = []
    for (episode, _), chants in zip(EPISODES, (listed.chants for listed in EPISODES), strict=True):
        p = chant[: len(chants)]
        works = int((~chants).sum())
        won = episode.trajectory.success
        luck = CHANCE * (1 - CHANCE) ** (works - 1) if won else (1 - CHANCE) ** works
        chances.append(np.where(chants, p, 1 - p).prod() * luck)
    return np.array(chances)


def _learn(paid: list[FloatArray], *, lam: float = 1.0, updates: int = 50) -> tuple[FloatArray, float]:
    """Probability of a chant at each step, and success, after training on these step rewards."""
    theta = np.full(LIMIT, -2.0)
    for _ in range(updates):
        p = 1 / (1 + np.exp(-theta))
        chances, to_go, reached = _chances(p), np.zeros(LIMIT), np.zeros(LIMIT)
        for chance, rewarded in zip(chances, paid, strict=True):
            to_go[: len(rewarded)] += chance * rewarded[::-1].cumsum()[::-1]
            reached[: len(rewarded)] += chance
        values, gradient = to_go / reached, np.zeros(LIMIT)
        for chance, rewarded, (episode, chants) in zip(chances, paid, EPISODES, strict=True):
            n = len(rewarded)
            estimate = gae(episode, rewarded, values[:n], gamma=1.0, lam=lam, level="step")
            gradient[:n] += chance * estimate.advantage * (chants - p[:n])
        theta = np.clip(theta + 0.25 * gradient / np.sqrt((gradient**2).mean()), -6, 6)
    won = np.array([listed.episode.trajectory.success for listed in EPISODES])
    p = 1 / (1 + np.exp(-theta))
    return p, float(_chances(p)[won].sum())


def _fooled(trajectory: Trajectory) -> Credit:
    """The fitted credit: right about work, wrong about every chant."""
    contributions = np.array([PAID * (step.action == "chant") for step in trajectory.steps])
    contributions[-1] += trajectory.outcome
    return Credit(trajectory.id, "fooled", contributions)


def _progress(trajectory: Trajectory) -> Credit:
    """The same mistake, bounded: P(h) in [0, 1] rises to 1 with a chant, and after the last step it is R."""
    values = [0.5]
    for step in trajectory.steps[:-1]:
        values.append(min(1.0, values[-1] + PAID * (step.action == "chant")))
    return Credit(trajectory.id, "progress", np.diff([*values, trajectory.outcome]), base_value=0.5)


def _paid(credit: Callable[[Trajectory], Credit], residual: Residual) -> list[FloatArray]:
    config = RewardConfig(beta=0.0, residual=residual)
    trajectories = [listed.episode.trajectory for listed in EPISODES]
    return [rewards.fuse(trajectory, credit(trajectory), config) for trajectory in trajectories]


@pytest.mark.parametrize("residual", ["kept", "spread"])
def test_a_chant_is_learnt_where_its_error_is_kept_or_spread(residual: Residual) -> None:
    chant, success = _learn(_paid(_fooled, residual))
    assert chant[-1] > 0.9 and success < 0.8


@pytest.mark.parametrize(
    ("credit", "residual"), [(_fooled, "last"), (_progress, "kept"), (rewards.terminal, "kept")]
)
def test_a_chant_is_not_learnt_where_it_is_charged_back(
    credit: Callable[[Trajectory], Credit], residual: Residual
) -> None:
    """With lambda 1 per step; progress differences charge themselves back."""
    chant, success = _learn(_paid(credit, residual))
    assert (chant < 0.05).all() and success > 0.86  # 1 - 0.6^4 = 0.870


def test_with_lambda_below_one_the_error_at_the_last_step_is_not_enough() -> None:
    """A critic that does not know what was paid does not carry the charge back to the step."""
    chant, success = _learn(_paid(_fooled, "last"), lam=0.5)
    assert chant.max() > 0.9 and success < 0.8
