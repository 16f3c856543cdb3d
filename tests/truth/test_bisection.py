"""Values by bisection: which steps are measured, and that they are those of a full measurement."""

import random
from collections.abc import Callable

import numpy as np
import pytest

from spa_lab.agent.rollout import Policy
from spa_lab.agent.sampling import AllowedTexts
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.credit.methods import bisection, credit_method, measure
from spa_lab.credit.methods.bisection import divided
from spa_lab.envs.probes import PROBES, probe_environment
from spa_lab.react import write
from spa_lab.truth.bisected import bisected_values
from spa_lab.truth.bisection import LEAST, bisected_truth, next_step
from spa_lab.truth.exact import lm_action_probs, play
from spa_lab.truth.monte_carlo import branch_outcomes
from spa_lab.types import Trajectory, ValueTruth


def test_the_widest_change_is_halved() -> None:
    assert next_step({0: 0.5, 8: 0.0}) == 4
    assert next_step({0: 0.5, 4: 0.5, 8: 0.0}) == 6
    assert next_step({0: 0.5, 4: 0.5, 6: 0.5, 8: 0.0}) == 7
    assert next_step({0: 0.0, 4: 0.25, 8: 1.0}) == 6
    assert next_step({0: 1.0, 5: 0.5, 8: 0.0}) == 2, "of equal changes that in the longest interval"
    assert next_step({0: 1.0, 4: 0.5, 8: 0.0}) == 2, "or the first one"
    assert next_step({0: 0.4, 2: 0.3, 10: 0.2}) == 6 and next_step({0: 0.2, 8: 0.3}) == 4, "but for rounding"


def test_nothing_is_measured_where_nothing_changes() -> None:
    assert next_step({0: LEAST / 2, 8: 0.0}) is None
    assert next_step({0: 1.0, 1: 0.0}) is None, "one step needs no division"
    assert next_step({0: 0.0, 1: 1.0, 8: 0.95}) is None


def test_one_decisive_step_takes_the_logarithm_of_the_length() -> None:
    decisive = 21

    def value(step: int) -> float:
        return 0.5 if step <= decisive else 0.0

    values = {0: value(0), 32: 0.0}
    n = 0
    while (step := next_step(values)) is not None:
        values[step] = value(step)
        n += 1
    assert n == 5
    contributions = divided(values, np.zeros(32))
    assert contributions[decisive] == -0.5
    assert np.abs(np.delete(contributions, decisive)).max() == 0.0


def test_values_are_read_from_a_measurement() -> None:
    truth = ValueTruth("t", np.array([0.5, 0.5, 0.375, 0.375, 0.0]), np.full(5, 0.1), 8, "tiny", 40)
    assert bisected_truth(truth).values == {0: 0.5, 1: 0.5, 2: 0.375, 3: 0.375, 4: 0.0}
    assert list(bisected_truth(truth, most=3).values) == [0, 2, 3, 4]
    assert bisected_truth(truth, most=1).values == {0: 0.5, 4: 0.0}
    assert bisected_truth(truth, most=1).rollouts == 8


def test_division_by_hand() -> None:
    values = {0: 0.4, 2: 0.2, 4: 1.0}
    assert divided(values, np.zeros(4)) == pytest.approx([-0.1, -0.1, 0.4, 0.4])
    shares = np.array([0.0, -0.3, 0.1, 0.5])  # misses +0.1 over the first two steps, +0.2 over the others
    assert divided(values, shares) == pytest.approx([0.05, -0.25, 0.2, 0.6])
    with pytest.raises(ValueError, match="from step 0 to 4, expected 0 to 5"):
        divided(values, np.zeros(5))


Played = tuple[Policy, list[Trajectory], dict[str, object]]


@pytest.fixture(scope="module")
def played(make_policy: Callable[..., Policy]) -> Played:
    """A policy, its episodes, and what a measurement of them takes."""
    environment, rules = probe_environment("key"), PROBES["key"]
    texts = [write("", action) for action in rules.actions]
    tasks = list(environment.tasks("train", 16))
    openings = (text for task in tasks for text in rules.opening(task.payload))
    policy = make_policy("Action:", *texts, *openings, spread=0.1, seed=4)
    allowed = AllowedTexts.of(texts, policy.codec)
    probs = lm_action_probs(policy, allowed, temperature=0.7)
    trajectories = [
        play(probs, environment, task, texts, policy="tiny", seed=seed) for seed, task in enumerate(tasks)
    ]
    config = RolloutConfig(temperature=0.7, max_new_tokens=allowed.max_tokens, parallel=1024)
    options = {"environment": environment, "tasks": tasks, "config": config, "allowed": allowed}
    return policy, trajectories, options


def test_the_values_are_those_of_a_full_measurement(played: Played) -> None:
    policy, trajectories, options = played
    full = branch_outcomes(
        policy,
        trajectories=trajectories,
        branches=40,
        rng=random.Random(3),
        **options,  # type: ignore[arg-type]
    )
    shares: list[float] = []
    found = bisected_values(
        policy, trajectories=trajectories, branches=40, rng=random.Random(3), most=3,
        on_progress=shares.append, **options,  # type: ignore[arg-type]
    )  # fmt: skip
    assert shares[-1] == 1.0
    assert {len(values.values) - 1 for values in found} > {1}, "some trajectories change, some may not"
    for values, outcomes, trajectory in zip(found, full, trajectories, strict=True):
        assert values.trajectory_id == trajectory.id
        assert values.values == {step: outcomes.values[step] for step in values.values}
        assert next(iter(values.values)) == 0
        assert list(values.values)[-1] == len(trajectory)
        assert len(values.values) - 1 <= 3
        assert values.rollouts == 40 * (len(values.values) - 1)


def test_a_credit_is_corrected_between_measured_steps(played: Played) -> None:
    policy, trajectories, options = played
    found = bisected_values(
        policy,
        trajectories=trajectories,
        branches=8,
        rng=random.Random(0),
        **options,  # type: ignore[arg-type]
    )

    @credit_method("rising", origin="a test")
    def rising(trajectory: Trajectory) -> np.ndarray:
        return np.arange(len(trajectory)) / 10

    plain = bisection(lambda trajectories: [one.values for one in found], branches=8)
    corrected = bisection(
        lambda trajectories: [one.values for one in found], branches=8, within=rising, source="both"
    )
    for method in (plain, corrected):
        credits, cost = measure(method, trajectories)
        assert cost.rollouts == sum(one.rollouts for one in found)
        for credit, trajectory, one in zip(credits, trajectories, found, strict=True):
            assert credit.predicted_outcome == pytest.approx(trajectory.known_outcome)
            for step, value in one.values.items():
                assert credit.base_value + credit.contributions[:step].sum() == pytest.approx(value)
    assert plain.source == "mc_bisection_8"
    steps = [np.diff(credit.contributions)[:1] for credit in corrected(trajectories) if len(credit) > 1]
    assert any(step.size and abs(step[0] - 0.1) < 1e-9 for step in steps), "between two values: as `rising`"


def test_bad_settings_are_refused(played: Played) -> None:
    policy, trajectories, options = played
    with pytest.raises(ValueError, match="at least 1 value, got 0"):
        bisected_values(
            policy,
            trajectories=trajectories,
            branches=2,
            rng=random.Random(0),
            most=0,
            **options,  # type: ignore[arg-type]
        )
    with pytest.raises(ValueError, match="at least 1 branch, got 0"):
        bisected_values(
            policy,
            trajectories=trajectories,
            branches=0,
            rng=random.Random(0),
            **options,  # type: ignore[arg-type]
        )
