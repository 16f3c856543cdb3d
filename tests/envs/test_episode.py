"""A running episode: how steps are recorded, how it ends, and the trajectory it becomes."""

from dataclasses import replace

import pytest

from spa_lab.envs.base import Environment, Reply, Task
from spa_lab.envs.episode import RunningEpisode, end_of_episode
from spa_lab.types import Step
from tests.envs.quiz import Quiz

ENVIRONMENT = Environment(name="quiz", make_world=Quiz, tasks=lambda split, n: [], step_limit=3)
TASK = Task(id="q1", env="quiz", split="seen", kind="", instruction="win it")


@pytest.mark.parametrize(
    ("actions", "ended", "outcome", "success"),
    [
        (["win"], "done", 1.0, True),
        (["wait", "half"], "done", 0.5, False),
        (["wait"] * 3, "step_limit", 0.25, False),
        (["almost"] * 3, "step_limit", 1.0, False),  # success means that the world ended the episode
        (["wait", "wait", "win"], "done", 1.0, True),  # in the last step that is allowed
    ],
)
def test_how_an_episode_ends(actions: list[str], ended: str, outcome: float, success: bool) -> None:
    episode = RunningEpisode(ENVIRONMENT, TASK)
    for action in actions:
        assert episode.ended is None
        episode.act("", action)
    trajectory = episode.trajectory(id="e1", policy="tiny", seed=7)
    assert (trajectory.ended, trajectory.outcome, trajectory.success) == (ended, outcome, success)
    assert len(trajectory) == len(actions)


def test_every_field_of_the_trajectory() -> None:
    episode = RunningEpisode(ENVIRONMENT, TASK, step_limit=2)
    episode.take("Thought: easy\nAction: wait")
    episode.act("easy", "dance")
    trajectory = episode.trajectory(id="e1", policy="tiny", seed=7)
    assert (trajectory.id, trajectory.task_id, trajectory.env, trajectory.split) == (
        "e1",
        "q1",
        "quiz",
        "seen",
    )
    assert (trajectory.instruction, trajectory.initial_observation) == ("win it", "Quiz q1.")
    assert (trajectory.policy, trajectory.seed) == ("tiny", 7)
    assert trajectory.steps == (
        Step("Thought: easy\nAction: wait", "easy", "wait", "reply 1", True),
        Step("Thought: easy\nAction: dance", "easy", "dance", "reply 2", False),
    )


def test_an_episode_that_the_player_stops_ends_in_error() -> None:
    episode = RunningEpisode(ENVIRONMENT, TASK)
    episode.act("", "wait")
    with pytest.raises(ValueError, match="'e1' is not over: 1 of 3 steps"):
        episode.trajectory(id="e1", policy="tiny", seed=0)
    episode.stop()
    assert episode.trajectory(id="e1", policy="tiny", seed=0).ended == "error"


def test_two_episodes_have_worlds_of_their_own() -> None:
    first, second = RunningEpisode(ENVIRONMENT, TASK), RunningEpisode(ENVIRONMENT, replace(TASK, id="q2"))
    first.act("", "wait")
    assert second.act("", "wait").observation == "reply 1"


def test_done_comes_before_the_step_limit() -> None:
    going, done = Reply("", True, False, 0.0), Reply("", True, True, 0.0)
    assert [end_of_episode(going, n, 3) for n in (1, 3, 4)] == [None, "step_limit", "step_limit"]
    assert [end_of_episode(done, n, 3) for n in (1, 3)] == ["done", "done"]
