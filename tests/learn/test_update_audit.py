"""What the gradient saw: tables by hand, and every alarm raised by its own failure and by no other."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from spa_lab.agent.codec import TokenBatch, TokenRow
from spa_lab.agent.rollout import Episode
from spa_lab.configs.ppo import PPOConfig
from spa_lab.learn.collect import Collected
from spa_lab.learn.estimates import Estimate, gae, group_relative
from spa_lab.learn.update_audit import GradientView, what_the_gradient_saw
from spa_lab.learn.update_batch import UpdateBatch, make_update_batch
from spa_lab.types import FloatArray, Trajectory

CONFIG = PPOConfig(gamma=0.9, lam=0.5, kl_coef=0.1)
STEP = (-1, 0, 0, -1, -1, 1, -1, 2, 2)
"""Three steps of two, one and two tokens behind an opening."""
WRITTEN = np.array(STEP) >= 0


Row = tuple[Episode, Estimate, FloatArray]
Build = Callable[..., Row]


@pytest.fixture
def build(make_trajectory: Callable[..., Trajectory]) -> Build:
    """(id, outcome, step rewards, values per written token, KL in nats, grounded, config) -> an episode."""

    def make(
        id: str = "a",
        outcome: float = 1.0,
        paid: Sequence[float] = (0.25, -0.5, 1.0),
        values: Sequence[float] = (0.0, 0.125, 0.25, 0.5, 0.5),
        kl: float = 0.0,
        grounded: Sequence[bool] = (True, False, True),
        config: PPOConfig = CONFIG,
    ) -> Row:
        value, logprob = np.zeros((2, len(STEP)))
        value[WRITTEN] = values
        logprob[WRITTEN] = -1.0
        tokens = TokenRow(id, tuple(range(len(STEP))), STEP)
        episode = Episode(make_trajectory(outcome, grounded, id=id), tokens, tuple(logprob.tolist()))
        settings = {"gamma": config.gamma, "lam": config.lam, "over": config.gae_over}
        estimate = gae(episode, np.array(paid, dtype=float), value, **settings)
        return episode, estimate, np.where(WRITTEN, logprob - kl, 0.0)

    return make


def _batch(rows: Sequence[Row]) -> UpdateBatch:
    episodes, estimates, reference = zip(*rows, strict=True)
    ids, step = (torch.tensor([getattr(e.row, name) for e in episodes]) for name in ("ids", "step"))
    tokens = TokenBatch(
        ids, torch.ones_like(ids, dtype=torch.bool), step, tuple(e.row.trajectory_id for e in episodes)
    )
    return make_update_batch(tokens, episodes, estimates, reference)


def _view(rows: Sequence[Row], config: PPOConfig) -> GradientView:
    return what_the_gradient_saw(_batch(rows), config)


def _raised(view: GradientView) -> set[str]:
    return {alarm.name for alarm in view.alarms if alarm.raised}


def test_tables_by_hand(build: Build) -> None:
    row = build(kl=0.5)
    view = _view([row], CONFIG)
    last = 1.0 - 0.5  # r - V
    before = 0.0 + 0.9 * 0.5 - 0.5 + 0.45 * last
    middle = -0.5 + 0.9 * 0.5 - 0.25 + 0.45 * before
    advantages = view.tokens["advantage"]
    assert advantages[2:].tolist() == pytest.approx([middle, before, last])
    assert view.tokens["step"].tolist() == [0, 0, 1, 2, 2]
    assert view.tokens["position"].tolist() == [1, 2, 5, 7, 8]
    assert view.tokens["push"].mean() == pytest.approx(0) and view.tokens["push"].std(
        ddof=0
    ) == pytest.approx(1)
    assert view.tokens["kl"].tolist() == pytest.approx([0.5] * 5)
    assert view.tokens["kl_push"].tolist() == pytest.approx([-0.1 * 0.5] * 5)
    steps = view.steps
    assert steps["reward"].tolist() == [0.25, -0.5, 1.0]
    assert steps["n_tokens"].tolist() == [2, 1, 2]
    assert steps["kl"].tolist() == pytest.approx([1.0, 0.5, 1.0])
    assert steps["advantage"][2] == pytest.approx((before + last) / 2)
    assert steps["grounded"].tolist() == [True, False, True] and steps["success"].all()


def test_a_healthy_update_raises_nothing(build: Build) -> None:
    rows = [build(), build("b", 0.0, paid=(0.1, -0.5, -0.2))]
    view = _view(rows, CONFIG)
    assert _raised(view) == set()
    assert len({alarm.name for alarm in view.alarms}) == 10
    assert view.render().count("fine") == 10


@pytest.mark.parametrize(
    ("settings", "name", "words"),
    [
        ({"paid": (0, 0, 0), "values": (0,) * 5}, "zero_advantage", "3 of 6 steps"),
        ({"paid": (0.5,) * 3}, "same_for_all_steps", "in 1 of 2 episodes"),
        ({"paid": (0.25, 0.5, 1.0)}, "ungrounded_paid", "1 of 2 ungrounded steps were paid"),
        ({"kl": -40.0}, "kl_above_signal", "KL pushes tokens by"),
    ],
)
def test_alarms(build: Build, settings: dict, name: str, words: str) -> None:
    rows = [build(**settings), build("b", 0.0, paid=(0.1, -0.5, -0.2))]
    if name == "same_for_all_steps":  # more than half of the episodes
        rows[1] = build("b", 0.0, paid=(-0.5,) * 3)
        words = "in 2 of 2 episodes"
    view = _view(rows, CONFIG)
    assert name in _raised(view)
    (alarm,) = (alarm for alarm in view.alarms if alarm.name == name)
    assert words in alarm.text and 0 < alarm.share <= 1
    assert view.render().startswith("ALARM")


def test_all_alike_is_noise(build: Build) -> None:
    config = replace(CONFIG, gamma=0.0)
    rows = [build(paid=(0, 0, 0), values=(-1,) * 5, config=config)]
    assert {"no_difference", "same_for_all_steps"} <= _raised(_view(rows, config))


def test_failures_that_earn_more(build: Build) -> None:
    """A bonus for every executable action, offline harmless: the long failure is paid better."""
    rows = [build(paid=(0.5, 0.0, 0.6)), build("b", 0.0, paid=(0.9, 0.0, 0.5))]
    view = _view(rows, CONFIG)
    assert _raised(view) == {"failures_earn_more"}
    assert "a success earns +1.10 on average, a failure +1.40" in view.render()


def test_gae_over_observations_lets_their_length_in_and_credit_out(build: Build) -> None:
    config = replace(CONFIG, gae_over="all_tokens")
    view = _view([build(config=config), build("b", 0.0, (0.1, -0.5, -0.2), config=config)], config)
    assert {"observation_length", "never_crosses_border"} & _raised(view) == {"observation_length"}
    far = replace(config, lam=0.1)
    view = _view([build(config=far), build("b", 0.0, (0.1, -0.5, -0.2), config=far)], far)
    assert "never_crosses_border" in _raised(view)
    # steps 0 -> 1 are three tokens apart, 1 -> 2 three: 0.09^3
    assert f"{0.09**3:.1%} reaches" in view.render()


def test_between_steps_a_discount_of_steps_counts(build: Build) -> None:
    """Bi-level GAE: 0.9 a border, whatever the discount of tokens."""
    config = replace(CONFIG, gamma=0.1, lam=1.0, gamma_step=0.9)
    assert "90.0% reaches" in _view([build(), build("b", 0.0, (0.1, -0.5, -0.2))], config).render()


def test_the_push_of_k3_grows_with_the_ratio(build: Build) -> None:
    batch = _batch([build(kl=-3.0), build("b", 0.0, kl=-3.0)])
    tokens = {form: what_the_gradient_saw(batch, CONFIG, kl_form=form).tokens for form in ("k2", "k3")}
    assert tokens["k2"]["kl_push"].to_numpy() == pytest.approx(CONFIG.kl_coef * 3)
    assert tokens["k3"]["kl_push"].to_numpy() == pytest.approx(CONFIG.kl_coef * np.expm1(3))


def test_leaking_masks_and_other_rules_are_found(build: Build) -> None:
    batch = _batch([build(), build("b", 0.0)])
    leaked = replace(batch, advantages=batch.advantages + 0.5)
    assert {"mask_leaks", "not_these_rules"} <= _raised(what_the_gradient_saw(leaked, CONFIG))
    other = what_the_gradient_saw(batch, replace(CONFIG, gamma=1.0))
    assert "not_these_rules" in _raised(other)


def test_a_credit_that_no_longer_fits_raises_its_alarms(build: Build) -> None:
    batch = _batch([build(), build("b", 0.0, paid=(0.1, -0.5, -0.2))])
    signs = {"credit_error": 0.4, "credit_missed": 0.25, "paid_beyond": 0.01, "paid_repeats": 0.5}
    view = what_the_gradient_saw(replace(batch, drift=signs), CONFIG)
    assert _raised(view) == {"credit_missed", "paid_repeats"}
    assert "25.0% of the episodes had contributions that miss the outcome by more than 0.5" in view.render()


def test_without_a_critic_nothing_is_said_about_discounts(build: Build) -> None:
    """Advantages of a group: the same on every step, and not made by GAE."""
    rows = [build(), build("b", 0.0)]
    episodes = [episode for episode, _, _ in rows]
    paid = [np.array([0.0, 0.0, episode.trajectory.outcome]) for episode in episodes]
    estimates = group_relative(Collected(episodes, [0, 0]), paid, kind="rloo")
    batch = _batch([(row[0], estimate, row[2]) for row, estimate in zip(rows, estimates, strict=True)])
    view = what_the_gradient_saw(batch, CONFIG)
    raised = _raised(view)
    assert not raised & {"not_these_rules", "observation_length", "never_crosses_border", "mask_leaks"}
    assert "without a critic" in view.render() and "100.0% reaches" not in view.render()
    assert view.steps["advantage"].tolist() == [1.0] * 3 + [-1.0] * 3
