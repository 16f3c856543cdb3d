"""GRPO, GiGPO, RAGEN and the released rule by hand on two or three episodes."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from spa_lab.agent.codec import TokenRow
from spa_lab.agent.rollout import Episode
from spa_lab.configs.reward import RewardConfig
from spa_lab.learn.collect import Collected, widest_spread
from spa_lab.learn.estimates import gae
from spa_lab.learn.method import TrainingInputs
from spa_lab.learn.methods.spa_released import released_reward
from spa_lab.learn.on_policy import OnPolicyLearner
from spa_lab.types import Trajectory

Build = Callable[..., Episode]
Make = Callable[[str, TrainingInputs], OnPolicyLearner]


def test_bilevel_gae(build: Build) -> None:
    """V before the steps' last tokens is 2 and 4; gamma_step 1/2, lam 1/2, gamma 1.

    Steps: A_1 = 8 - 4 = 4 and A_0 = 3 + 4/2 - 2 + 4/4 = 4. Tokens of step 0: the last is paid 4 + 2, so its
    advantage is 4; the one before has 2 - 1 + 4/2 = 3. A step that is paid 0 is still a step: A_0 = 1.
    """
    values = np.array([0.0, 1.0, 2.0, 0.0, 4.0])
    estimate = gae(build(), np.array([3.0, 8.0]), values, gamma=1.0, lam=0.5, gamma_step=0.5)
    assert estimate.advantage.tolist() == [0, 3, 4, 0, 4]
    assert estimate.returns is not None and estimate.returns.tolist() == [0, 4, 6, 0, 8]
    nothing = gae(build(), np.array([0.0, 8.0]), values, gamma=1.0, lam=0.5, gamma_step=0.5)
    assert nothing.advantage.tolist() == [0, 1.5, 1, 0, 4]


def test_ragen_sums_the_outcome_over_all_tokens(
    learner_of: Make, build: Build, inputs_of: Callable[..., TrainingInputs], monkeypatch: pytest.MonkeyPatch
) -> None:
    """gamma = lam = 1: A = R - V at every token, whatever the preset says; outcomes 1, 0 and 1/2."""
    learner = learner_of("ragen", inputs_of(gae_level="step", gamma=0.9, lam=0.5))
    values = [np.array([0.0, 0.25, 0.5, 0.0, 0.75])] * 3
    critic = learner.critic
    assert critic is not None
    monkeypatch.setattr(critic, "values", lambda episodes, *, budget: values)
    critic.is_fitted = True
    episodes = [build(1.0, "a"), build(0.0, "b"), build(0.5, "c")]
    estimates = learner.estimate(Collected(episodes, [0, 0, 1]))
    assert [estimate.advantage.tolist() for estimate in estimates] == [
        [0, 0.75, 0.5, 0, 0.25],
        [0, -0.25, -0.5, 0, -0.75],
        [0, 0.25, 0, 0, -0.25],
    ]
    assert learner.group_size == 2
    assert (learner.objective.clip_high, learner.objective.entropy_coef) == (0.2, 0.001)
    assert learner.objective.kl_coef == learner.config.kl_coef > 0


def test_gigpo_pays_grounding_to_its_own_step(
    learner_of: Make, build: Build, inputs_of: Callable[..., TrainingInputs]
) -> None:
    """Two episodes that read the same texts; the second step of each is refused: charged to it alone.

    Outcomes 1 and 0 lie half apart from their mean, with a deviation of sqrt(1/2): 0.7071 for the episode,
    and as much for each step, whose discount both share. Where outcomes are equal, only grounding is left.
    """
    reward = RewardConfig(alpha=2.0, beta=0.05, grounding_form="penalty", residual="last")
    learner = learner_of("gigpo", inputs_of(reward=reward))
    won, lost = learner.estimate(Collected([build(1.0, "a"), build(0.0, "b")], [0, 0]))
    up = 2.0 * 2 * 0.5**0.5
    np.testing.assert_allclose(won.advantage, [0, up, up, 0, up - 0.05], rtol=1e-5)
    np.testing.assert_allclose(lost.advantage, [0, -up, -up, 0, -up - 0.05], rtol=1e-5)
    assert won.rewards is not None and won.rewards.tolist() == [0, 0, 0, 0, 2.0 - 0.05]
    for estimate in learner.estimate(Collected([build(0.0, "a"), build(0.0, "b")], [0, 0])):
        assert estimate.advantage.tolist() == [0, 0, 0, 0, -0.05]


def test_grpo_pays_grounding_to_its_own_step(
    learner_of: Make, build: Build, inputs_of: Callable[..., TrainingInputs]
) -> None:
    """As GiGPO, without the part of the steps: outcomes 1 and 0 are 0.7071 deviations from their mean."""
    reward = RewardConfig(alpha=2.0, beta=0.05, grounding_form="penalty", residual="last")
    learner = learner_of("grpo", inputs_of(reward=reward))
    won, lost = learner.estimate(Collected([build(1.0, "a"), build(0.0, "b")], [0, 0]))
    up = 2.0 * 0.5**0.5
    np.testing.assert_allclose(won.advantage, [0, up, up, 0, up - 0.05], rtol=1e-5)
    np.testing.assert_allclose(lost.advantage, [0, -up, -up, 0, -up - 0.05], rtol=1e-5)
    assert won.rewards is not None and won.rewards.tolist() == [0, 0, 0, 0, 2.0 - 0.05]
    for estimate in learner.estimate(Collected([build(1.0, "a"), build(1.0, "b")], [0, 0])):
        assert estimate.advantage.tolist() == [0, 0, 0, 0, -0.05]


@pytest.mark.parametrize("method", ["grpo", "gigpo"])
def test_a_bonus_does_not_reinforce_failures(
    learner_of: Make, build: Build, inputs_of: Callable[..., TrainingInputs], method: str
) -> None:
    """It differs from the penalty by the same number at every step, so it is paid as one."""
    reward = RewardConfig(beta=0.5, grounding_form="bonus", residual="last")
    learner = learner_of(method, inputs_of(reward=reward))
    for estimate in learner.estimate(Collected([build(0.0, "a"), build(0.0, "b")], [0, 0])):
        assert estimate.advantage.tolist() == [0, 0, 0, 0, -0.5]
        assert estimate.rewards is not None and estimate.rewards.tolist() == [0, 0, 0.5, 0, 0.0]


def test_starpo_s_keeps_the_groups_of_widest_spread(
    learner_of: Make, build: Build, inputs_of: Callable[..., TrainingInputs]
) -> None:
    """Standard deviations 0, 1/2, 1/4 and 0 of four groups of two."""
    outcomes = [1.0, 1.0, 0.0, 1.0, 0.5, 1.0, 0.0, 0.0]
    collected = Collected(
        [build(outcome, f"e{i}") for i, outcome in enumerate(outcomes)], [0, 0, 1, 1, 2, 2, 3, 3]
    )

    def kept(share: float) -> list[str]:
        return [episode.trajectory.id for episode in widest_spread(share)(collected).episodes]

    assert kept(0.25) == ["e2", "e3"] and kept(0.3) == kept(0.5) == ["e2", "e3", "e4", "e5"]
    assert kept(1.0) == kept(0.5), "groups of equal outcomes teach nothing"
    learner = learner_of("ragen_s", inputs_of(epochs=3))
    assert learner.config.epochs == 12, "as many updates as without the filter"
    assert [e.trajectory.id for e in learner.keep(collected).episodes] == ["e2", "e3"]
    objective = learner.objective
    assert (objective.clip_low, objective.clip_high, objective.kl_coef) == (0.2, 0.28, 0.0)
    with pytest.raises(ValueError, match=r"share of groups to keep must lie in \(0, 1\], got 0"):
        widest_spread(0)


def test_the_released_rule(
    learner_of: Make, make_trajectory: Callable[..., Trajectory], inputs_of: Callable[..., TrainingInputs]
) -> None:
    """Outcomes 1, 0 and 1/2 of one task: 1 - 1/4, 0 - 3/4, 1/2 - 1/2; beta 1/2 where nothing was refused.

    Weights T - t - 1 are 2, 1, 0 for three steps: (3/4 + 1/2) * 2, (3/4 + 0) * 1 where the reply says that
    nothing happens, and nothing at the last step.
    """
    said = ["You see a door.", "Nothing happens.", "Nothing happens."]
    explored = [
        make_trajectory(outcome, [True, True, True], id=name, task_id="same", observations=said)
        for outcome, name in ((1.0, "a"), (0.0, "b"), (0.5, "c"))
    ]
    reward = released_reward(
        inputs_of(explored, RewardConfig(alpha=1.0, beta=0.5, residual="last", clip=True))
    )
    rows = [TokenRow(trajectory.id, (0,), (0,)) for trajectory in explored]
    episodes = [Episode(each, row, (0.0,)) for each, row in zip(explored, rows, strict=True)]
    assert [paid.tolist() for paid in reward(episodes)] == [
        [1.25 * 2, 0.75, 0],
        [-0.25 * 2, -0.75, 0],
        [0.5 * 2, 0, 0],
    ]
    assert reward(episodes[1:2])[0].tolist() == [-0.5, -0.75, 0], "compared with all explorations"
    fresh = replace(episodes[0], trajectory=replace(explored[0], id="fresh"))
    assert reward([fresh])[0].tolist() == [2.0, 0.5, 0], "1 - (1 + 0 + 1/2) / 3, and grounding"
    learner = learner_of(
        "spa_released", inputs_of(explored, gae_level="step", gamma=1.0, lam=1.0, gamma_step=0.9)
    )
    config = learner.config
    assert (config.gae_level, config.gae_over, config.gamma, config.lam) == (
        "token",
        "all_tokens",
        0.99,
        0.95,
    )
    assert learner.recorded is not None and config.gamma_step is None
