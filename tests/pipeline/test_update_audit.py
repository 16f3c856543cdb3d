"""A watched update: what is shown is what PPO used."""

import random
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spa_lab.agent.models import save_policy
from spa_lab.agent.rollout import Policy
from spa_lab.configs.ppo import PPOConfig
from spa_lab.configs.presets import TINY
from spa_lab.configs.reward import RewardConfig
from spa_lab.configs.rollout import RolloutConfig
from spa_lab.envs.base import Environment, Reply, Task
from spa_lab.learn.collect import Collected
from spa_lab.learn.method import TrainingInputs
from spa_lab.learn.ppo import ppo
from spa_lab.learn.step_rewards import outcome
from spa_lab.learn.update_audit import what_the_gradient_saw
from spa_lab.pipeline.update_audit import watch_first_update
from spa_lab.store import Run


class Even:
    """Three steps; won by a first action of an even number of characters."""

    def reset(self, task: Task) -> str:
        self.actions: tuple[str, ...] = ()
        return "Choose."

    def step(self, action: str) -> Reply:
        self.actions += (action,)
        won = len(self.actions[0]) % 2 == 0
        return Reply("noted", True, len(self.actions) == 3, float(won and len(self.actions) == 3))


TASKS = [Task("e", "even", "train", "", "", 3, None)] * 8
EVEN = Environment(name="even", make_world=Even, tasks=lambda split, n: TASKS[:n], step_limit=3)


@pytest.fixture(scope="module")
def policy(make_policy: Callable[..., Policy]) -> Policy:
    return make_policy("Action: a", "Action: bb", "noted", hidden=16, context=400, spread=0.5)


@pytest.mark.parametrize(
    "gae", [{"gae_over": "action_tokens"}, {"gae_over": "all_tokens"}, {"gae_level": "step", "lam": 0.5}]
)
def test_the_settings_reproduce_what_the_learner_used(policy: Policy, gae: dict[str, Any]) -> None:
    config = PPOConfig(episodes=8, batch_tokens=400, **gae)
    preset = replace(TINY, ppo=config, explore_rollout=RolloutConfig(1.0, 5, 8))
    inputs = TrainingInputs(policy=policy, environment=EVEN, preset=preset, rng=random.Random(0))
    learner = ppo(inputs, outcome(RewardConfig(beta=0.0)))
    batch = learner.prepare(learner.play(TASKS))
    view = what_the_gradient_saw(batch, config)
    alarms = {alarm.name: alarm.raised for alarm in view.alarms}
    assert not alarms["not_these_rules"] and not alarms["mask_leaks"]
    assert alarms["observation_length"] == ("all_tokens" in gae.values())
    assert len(view.steps) == 24
    outcomes = [trajectory.outcome for trajectory in batch.trajectories]
    assert view.steps["reward"].sum() == pytest.approx(sum(outcomes))
    np.testing.assert_allclose(view.tokens["kl"], 0, atol=1e-4)  # the cloned policy played these episodes


def test_the_first_update_of_a_run(policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preset = replace(TINY, demonstrations=0, explore_tasks=4, explore_rollout=RolloutConfig(1.0, 5, 8))
    run = Run.create(tmp_path / "run", {"env": "even", "preset": asdict(preset)}, seed=0)
    with run.saving_model("cloned") as target:
        save_policy(policy, target)
    before = sorted(path.name for path in run.path.rglob("*"))
    view = watch_first_update(run=run.path, method="mean", episodes=4, world=EVEN)
    assert view.steps["trajectory_id"].nunique() == 4
    raised = {alarm.name for alarm in view.alarms if alarm.raised}
    assert "same_for_all_steps" in raised  # R / T and grounding: one number per episode
    assert sorted(path.name for path in run.path.rglob("*")) == before
    ragen = watch_first_update(run=run.path, method="ragen", episodes=8, world=EVEN)  # settings of its own
    assert not {alarm.name for alarm in ragen.alarms if alarm.raised} & {"not_these_rules"}
    for kept in (3, 0):
        choose = partial(_first, n=kept)
        monkeypatch.setattr("spa_lab.learn.methods.ragen_s.widest_spread", lambda share, to=choose: to)
        if kept:
            seen = watch_first_update(run=run.path, method="ragen_s", episodes=8, world=EVEN)
            assert seen.steps["trajectory_id"].nunique() == 3, "the update sees no other"
            continue
        with pytest.raises(ValueError, match="'ragen_s' learns from none of the 8 episodes"):
            watch_first_update(run=run.path, method="ragen_s", episodes=8, world=EVEN)


def _first(played: Collected, *, n: int) -> Collected:
    return played.select(range(n))
