"""The control probes: their rules, where the outcome is decided, and what an agent sees of a mistake."""

import pytest

from spa_lab.envs.control_probes import CONTROL_PROBES, LEFT, LOOK, N_GATES, RIGHT, SIGNS, control_environment
from spa_lab.envs.episode import RunningEpisode
from spa_lab.types import Trajectory


def _play(name: str, actions: list[str], task: int = 0) -> Trajectory:
    environment = control_environment(name)
    episode = RunningEpisode(environment, environment.tasks("train", 99)[task])
    for action in actions:
        episode.act("", action)
    return episode.trajectory(id="by hand", policy="by hand", seed=0)


def _other(action: str) -> str:
    return RIGHT if action == LEFT else LEFT


def _right_way(name: str, task: int = 0) -> list[str]:
    """The expert's actions."""
    environment = control_environment(name)
    chosen = environment.tasks("train", 99)[task]
    episode = RunningEpisode(environment, chosen)
    expert = environment.expert_for(chosen, episode.initial_observation)
    actions = []
    while episode.ended is None:
        thought, action = expert.act()
        expert.observe(action, episode.act(thought, action).observation)
        actions.append(action)
    return actions


@pytest.mark.parametrize("name", CONTROL_PROBES)
def test_the_optimum_is_one(name: str) -> None:
    for i in range(len(CONTROL_PROBES[name].variants)):
        assert _play(name, _right_way(name, i), i).outcome == 1.0


@pytest.mark.parametrize("name", CONTROL_PROBES)
def test_another_text_ends_the_episode_without_success(name: str) -> None:
    trajectory = _play(name, ["dance"])
    assert (trajectory.outcome, trajectory.ended, len(trajectory)) == (0.0, "done", 1)
    assert not trajectory.grounded.any()


@pytest.mark.parametrize(("name", "seen"), [("gates", True), ("signs", False)])
def test_one_mistake_at_a_gate_loses_all(name: str, seen: bool) -> None:
    right = _right_way(name)
    for t in range(2 * N_GATES):
        changed = _play(name, [*right[:t], _other(right[t]), *right[t + 1 :]])
        is_gate = t % 2 == 0
        assert changed.outcome == (0.0 if is_gate else 1.0)
        assert ("Swamp" in "".join(s.observation for s in changed.steps)) is (
            seen and is_gate and t < 2 * N_GATES - 1
        )


def test_looking_in_search_costs_time_alone() -> None:
    right = _right_way("search")
    assert right[0] == LOOK and len(right) == 4
    assert _play("search", [LOOK] * 3 + right[1:]).outcome == 1.0
    lost = _play("search", [LOOK] * 6)
    assert (lost.outcome, lost.ended) == (0.0, "step_limit")


def test_last_is_decided_by_the_last_step() -> None:
    right = _right_way("last")
    assert _play("last", [*map(_other, right[:-1]), right[-1]]).outcome == 1.0
    assert _play("last", [*right[:-1], _other(right[-1])]).outcome == 0.0
    assert set(SIGNS) == set(CONTROL_PROBES["last"].variants)


def test_an_unknown_probe_is_refused() -> None:
    with pytest.raises(ValueError, match="no control probe 'gate'; there are: gates, signs, search, last"):
        control_environment("gate")
