from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from spa_lab.configs.reward import GroundingForm, RewardConfig
from spa_lab.rewards import fuse, terminal
from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view.html.advantages import advantage_numbers_html, advantage_summary_html
from spa_lab.view.tables.advantages import (
    AdvantageSettings,
    advantage_table,
    grounding_term,
    half_reach,
    word_count,
)

PLAIN = AdvantageSettings(gamma=0.9, lam=0.8, beta=0.0)


def test_advantages_by_hand(trajectory: Trajectory) -> None:
    """gamma * lambda = 0.72; steps of 2, 1 and 2 tokens, rewards on the last of each, no critic."""
    credit = Credit("t1", "spa", [1.0, 0.0, 2.0])
    frame = advantage_table(trajectory, credit, PLAIN, n_tokens=[2, 1, 2])
    d = 0.72
    tokens = [d * 1 + d**4 * 2, 1 + d**3 * 2, d**2 * 2, d * 2, 2.0]
    expected = [(tokens[0] + tokens[1]) / 2, tokens[2], (tokens[3] + tokens[4]) / 2]
    np.testing.assert_allclose(frame["advantage"], expected)
    np.testing.assert_allclose(frame["reach"], [(d**4 + d**3) / 2, d**2, (d + 1) / 2])
    np.testing.assert_allclose(frame["terminal"], frame["reach"] * trajectory.outcome)


def test_a_step_as_one_action_reaches_further(trajectory: Trajectory) -> None:
    credit = Credit("t1", "spa", [1.0, 0.0, 2.0])
    frame = advantage_table(trajectory, credit, replace(PLAIN, granularity="step"), n_tokens=[20, 10, 20])
    np.testing.assert_allclose(frame["reach"], [0.72**2, 0.72, 1.0])
    np.testing.assert_allclose(frame["advantage"], [1 + 0.72**2 * 2, 0.72 * 2, 2.0])


@pytest.mark.parametrize("placement", ["last token", "first token", "all tokens"])
def test_without_decay_placement_changes_no_sum(trajectory: Trajectory, placement: str) -> None:
    """gamma = lambda = 1: the first token of an episode sees all that is paid, wherever it stands."""
    knobs = replace(PLAIN, gamma=1.0, lam=1.0, placement=placement)  # type: ignore[arg-type]
    frame = advantage_table(trajectory, Credit("t1", "spa", [1.0, 0.5, 2.0]), knobs, n_tokens=[1, 4, 3])
    assert frame["advantage"].iloc[0] == pytest.approx(3.5)


def test_the_parts_add_up_to_the_fused_reward(trajectory: Trajectory, credit: Credit) -> None:
    for form in ("bonus", "penalty"):
        knobs = AdvantageSettings(alpha=2.0, beta=0.25, grounding_form=form)  # type: ignore[arg-type]
        frame = advantage_table(trajectory, credit, knobs)
        np.testing.assert_allclose(frame["from_credit"] + frame["from_grounding"], frame["reward"])
        fused = fuse(trajectory, credit, RewardConfig(2.0, 0.25, knobs.grounding_form))
        np.testing.assert_array_equal(frame["reward"], fused)


@pytest.mark.parametrize(("form", "term"), [("bonus", "β·g"), ("penalty", "β·(g − 1)")])
def test_the_grounding_term_names_its_form(
    trajectory: Trajectory, credit: Credit, form: GroundingForm, term: str
) -> None:
    """Also if every step is grounded and a penalty pays nothing."""
    steps = tuple(replace(step, grounded=True) for step in trajectory.steps)
    for variant in (trajectory, replace(trajectory, steps=steps)):
        assert (
            grounding_term(advantage_table(variant, credit, AdvantageSettings(grounding_form=form))) == term
        )


def test_a_spread_residual_is_in_the_reward(trajectory: Trajectory, credit: Credit) -> None:
    """R = 1 and the credit says 0.25: each of three steps is paid a third of 0.75 more."""
    credit = replace(credit, contributions=np.array([0.5, -0.5, 0.125]), base_value=0.125)
    for alpha, form in ((1.0, "bonus"), (2.0, "penalty")):
        knobs = AdvantageSettings(alpha=alpha, grounding_form=form)  # type: ignore[arg-type]
        kept, spread = (
            advantage_table(trajectory, credit, replace(knobs, residual=how))  # type: ignore[arg-type]
            for how in ("kept", "spread")
        )
        config = RewardConfig(alpha, knobs.beta, knobs.grounding_form, residual="spread")
        np.testing.assert_array_equal(spread["reward"], fuse(trajectory, credit, config))
        np.testing.assert_allclose(spread["reward"] - kept["reward"], alpha * 0.25)
        np.testing.assert_allclose(spread["from_error"], alpha * 0.25)
        np.testing.assert_allclose(spread["from_credit"] + spread["from_grounding"], spread["reward"])
        assert not kept["from_error"].any() and (spread["advantage"] > kept["advantage"]).all()
        assert "α·(ĉ + e/T)" in advantage_numbers_html(spread)
        assert "e/T" not in advantage_numbers_html(kept)


def test_an_error_at_the_last_step_is_named(trajectory: Trajectory, credit: Credit) -> None:
    """R = 1 and the credit says 0.25: the last of three steps is paid 0.75 more."""
    credit = replace(credit, contributions=np.array([0.5, -0.5, 0.125]), base_value=0.125)
    frame = advantage_table(trajectory, credit, AdvantageSettings(residual="last"))
    assert frame["from_error"].tolist() == [0, 0, 0.75]
    assert "α·(ĉ + e at the last step)" in advantage_numbers_html(frame)
    assert "paid at the last step: +0.7500" in advantage_summary_html(frame)


def test_a_true_critic_turns_the_outcome_into_progress(trajectory: Trajectory) -> None:
    """lambda = 0, gamma = 1: r_t + V(h_{t+1}) - V(h_t) is the progress, for R at the end."""
    truth = ValueTruth("t1", [0.5, 0.4, 0.2, 1.0], np.zeros(4), 0, "p", 40)
    knobs = AdvantageSettings(beta=0.0, gamma=1.0, lam=0.0, granularity="step", critic="truth")
    frame = advantage_table(trajectory, terminal(trajectory), knobs, truth=truth)
    np.testing.assert_allclose(frame["advantage"], truth.progress)


def test_an_unpaid_failure_may_have_advantages(make_trajectory: Callable[..., Trajectory]) -> None:
    failure = make_trajectory(0.0)
    truth = ValueTruth(failure.id, [0.5, 0.4, 0.2, 0.0], np.zeros(4), 0, "p", 40)
    plain = advantage_table(failure, terminal(failure), PLAIN)
    expected = "0, and without a baseline so is every advantage before normalisation over the batch."
    assert expected in advantage_summary_html(plain)
    frame = advantage_table(failure, terminal(failure), replace(PLAIN, critic="truth"), truth=truth)
    expected = "Every reward is 0; the advantages come from the value baseline alone."
    assert expected in advantage_summary_html(frame)


def test_sparse_reward_does_not_reach_the_start_of_a_long_episode(
    make_trajectory: Callable[..., Trajectory],
) -> None:
    long = make_trajectory(1.0, [True] * 25)
    frame = advantage_table(long, terminal(long), AdvantageSettings(beta=0.0), n_tokens=[14] * 25)
    assert frame["advantage"].iloc[0] < 1e-7 and half_reach(frame) == 1
    expected = "arrives 1 step before the last, less than 0.001 of it at the first"
    assert expected in advantage_summary_html(frame)


def test_invalid_input_is_refused(trajectory: Trajectory, credit: Credit) -> None:
    with pytest.raises(ValueError, match="gamma and lam"):
        AdvantageSettings(gamma=1.5)
    with pytest.raises(ValueError, match="residual: expected one of"):
        AdvantageSettings(residual="lost")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="placement must be one of"):
        AdvantageSettings(placement="middle")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"'t1': needs 3 token counts >= 1, got \[1, 0, 1\]"):
        advantage_table(trajectory, credit, AdvantageSettings(), n_tokens=[1, 0, 1])
    with pytest.raises(ValueError, match="needs a measurement of this trajectory"):
        advantage_table(trajectory, credit, AdvantageSettings(critic="truth"))
    assert word_count("") == 1 and word_count("go to bed 1.") == 6
