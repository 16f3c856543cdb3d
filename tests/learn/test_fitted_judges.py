"""Process rewards, critics of whole steps and discriminators by hand on three episodes."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from spa_lab.agent.codec import TokenRow
from spa_lab.agent.rollout import Episode
from spa_lab.envs.base import Demonstration
from spa_lab.learn import fresh_steps
from spa_lab.learn.collect import Collected
from spa_lab.learn.extra_cost import ExtraCost
from spa_lab.learn.fresh_steps import OverFreshSteps
from spa_lab.learn.method import TrainingInputs
from spa_lab.learn.methods.archer import WholeStepCritics
from spa_lab.learn.methods.prm4a import ProcessRewards, pooled_returns
from spa_lab.learn.methods.stepagent_inverse import Discriminator
from spa_lab.learn.on_policy import OnPolicyLearner
from spa_lab.learn.step_features import StepFeatures
from spa_lab.learn.utterance_critics import CriticsConfig, Transitions, UtteranceCritics
from spa_lab.types import Credit, FloatArray, Trajectory
from tests.learn.states import stored

Build = Callable[..., Episode]
Make = Callable[[str, TrainingInputs], OnPolicyLearner]


def test_visits_of_the_same_step_share_their_return(make_trajectory: Callable[..., Trajectory]) -> None:
    """gamma 1/2; a and b begin with the same action and then differ in what they read; c is another task.

    a: R = 1 after two steps, 1/2 and 1; b: R = 0. The first step of both: (1/2 + 0) / 2. c: 1/4, 1/2, 1.
    """
    won = make_trajectory(1.0, [True, True], id="a", observations=["open", "end"])
    lost = make_trajectory(0.0, [True, True], id="b", observations=["shut", "end"])
    other = make_trajectory(1.0, [True, True, True], id="c", task_id="other")
    returns = pooled_returns([won, lost, other], 0.5)
    assert [each.tolist() for each in returns] == [[0.25, 1.0], [0.25, 0.0], [0.25, 0.5, 1.0]]


def test_prm4a_compares_each_step_with_fresh_ones(
    build: Build,
    learner_of: Make,
    make_trajectory: Callable[..., Trajectory],
    inputs_of: Callable[..., TrainingInputs],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two fresh steps at each of two histories of three episodes; no later step counts.

    All fresh steps are cut off by the token limit: they are graded at an end token, as those of episodes are.
    """
    explored = [make_trajectory(1.0, [True, True], id=f"x{i}") for i in range(2)]
    learner = learner_of("prm4a", inputs_of(explored, iterations=6))
    estimate = learner.estimate
    assert isinstance(estimate, OverFreshSteps) and learner.critic is None
    q = {"a": [0.5, 0.75], "b": [0.25, 0.0], "c": [1.0, 0.5]}
    credits = [Credit(name, "prm4a", np.array(values)) for name, values in q.items()]
    estimate.reward = replace(estimate.reward, source=lambda trajectories, *, rows: credits)
    seen: list[TokenRow] = []

    def grade(rows: Sequence[TokenRow]) -> list[FloatArray]:
        seen.extend(rows)
        return [np.array([x]) for x in (0.5, 0.0, 0.75, 0.25, 0.25, 0.25, 0.5, 0.5, 0.0, 0.5, 0.5, 0.5)]

    estimate.grade = grade
    monkeypatch.setattr(fresh_steps, "FRESH", 2)
    monkeypatch.setattr(
        fresh_steps, "write_steps", lambda policy, histories, *_, **__: [(7, 8)] * len(histories)
    )
    episodes = [build(outcome, name) for outcome, name in ((1.0, "a"), (0.0, "b"), (1.0, "c"))]
    estimates = estimate(Collected(episodes, [0, 0, 1]))
    assert [each.advantage.tolist() for each in estimates] == [
        [0, 0.25, 0.25, 0, 0.25],
        [0, 0, 0, 0, -0.5],
        [0, 0.75, 0.75, 0, 0],
    ]
    weighted = replace(estimate.reward.config, alpha=0.5, step_weight="remaining")
    estimate.reward = replace(estimate.reward, config=weighted)
    assert estimate(Collected(episodes, [0, 0, 1]))[2].advantage.tolist() == [0, 0.375, 0.375, 0, 0]
    end = estimate.inputs.policy.codec.end_id
    assert [row.ids for row in seen[:4]] == [(0, 7, 8, end)] * 2 + [(0, 1, 2, 3, 7, 8, end)] * 2
    assert [row.step for row in seen[1:3]] == [(-1, 0, 0, 0), (-1, -1, -1, -1, 0, 0, 0)]


def test_process_rewards_are_fitted_once_a_round(
    make_trajectory: Callable[..., Trajectory], inputs_of: Callable[..., TrainingInputs]
) -> None:
    """Six iterations in three rounds; successes in the first make the second round's model pay more."""
    lost = [make_trajectory(0.0, [True, True], id=f"x{i}") for i in range(2)]
    won = [make_trajectory(1.0, [True, True], id=f"y{i}", task_id="won") for i in range(2)]
    extra = ExtraCost()
    model = ProcessRewards(inputs_of(lost, iterations=6), extra)
    epochs = model.inputs.preset.estimator.epochs
    model.first_fit()
    assert extra.taken()["extra_updates"] == epochs
    paid = [model(won)[0].contributions[0] for _ in range(5)]
    assert paid[0] == paid[1] and paid[2] == paid[3] and paid[0] < paid[2] < 1
    assert extra.taken() == {"extra_rollouts": 0.0, "extra_updates": 2.0 * epochs}
    assert paid[4] == pytest.approx(paid[2], abs=0.1) and len(model._round) == len(won)


def test_there_are_three_rounds_however_many_iterations(
    make_trajectory: Callable[..., Trajectory], inputs_of: Callable[..., TrainingInputs]
) -> None:
    won = [make_trajectory(1.0, [True, True], id=f"y{i}") for i in range(2)]
    for iterations, expected in ((4, [2, 3]), (5, [2, 4]), (2, [1])):
        model, fits = ProcessRewards(inputs_of(won, iterations=iterations), extra := ExtraCost()), []
        model.first_fit()
        extra.taken()
        for i in range(iterations):
            model(won)
            fits += [i] if extra.taken()["extra_updates"] else []
        assert fits == expected


def test_twin_critics_by_hand() -> None:
    """Three episodes of 2, 1 and 1 steps; features are single numbers, heads multiply by a constant.

    gamma 1/2; slow V: 1 x and 2 x, slow Q: 3 x and 1 x; Q: 2 x and 4 x, V: 1 x and 0.
    """
    critics = UtteranceCritics(1, CriticsConfig(gamma=0.5, tau=0.25), rng=random.Random(0))
    for heads, factors in (
        (critics.heads, {"q0": 2.0, "q1": 4.0, "v0": 1.0, "v1": 0.0}),
        (critics.slow, {"q0": 3.0, "q1": 1.0, "v0": 1.0, "v1": 2.0}),
    ):
        for name, factor in factors.items():
            heads[name] = torch.nn.Linear(1, 1, bias=False)
            torch.nn.init.constant_(heads[name].weight, factor)
    column = [torch.tensor(values)[:, None] for values in ([1.0, 2.0], [1.0], [3.0])]
    features = [StepFeatures(before=values, after=values + 1) for values in column]
    paid = [np.array([0.0, 1.0]), np.array([0.0]), np.array([0.5])]
    steps = Transitions.of(features, paid, device="cpu")
    assert steps.following.flatten().tolist() == [2, 0, 0, 0] and steps.goes_on.tolist() == [1, 0, 0, 0]
    assert critics.advantage(steps).tolist() == [4 - 0, 6 - 0, 4 - 0, 8 - 0]
    # Q_0 = 2 (x + 1): 4, 6, 4, 8 to 0 + 1/2 * 1 * 2, 1, 0, 1/2; Q_1: twice that to 1/2 * 2 * 2, 1, 0, 1/2
    q0 = ((4 - 1) ** 2 + (6 - 1) ** 2 + 4**2 + 7.5**2) / 4
    q1 = ((8 - 2) ** 2 + (12 - 1) ** 2 + 8**2 + 15.5**2) / 4
    # V_0 = x: 1, 2, 1, 3 to 3 (x + 1) = 6, 9, 6, 12; V_1 = 0 to x + 1 = 2, 3, 2, 4
    v0 = (5**2 + 7**2 + 5**2 + 9**2) / 4
    v1 = (2**2 + 3**2 + 2**2 + 4**2) / 4
    assert critics.loss(steps).item() == pytest.approx(q0 + q1 + v0 + v1)
    critics.follow()
    assert critics.slow["q0"].weight.item() == pytest.approx(0.75 * 3 + 0.25 * 2)


def test_critics_read_on_their_own_device_what_other_processes_sent(
    make_trajectory: Callable[..., Trajectory],
    inputs_of: Callable[..., TrainingInputs],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Processes exchange features through the CPU; "meta" stands for the device of the critics."""
    explored = [make_trajectory(1.0, [True, True], id=f"x{i}") for i in range(2)]
    whole = WholeStepCritics(inputs_of(explored), ExtraCost())
    whole.critics.heads.to("meta")
    monkeypatch.setattr(UtteranceCritics, "fit", lambda *_, **__: 0)
    whole.first_fit()
    assert {tensor.device.type for tensor in whole.critics.recent[0]} == {"meta"}


def test_archer_advantages_are_those_of_whole_steps(
    learner_of: Make,
    make_trajectory: Callable[..., Trajectory],
    inputs_of: Callable[..., TrainingInputs],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """min Q - min V of a step on each of its tokens, neither summed nor discounted."""
    explored = [make_trajectory(1.0, [True, True], id=f"x{i}") for i in range(2)]
    learner = learner_of("archer", inputs_of(explored))
    critics = learner.stateful["critics"].critics
    advantages = torch.tensor([0.5, -0.25, 0.0, 1.0, 2.0, -1.0])
    monkeypatch.setattr(critics, "advantage", lambda steps: advantages)
    policy = learner.policy
    trajectories = [
        make_trajectory(o, [True, False], id=name) for o, name in ((1.0, "a"), (0.0, "b"), (0.5, "c"))
    ]
    rows = [policy.codec.row(trajectory) for trajectory in trajectories]
    episodes = [Episode(t, row, (0.0,) * len(row.ids)) for t, row in zip(trajectories, rows, strict=True)]
    estimates = learner.estimate(Collected(episodes, [0, 1, 2]))
    for estimate, row, pair in zip(estimates, rows, advantages.view(3, 2).tolist(), strict=True):
        assert estimate.advantage.tolist() == [pair[t] if t >= 0 else 0 for t in row.step]
    assert [float(e.rewards.sum()) for e in estimates if e.rewards is not None] == [1, 0, 0.5]
    assert learner.critic is None and learner.extra is not None
    epochs = learner.inputs.preset.estimator.epochs
    assert learner.extra.taken()["extra_updates"] == epochs + 40 + 10


def test_the_discriminator_pays_minus_the_log_of_being_known(
    learner_of: Make, make_trajectory: Callable[..., Trajectory], inputs_of: Callable[..., TrainingInputs]
) -> None:
    """-log (1 - D) of a step that both write, D = 1/2, and of one that only the agent writes, D near 0."""
    shown = Demonstration(make_trajectory(1.0, [True, True], id="shown"), (True, False))
    inputs = replace(inputs_of(), demonstrations=[shown])
    extra = ExtraCost()
    judge = Discriminator(inputs, extra)
    assert judge.expert[0].weight.tolist() == [1, 0], "inserted mistakes are not the expert's"
    faster = replace(judge.network.config, epochs=150, lr=2e-2)
    judge.network.config = faster
    (paid,) = judge([make_trajectory(0.0, [True, True], id="written")])
    # the first step is shown once and written once: log 2; only the agent writes the second
    assert paid.contributions[0] == pytest.approx(np.log(2), abs=0.03) and 0 <= paid.contributions[1] < 0.13
    assert extra.taken()["extra_updates"] == faster.epochs
    config = learner_of("stepagent_inverse", inputs).config
    assert (config.gae_level, config.gamma, config.lam) == ("step", 0.0, 0.0), "each step for itself"


def test_judges_continue_where_they_were_saved(
    make_trajectory: Callable[..., Trajectory], inputs_of: Callable[..., TrainingInputs]
) -> None:
    """The model of the present round and its episodes; the discriminator's weights."""
    explored = [make_trajectory(0.0, [True, True], id=f"x{i}") for i in range(2)]
    won = [make_trajectory(1.0, [True, True], id=f"y{i}", task_id="won") for i in range(2)]
    shown = Demonstration(make_trajectory(1.0, [True, True], id="shown"), (True, True))

    def prm4a() -> ProcessRewards:
        return ProcessRewards(inputs_of(explored, iterations=6), ExtraCost())

    def discriminator() -> Discriminator:
        return Discriminator(replace(inputs_of(), demonstrations=[shown]), ExtraCost())

    for make in (prm4a, discriminator):
        judge, resumed = make(), make()
        for _ in range(3):  # past the end of the first round
            judge(won)
        kept, restored = (
            each.network if isinstance(each, Discriminator) else each for each in (judge, resumed)
        )
        restored.load_state(stored(kept.state()))
        resumed.inputs.rng.setstate(judge.inputs.rng.getstate())
        for ours, theirs in zip(judge(won), resumed(won), strict=True):
            assert ours.contributions.tolist() == theirs.contributions.tolist()


def test_a_saved_round_that_lacks_an_episode(
    make_trajectory: Callable[..., Trajectory], inputs_of: Callable[..., TrainingInputs]
) -> None:
    explored = [make_trajectory(0.0, [True, True], id="x")]
    model = ProcessRewards(inputs_of(explored, iterations=6), ExtraCost())
    model(explored)
    state = stored(model.state())
    tensors = {name: tensor for name, tensor in state.tensors.items() if not name.endswith(".tokens")}
    with pytest.raises(ValueError, match=r"the saved episodes lack '0\.tokens'"):
        model.load_state(replace(state, tensors=tensors))
