"""The probe worlds: their rules, their experts, and that their credit lies where they say."""

import random
from collections.abc import Sequence

import numpy as np
import pytest

from spa_lab.envs.probes import CORRIDOR, PROBES, ProbeWorld, probe_environment
from spa_lab.react import write
from spa_lab.truth.exact import ExactValues, exact_values, play, uniform_action_probs
from spa_lab.types import Step, Trajectory

NAMES = sorted(PROBES)


@pytest.mark.parametrize("name", NAMES)
def test_the_expert_solves_every_variant_as_fast_as_it_says(name: str) -> None:
    environment = probe_environment(name)
    for task in environment.tasks("unseen", 4):
        world = environment.make_world()
        expert = environment.make_expert(task, world.reset(task))
        for t in range(task.expert_length):
            thought, action = expert.act()
            assert action in world.admissible()
            reply = world.step(action)
            expert.observe(action, reply.observation)
            assert thought
            assert reply.done is (t + 1 == task.expert_length)
        assert reply.outcome == 1.0


@pytest.mark.parametrize("name", NAMES)
def test_a_slip_is_no_advice(name: str) -> None:
    environment = probe_environment(name)
    (task,) = environment.tasks("train", 1)
    expert = environment.make_expert(task, environment.make_world().reset(task))
    assert expert.slip(random.Random(0)) != expert.act()
    assert expert.slip(random.Random(0))[1] in PROBES[name].actions


@pytest.mark.parametrize("name", ["lamp", "corridor"])
def test_the_expert_recovers_from_slips(name: str) -> None:
    environment = probe_environment(name)
    (task,) = environment.tasks("train", 1)
    world = environment.make_world()
    expert = environment.make_expert(task, world.reset(task))
    _, action = expert.slip(random.Random(0))
    reply = world.step(action)
    while not reply.done:
        expert.observe(action, reply.observation)
        _, action = expert.act()
        reply = world.step(action)
    assert reply.outcome == 1.0


@pytest.mark.parametrize("name", NAMES)
def test_a_snapshot_is_the_whole_moment(name: str) -> None:
    environment = probe_environment(name)
    (task,) = environment.tasks("train", 1)
    world, rng = environment.make_world(), random.Random(1)
    world.reset(task)
    for _ in range(20):
        token = world.snapshot()
        actions = [rng.choice(PROBES[name].actions) for _ in range(4)]
        first = [world.step(action) for action in actions]
        world.restore(token)
        assert [world.step(action) for action in actions] == first
        world.restore(token)
        world.step(actions[0])


def test_free_text_is_refused_and_changes_nothing() -> None:
    world = ProbeWorld(PROBES["key"])
    world.reset(probe_environment("key").tasks("train", 1)[0])
    before = world.snapshot()
    reply = world.step("dance")
    assert (reply.grounded, reply.done, reply.outcome) == (False, False, 0.0)
    assert reply.reason == f"possible here: {' or '.join(world.admissible())}"
    assert world.snapshot() == before
    assert world.admissible() == ["go on", "take key"]
    world.step("take key")
    assert world.admissible() == ["go on"]


def test_bad_input_is_refused() -> None:
    (task,) = probe_environment("lamp").tasks("train", 1)
    with pytest.raises(ValueError, match="no probe 'lmap'; there are: key, fork"):
        probe_environment("lmap")
    with pytest.raises(
        ValueError, match=r"'probe-lamp-train-000': payload must be one of \('left', 'right'\)"
    ):
        ProbeWorld(PROBES["fork"]).reset(task)
    world = ProbeWorld(PROBES["lamp"])
    world.reset(task)
    with pytest.raises(ValueError, match="not a snapshot"):
        world.restore(("kitchen", (1,)))


def _uniform(name: str, actions: Sequence[str]) -> ExactValues:
    """Exact values of an episode under the policy that tosses a coin."""
    environment = probe_environment(name)
    (task,) = environment.tasks("train", 1)
    world = environment.make_world()
    opening = world.reset(task)
    steps, reply = [], None
    for action in actions:
        reply = world.step(action)
        steps.append(Step(write("", action), "", action, reply.observation, reply.grounded))
    assert reply is not None and (reply.done or len(actions) == environment.step_limit)
    ended = "done" if reply.done else "step_limit"
    trajectory = Trajectory(
        "by hand", task.id, environment.name, "train", task.instruction, opening, tuple(steps), reply.outcome,
        reply.outcome == 1.0, ended, "coin", 0,
    )  # fmt: skip
    texts = [write("", action) for action in PROBES[name].actions]
    (exact,) = exact_values(uniform_action_probs(2), environment, [trajectory], [task], texts, policy="coin")
    return exact


def _progress(name: str, *actions: str) -> list[float]:
    return _uniform(name, actions).to_truth().progress.tolist()


def test_fork_all_credit_lies_on_the_first_step() -> None:
    assert _progress("fork", "go left", "go right", "go left", "go left") == [0.5, 0, 0, 0]
    assert _progress("fork", "go right", "go right", "go left", "go left") == [-0.5, 0, 0, 0]


def test_distractor_the_loud_steps_have_none() -> None:
    assert _progress("distractor", "press red", "press blue", "press red") == [0, 0.5, 0]
    assert _progress("distractor", "press red", "press red", "press red") == [0, -0.5, 0]


def test_vase_nothing_matters_after_it_broke() -> None:
    values = _uniform("vase", ["step on", "let go", *["step on"] * 5]).values
    assert values[1] > values[0] > 0
    assert values[2:].tolist() == [0] * 6


def test_lamp_a_mistake_is_given_back_but_for_the_time() -> None:
    exact = _uniform("lamp", ["press switch", "press switch", "leave"])
    lost, regained, last = exact.to_truth().progress
    assert lost < 0 < regained and last > 0
    assert exact.values[1] > 0, "it could be undone"
    assert exact.values[0] > exact.values[2], "two steps are gone"


def test_key_is_worth_more_the_door_is_far_away() -> None:
    """A coin takes the key at once or never; then 4 of the 5 steps that are left must go on."""
    exact = _uniform("key", ["take key", *["go on"] * 4])
    can_still = (1 + 5) / 2**5
    assert exact.q[0].tolist() == [can_still, 0.0]
    assert exact.values[:2].tolist() == [can_still / 2, can_still]
    assert exact.advantages[0].tolist() == [can_still / 2, -can_still / 2]
    assert exact.taken == (0, 1, 1, 1, 1)


def test_corridor_pays_little_for_every_step() -> None:
    exact = _uniform("corridor", ["go on"] * CORRIDOR)
    progress = exact.to_truth().progress
    assert (progress > 0).all()
    assert progress.sum() == pytest.approx(1 - exact.values[0])
    back = _progress("corridor", "go on", "go back", *["go on"] * CORRIDOR)
    assert back[1] < 0


@pytest.mark.parametrize("name", NAMES)
def test_values_are_consistent_and_those_of_play(name: str) -> None:
    """V is the mean of Q under the policy, Q the next V; and the mean outcome of many plays is V(h_0)."""
    environment = probe_environment(name)
    (task,) = environment.tasks("train", 1)
    texts = [write("", action) for action in PROBES[name].actions]
    lopsided = lambda histories: np.tile([0.7, 0.3], (len(histories), 1))  # noqa: E731
    plays = [play(lopsided, environment, task, texts, policy="lopsided", seed=seed) for seed in range(400)]
    exact = exact_values(lopsided, environment, plays, [task], texts, policy="lopsided")
    for measured, trajectory in zip(exact, plays, strict=True):
        assert measured.values[:-1] == pytest.approx((measured.action_probs * measured.q).sum(1))
        assert measured.q[range(len(trajectory)), measured.taken] == pytest.approx(measured.values[1:])
        assert measured.values[-1] == trajectory.outcome
    mean, value = np.mean([trajectory.outcome for trajectory in plays]), exact[0].values[0]
    assert abs(mean - value) < 4 * np.sqrt(value * (1 - value) / 400) + 1e-9
