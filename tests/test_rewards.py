from dataclasses import asdict

import numpy as np
import pytest

from spa_lab import rewards
from spa_lab.configs.reward import RewardConfig
from spa_lab.rewards import fuse, grounding
from spa_lab.types import Credit

EXACT = {"rtol": 0, "atol": 1e-15}


def test_defaults_are_the_papers():
    assert asdict(RewardConfig()) == {
        "alpha": 1.0,
        "beta": 0.5,
        "grounding_form": "bonus",
        "grounding_rule": "world",
        "residual": "kept",
        "clip": False,
        "step_weight": "one",
    }


def test_fuse_by_hand(make_trajectory):
    trajectory = make_trajectory(grounded=(True, False, True))
    credit = Credit("t1", "hand", [1, 2, 3], base_value=100)
    # 2 * c + 10 * g = 2 + 10, 4 + 0, 6 + 10; the base value is not paid
    assert fuse(trajectory, credit, RewardConfig(alpha=2, beta=10)).tolist() == [12, 4, 16]


def test_penalty_takes_from_ungrounded_steps_only(make_trajectory):
    trajectory = make_trajectory(grounded=(True, False, True))
    credit = Credit("t1", "hand", [1, 2, 3])
    config = RewardConfig(beta=10, grounding_form="penalty")
    assert fuse(trajectory, credit, config).tolist() == [1, -8, 3]


def test_bonus_is_penalty_plus_beta(make_trajectory):
    trajectory = make_trajectory(grounded=(True, False, False, True))
    credit = Credit("t1", "hand", [0.25, -0.5, 0.0, 1.0])
    bonus = fuse(trajectory, credit, RewardConfig())
    penalty = fuse(trajectory, credit, RewardConfig(grounding_form="penalty"))
    assert (bonus - penalty).tolist() == [0.5] * 4


def test_remaining_weight_is_the_released_toy(make_trajectory):
    # released trainer, scores .5 x 5 -> 2.0, 1.5, 1.0, 0.5, 0.0: the last step earns nothing
    trajectory = make_trajectory(grounded=(True,) * 5)
    credit = Credit("t1", "hand", [0.0] * 5)
    assert fuse(trajectory, credit, RewardConfig(step_weight="remaining")).tolist() == [
        2.0,
        1.5,
        1.0,
        0.5,
        0.0,
    ]


def test_remaining_weight_multiplies_credit_too(make_trajectory):
    trajectory = make_trajectory(grounded=(True, False, True))
    credit = Credit("t1", "hand", [1, 2, 3])
    assert fuse(trajectory, credit, RewardConfig(beta=10, step_weight="remaining")).tolist() == [22, 2, 0]


def test_terminal_under_the_remaining_weight_is_lost(make_trajectory):
    trajectory = make_trajectory(1.0)
    config = RewardConfig(beta=0, step_weight="remaining")
    assert fuse(trajectory, rewards.terminal(trajectory), config).tolist() == [0, 0, 0]


def test_a_spread_residual_pays_what_the_episode_brought(make_trajectory):
    """By hand: R = 1, the credit says 0.25 + (2 + 0 - 0.5) = 1.75, so each of three steps loses 0.25."""
    trajectory = make_trajectory(outcome=1.0, grounded=(True, True, True))
    credit = Credit(trajectory.id, "by hand", np.array([2.0, 0.0, -0.5]), base_value=0.25)
    config = RewardConfig(beta=0.0, residual="spread")
    assert fuse(trajectory, credit, config).tolist() == [1.75, -0.25, -0.75]
    assert fuse(trajectory, credit, RewardConfig(beta=0.0)).tolist() == [2.0, 0.0, -0.5]
    assert fuse(trajectory, rewards.terminal(trajectory), config).tolist() == [0, 0, 1]


def test_spreading_does_not_take_back_what_a_wrong_credit_paid(make_trajectory):
    """0.9 paid wrongly at step 1 of 3 leaves its reward-to-go 0.9 * 1 / 3 too high."""
    trajectory = make_trajectory(outcome=0.0, grounded=(True, True, True))
    config = RewardConfig(beta=0.0, residual="spread")
    fooled = fuse(trajectory, Credit("t1", "fooled", np.array([0.0, 0.9, 0.0])), config)
    assert fooled.sum() == pytest.approx(0.0)
    assert fooled[1:].sum() == pytest.approx(0.9 * 1 / 3)


@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_an_error_at_the_last_step_takes_back_what_a_wrong_credit_paid(make_trajectory, outcome):
    """0.9 paid wrongly at step 1 of 3: the reward-to-go of that step is the same as without it."""
    trajectory = make_trajectory(outcome, grounded=(True, True, True))
    config = RewardConfig(beta=0.0, residual="last")
    fooled = fuse(trajectory, Credit("t1", "fooled", np.array([0.25, 0.9, 0.0]), base_value=0.5), config)
    assert fooled[:2].tolist() == [0.25, 0.9]
    assert fooled[1:].sum() == pytest.approx(outcome - 0.5 - 0.25)
    assert fuse(trajectory, rewards.terminal(trajectory), config).tolist() == [0, 0, outcome]
    single = make_trajectory(outcome, grounded=(True,))
    assert fuse(single, Credit("t1", "fooled", [0.9]), config).tolist() == pytest.approx([outcome])


def test_fuse_refuses_a_foreign_credit(make_trajectory):
    with pytest.raises(ValueError, match=r"'other'.*'t1'"):
        fuse(make_trajectory(), Credit("other", "hand", [1, 2, 3]), RewardConfig())
    with pytest.raises(ValueError, match=r"'t1' by 'hand' has 2 contributions.*3 steps"):
        fuse(make_trajectory(), Credit("t1", "hand", [1, 2]), RewardConfig())


def test_grounding_by_the_world(make_trajectory):
    trajectory = make_trajectory(grounded=(True, False, False), observations=["Nothing happens.", "ok", "ok"])
    g = grounding(trajectory)
    assert g.tolist() == [1, 0, 0]
    assert g.dtype == np.float64


def test_grounding_by_substring_is_the_released_rule(make_trajectory):
    trajectory = make_trajectory(
        grounded=(False, False, True, False),
        observations=[
            "Nothing happens.",
            "Error Input.",
            "Observation: Nothing happens.",
            "Nothing happens.",
        ],
    )
    assert grounding(trajectory, "substring").tolist() == [0, 1, 0, 1]  # the last is always 1
    assert fuse(
        trajectory, Credit("t1", "hand", [0] * 4), RewardConfig(grounding_rule="substring")
    ).tolist() == [0, 0.5, 0, 0.5]


def test_substring_grounding_of_a_single_step(make_trajectory):
    assert grounding(make_trajectory(grounded=(False,)), "substring").tolist() == [1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": -1}, "alpha: expected a number >= 0, got -1"),
        ({"beta": float("nan")}, "beta: expected a number >= 0, got nan"),
        ({"alpha": float("inf")}, "alpha: expected a number >= 0, got inf"),
        ({"grounding_form": "gift"}, "grounding_form: expected one of .* got 'gift'"),
        ({"grounding_rule": "guess"}, "grounding_rule: expected one of .* got 'guess'"),
        ({"step_weight": "two"}, "step_weight: expected one of .* got 'two'"),
    ],
)
def test_bad_settings(arguments, message):
    with pytest.raises(ValueError, match=message):
        RewardConfig(**arguments)


def test_grounding_refuses_an_unknown_rule(make_trajectory):
    with pytest.raises(ValueError, match="'guess'"):
        grounding(make_trajectory(), "guess")


def test_terminal_and_mean_by_hand(make_trajectory):
    trajectory = make_trajectory(0.75, (True,) * 3)
    assert rewards.terminal(trajectory).contributions.tolist() == [0, 0, 0.75]
    assert rewards.mean(trajectory).contributions.tolist() == [0.25, 0.25, 0.25]
    assert (rewards.terminal(trajectory).source, rewards.mean(trajectory).source) == ("terminal", "mean")


@pytest.mark.parametrize("outcome", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("n_steps", [1, 2, 40])
def test_simple_credits_conserve_the_outcome(make_trajectory, outcome, n_steps):
    trajectory = make_trajectory(outcome, (True,) * n_steps)
    rng = np.random.default_rng(0)
    for credit in (
        rewards.terminal(trajectory),
        rewards.mean(trajectory),
        rewards.random(trajectory, rng=rng),
    ):
        np.testing.assert_allclose(credit.predicted_outcome, outcome, rtol=0, atol=1e-12)
        assert credit.trajectory_id == trajectory.id
        assert (credit.contributions >= 0).all()


def test_random_credit_follows_its_generator(make_trajectory):
    trajectory = make_trajectory(1.0)
    first, again, other = (
        rewards.random(trajectory, rng=np.random.default_rng(seed)).contributions for seed in (0, 0, 1)
    )
    assert first.tolist() == again.tolist() != other.tolist()


def test_random_credit_favours_no_step(make_trajectory):
    rng = np.random.default_rng(0)
    trajectory = make_trajectory(1.0)
    average = np.mean([rewards.random(trajectory, rng=rng).contributions for _ in range(4000)], axis=0)
    # one share has standard deviation sqrt(1/18) = 0.236, its mean over 4000 draws 0.0037
    np.testing.assert_allclose(average, 1 / 3, rtol=0, atol=0.015)


def test_leave_one_out_is_the_released_toy(make_trajectory):
    # released script, R = {1, 0, .5}: [1.25] * 4, [-.25, -.25, -.75, -.25, -.25], [.5] * 3, bonus included
    rollouts = [
        make_trajectory(1.0, (True,) * 4, id="a"),
        make_trajectory(0.0, (True, True, False, True, True), id="b"),
        make_trajectory(0.5, (True,) * 3, id="c"),
        make_trajectory(0.25, (True, True), id="alone", task_id="other task"),
    ]
    credits = rewards.leave_one_out(rollouts)
    paid = [fuse(t, c, RewardConfig()).tolist() for t, c in zip(rollouts, credits, strict=True)]
    assert paid == [
        [1.25] * 4,  # 1 - (0 + .5) / 2 = .75
        [-0.25, -0.25, -0.75, -0.25, -0.25],  # 0 - (1 + .5) / 2 = -.75
        [0.5] * 3,  # .5 - (1 + 0) / 2 = 0
        [0.75] * 2,  # a single rollout gets its raw R
    ]


def test_leave_one_out_ignores_order_and_keeps_tasks_apart(make_trajectory):
    rollouts = [
        make_trajectory(outcome, (True,), id=f"{task}{i}", task_id=task)
        for task, outcomes in {"x": [1.0, 0.0], "y": [0.3, 0.2, 0.1]}.items()
        for i, outcome in enumerate(outcomes)
    ]
    forward = {c.trajectory_id: c.contributions[0] for c in rewards.leave_one_out(rollouts)}
    backward = {c.trajectory_id: c.contributions[0] for c in rewards.leave_one_out(rollouts[::-1])}
    assert forward.keys() == backward.keys()
    np.testing.assert_allclose(list(forward.values()), [backward[k] for k in forward], **EXACT)
    np.testing.assert_allclose([forward["x0"], forward["x1"]], [1.0, -1.0], **EXACT)
    np.testing.assert_allclose(sum(forward[k] for k in ("y0", "y1", "y2")), 0.0, **EXACT)


def test_leave_one_out_of_nothing_is_nothing():
    assert rewards.leave_one_out([]) == []
