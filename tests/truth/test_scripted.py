"""The scripted player: reproducible episodes, continuations from any step, measured values."""

import random
from dataclasses import replace

import numpy as np
import pytest

from spa_lab.envs import household
from spa_lab.envs.base import Task
from spa_lab.truth.scripted import ScriptedPlayer
from spa_lab.types import Trajectory


@pytest.fixture(scope="module")
def player() -> ScriptedPlayer:
    return ScriptedPlayer(household.environment(), 0.45, 18)


@pytest.fixture(scope="module")
def task(player: ScriptedPlayer) -> Task:
    return player.environment.tasks("unseen", 3)[2]


@pytest.fixture(scope="module")
def episode(player: ScriptedPlayer, task: Task) -> Trajectory:
    return player.play(task, seed=1)


def test_an_episode_is_decided_by_its_seed(player: ScriptedPlayer, task: Task, episode: Trajectory) -> None:
    assert player.play(task, seed=1) == episode
    others = [player.play(task, seed=seed) for seed in range(2, 8)]
    assert any(other.steps != episode.steps for other in others)
    assert all(len(other) <= 18 and (other.ended == "done") == other.success for other in others)


def test_without_slips_the_expert_succeeds(player: ScriptedPlayer) -> None:
    perfect = replace(player, slips=0.0, step_cap=player.environment.step_limit)
    assert all(perfect.play(task, seed=0).success for task in player.environment.tasks("unseen", 5))


def test_continuations_begin_where_they_should(
    player: ScriptedPlayer, task: Task, episode: Trajectory
) -> None:
    """A replayed prefix gets the same replies; continuations from the last step have one step left."""
    other = player.what_if(task, episode, 3, episode.steps[3].action)
    assert [step.observation for step in other.steps[:4]] == [step.observation for step in episode.steps[:4]]
    wrong = player.what_if(task, episode, 3, "dance on the table")
    assert wrong.steps[3].action == "dance on the table" and not wrong.steps[3].grounded
    allowed = player.admissible(task, episode, 3)
    assert allowed == sorted(allowed) and "dance on the table" not in allowed
    assert player.what_if(task, episode, 3, allowed[0]).steps[3].grounded
    played = (player.play(task, seed=seed) for seed in range(100))
    at_the_cap = next(trajectory for trajectory in played if len(trajectory) == 18)
    assert len(player.outcomes(task, at_the_cap, 17, 4, rng=random.Random(0))) == 4
    with pytest.raises(ValueError, match=r"no step \d+, there are \d+"):
        player.outcomes(task, episode, len(episode), 1, rng=random.Random(0))


def test_episodes_of_others_are_refused(player: ScriptedPlayer, task: Task, episode: Trajectory) -> None:
    rng = random.Random(0)
    with pytest.raises(ValueError, match=rf"has {len(episode)} steps, episodes of this player at most 2"):
        replace(player, step_cap=2).outcomes(task, episode, 1, 1, rng=rng)
    other = player.environment.tasks("unseen", 3)[1]
    with pytest.raises(ValueError, match=f"is no episode of task '{other.id}': recorded"):
        player.outcomes(other, episode, 0, 1, rng=rng)
    steps = (replace(episode.steps[0], observation="Nothing happens."), *episode.steps[1:])
    with pytest.raises(ValueError, match=r"recorded 'Nothing happens\.', the world replies"):
        player.outcomes(task, replace(episode, steps=steps), 1, 1, rng=rng)


def test_values_are_means_of_continuations(player: ScriptedPlayer, task: Task, episode: Trajectory) -> None:
    truth = player.measure(task, episode, 40, rng=random.Random(0))
    again = player.outcomes(task, episode, 0, 400, rng=random.Random(7))
    assert truth.values[-1] == episode.outcome and truth.standard_error[-1] == 0
    assert abs(truth.values[0] - np.mean(again)) < 4 * np.hypot(truth.standard_error[0], 0.5 / 20)
    assert (truth.branches, truth.step_cap, truth.policy) == (40, 18, "careless expert (0.45)")
    k = round(40 * truth.values[0])  # of 40; with one 0 and one 1 added, k + 1 of 42
    assert truth.standard_error[0] ** 2 == pytest.approx((k + 1) / 42 * (41 - k) / 42 / 40)


@pytest.mark.parametrize("wrong", [{"slips": 1.0}, {"slips": -0.1}, {"step_cap": 0}])
def test_nonsense_is_refused(player: ScriptedPlayer, wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="needs slips in"):
        replace(player, **wrong)  # type: ignore[arg-type]
