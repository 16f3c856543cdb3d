"""Every credit method against its formula, worked out by hand."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from spa_lab import rewards
from spa_lab.credit import methods
from spa_lab.credit.methods import Cost, CreditMethod, measure
from spa_lab.credit.methods.gigpo import text_before
from spa_lab.credit.methods.occlusion import without
from spa_lab.types import Credit, FloatArray, Trajectory, ValueTruth

FREE = Cost()


@pytest.fixture
def make(make_trajectory: Callable[..., Trajectory]) -> Callable[..., Trajectory]:
    """(id, outcome, replies, task) -> Trajectory with one step for each reply."""

    def build(id: str, outcome: float, replies: Sequence[str], task: str = "task") -> Trajectory:
        grounded = [reply != "no" for reply in replies]
        return make_trajectory(outcome, grounded, id=id, task_id=task, observations=replies)

    return build


@pytest.fixture
def three(make: Callable[..., Trajectory]) -> list[Trajectory]:
    """A success of three steps, a failure of two and a half success of one."""
    return [make("a", 1.0, ["x", "no", "y"]), make("b", 0.0, ["x", "z"]), make("c", 0.5, ["x"])]


def _of(method: CreditMethod, trajectories: Sequence[Trajectory]) -> list[list[float]]:
    return [credit.contributions.tolist() for credit in method(trajectories)]


def _truth(id: str, values: Sequence[float], error: float = 0.0) -> ValueTruth:
    return ValueTruth(id, values, [error] * (len(values) - 1) + [0.0], 4, "clone", 40)


VALUES = {"a": [0.25, 0.75, 0.5, 1.0], "b": [0.25, 0.5, 0.0], "c": [0.0, 0.5]}


def _branch(trajectories: Sequence[Trajectory]) -> list[ValueTruth]:
    return [_truth(trajectory.id, VALUES[trajectory.id], 0.3) for trajectory in trajectories]


def test_methods_that_read_nothing(three: list[Trajectory]) -> None:
    assert _of(methods.TERMINAL, three) == [[0, 0, 1], [0, 0], [0.5]]
    assert _of(methods.MEAN, three) == [[1 / 3] * 3, [0, 0], [0.5]]
    assert _of(methods.GROUNDING, three) == [[1, 0, 1], [1, 1], [1]]
    assert _of(methods.leave_one_out([]), three) == [[1 - 0.25] * 3, [0 - 0.75] * 2, [0.5 - 0.5]]
    assert _of(methods.leave_one_out(three), three[:1]) == [[1 - 0.25] * 3]


def test_random_sums_to_the_outcome_and_follows_its_generator(three: list[Trajectory]) -> None:
    split, same, other = (methods.random_split(rng=np.random.default_rng(seed)) for seed in (0, 0, 1))
    credits = _of(split, three)
    assert [sum(contributions) for contributions in credits] == pytest.approx([1.0, 0.0, 0.5])
    assert credits == _of(same, three) != _of(other, three)


def test_step_index(three: list[Trajectory], make: Callable[..., Trajectory]) -> None:
    """After 0, 1 and 2 steps the fitted ones still playing end with 1/2, 1/2 and 1 on average."""
    method = methods.step_index(three)
    long = make("d", 0.0, ["x"] * 5)
    first, second, third, fourth = method([*three, long])
    assert first.contributions.tolist() == [0.0, 0.5, 0.0] and first.base_value == 0.5
    assert second.contributions.tolist() == [0.0, -0.5]
    assert third.contributions.tolist() == [0.0]
    assert fourth.contributions.tolist() == [0.0, 0.5, 0.0, 0.0, -1.0]
    for credit, trajectory in zip((first, second, third, fourth), [*three, long], strict=True):
        assert credit.predicted_outcome == trajectory.outcome
    with pytest.raises(ValueError, match="got 0"):
        methods.step_index([])


def test_branching(three: list[Trajectory]) -> None:
    progress = methods.monte_carlo_difference(_branch, branches=4)
    assert _of(progress, three) == [[0.5, -0.25, 0.5], [0.25, -0.5], [0.5]]
    first = progress(three)[0]
    assert first.base_value == 0.25 and first.predicted_outcome == 1.0
    assert first.standard_error is not None
    assert first.standard_error.tolist() == pytest.approx([0.3 * 2**0.5, 0.3 * 2**0.5, 0.3])
    assert _of(methods.ipr(_branch, branches=4), three) == [[0.75, 0.5, 1], [0.5, 0], [0.5]]
    assert _of(methods.math_shepherd(_branch, branches=4), three) == [[1, 1, 1], [1, 0], [1]]
    with pytest.raises(ValueError, match="at least 1 branch, got 0"):
        methods.ipr(_branch, branches=0)


def test_cost_counts_every_continuation(three: list[Trajectory]) -> None:
    measured = measure(methods.ipr(_branch, branches=5), three)
    assert measured.cost.rollouts == 5 * (3 + 2 + 1)
    assert measured.cost.seconds > 0
    assert measure(methods.MEAN, three).cost.rollouts == 0
    assert methods.step_index(three).fitting == Cost(rollouts=3)


def test_estimator_keeps_what_it_says(three: list[Trajectory]) -> None:
    class Even:
        def credit(self, trajectories: Sequence[Trajectory], *, source: str) -> list[Credit]:
            return [Credit(trajectory.id, source, np.ones(len(trajectory))) for trajectory in trajectories]

    method = methods.estimator_credit(Even(), source="spa", fitting=Cost(2.0, 960))
    assert _of(method, three) == [[1, 1, 1], [1, 1], [1]]
    assert method.fitting == Cost(2.0, 960)


def test_rudder_closes_the_gap_on_the_last_step(three: list[Trajectory]) -> None:
    read = {"a": [0.5, 0.25, 0.5, 0.75], "b": [0.5, 0.75, 0.25], "c": [0.5, 0.75]}
    method = methods.prediction_difference(lambda ts: [np.array(read[t.id]) for t in ts], fitting=FREE)
    assert _of(method, three) == [[-0.25, 0.25, 0.25 + 0.25], [0.25, -0.5 - 0.25], [0.25 - 0.25]]
    assert [credit.predicted_outcome for credit in method(three)] == [1.0, 0.0, 0.5]
    open_ = methods.prediction_difference(
        lambda ts: [np.array(read[t.id]) for t in ts], fitting=FREE, source="x", close=False
    )
    assert _of(open_, three) == [[-0.25, 0.25, 0.25], [0.25, -0.5], [0.25]]
    assert [credit.predicted_outcome for credit in open_(three)] == [0.75, 0.25, 0.75]


def _values(trajectories: Sequence[Trajectory]) -> list[FloatArray]:
    return [np.array(VALUES[trajectory.id][:-1]) for trajectory in trajectories]


def test_td_error_is_progress_of_the_critic(three: list[Trajectory]) -> None:
    method = methods.critic_td(_values, fitting=FREE)
    assert _of(method, three) == [[0.5, -0.25, 0.5], [0.25, -0.5], [0.5]]
    assert [credit.predicted_outcome for credit in method(three)] == [1.0, 0.0, 0.5]


def test_gae(three: list[Trajectory]) -> None:
    """By hand for gamma = lambda = 1/2: delta = (1/8, -1/2, 1/2), A = delta + A_next / 4."""
    credits = _of(methods.critic_gae(_values, fitting=FREE, gamma=0.5, lam=0.5), three)
    assert credits[0] == [0.125 + (-0.5 + 0.5 / 4) / 4, -0.5 + 0.5 / 4, 0.5]
    assert _of(methods.critic_gae(_values, fitting=FREE, lam=0.0), three) == _of(
        methods.critic_td(_values, fitting=FREE), three
    )
    assert _of(methods.critic_gae(_values, fitting=FREE, lam=1.0), three)[0] == [1 - 0.25, 1 - 0.75, 1 - 0.5]
    with pytest.raises(ValueError, match=r"got 1\.5 and"):
        methods.critic_gae(_values, fitting=FREE, gamma=1.5)


def test_gigpo_by_hand(make: Callable[..., Trajectory]) -> None:
    """Two rollouts of a task meet at the start and after "x"; everywhere else each is alone."""
    won, lost = make("a", 1.0, ["x", "y", "z"]), make("b", 0.0, ["x", "w"])
    other_task = make("c", 1.0, ["x"], task="other")
    method = methods.gigpo([lost, other_task], gamma=0.5)
    up = (1 - 0.5) / (0.5**0.5 + 1e-6)  # two outcomes 1 and 0: sample deviation sqrt(1/2)
    start = (0.25 - 0.125) / (0.25 * 0.5**0.5 + 1e-6)
    after_x = (0.5 - 0.25) / (0.5 * 0.5**0.5 + 1e-6)
    (credit,) = method([won])
    np.testing.assert_allclose(credit.contributions, [up + start, up + after_x, up + 0.0])
    (loser,) = methods.gigpo([won], gamma=0.5, episode_weight=0.0)([lost])
    np.testing.assert_allclose(loser.contributions, [-start, -after_x])
    (alone,) = method([other_task])
    assert alone.contributions.tolist() == [0.0]  # the only rollout of its task
    assert method.fitting.rollouts == 2


def test_gigpo_discounts_by_distance_from_the_end(make: Callable[..., Trajectory]) -> None:
    """The same state twice in one success: the later visit is worth more."""
    episode = make("a", 1.0, ["x", "x", "y"])
    (credit,) = methods.gigpo([], gamma=0.5, episode_weight=0.0)([episode])
    assert credit.contributions[0] == 0.0
    assert credit.contributions[1] == -credit.contributions[2] < 0
    with pytest.raises(ValueError, match="got 0"):
        methods.gigpo([], gamma=0)


def test_anchor_is_what_was_read_before_the_step(make: Callable[..., Trajectory]) -> None:
    episode = make("a", 1.0, ["x", "y"])
    assert [text_before(episode, t) for t in range(2)] == ["You see a door.", "x"]


def test_occlusion(three: list[Trajectory]) -> None:
    """f counts 0.1 for every step and 1 for the reply "y"."""

    def predict(trajectories: Sequence[Trajectory]) -> FloatArray:
        return np.array(
            [
                0.1 * len(trajectory) + any(step.observation == "y" for step in trajectory.steps)
                for trajectory in trajectories
            ]
        )

    credits = _of(methods.occlusion(predict, fitting=FREE), three)
    np.testing.assert_allclose(credits[0], [0.1, 0.1, 1.1])
    np.testing.assert_allclose(credits[1], [0.1, 0.1])
    np.testing.assert_allclose(credits[2], [0.1])
    assert [step.action for step in without(three[0], 1).steps] == ["act 0", "act 2"]
    single = methods.occlusion(predict, fitting=FREE)(three[2:])
    np.testing.assert_allclose(single[0].contributions, [0.1])


def test_wrong_answers_are_refused(three: list[Trajectory]) -> None:
    short = CreditMethod("x", "test", lambda ts: [Credit(trajectory.id, "x", [1.0]) for trajectory in ts])
    with pytest.raises(ValueError, match=r"\('a', 'x', 1\), expected \('a', 'x', 3\)"):
        short(three)
    with pytest.raises(ValueError, match="returned 0 credits for 3"):
        CreditMethod("x", "test", lambda ts: [])(three)
    with pytest.raises(ValueError, match=r"expected .*'y'"):
        CreditMethod("y", "test", lambda ts: [rewards.mean(trajectory) for trajectory in ts])(three)
    with pytest.raises(ValueError, match=r"rudder: trajectory 'a' needs 4 values, got \(3,\)"):
        methods.prediction_difference(_values, fitting=FREE)(three)
