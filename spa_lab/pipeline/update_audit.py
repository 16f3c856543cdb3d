"""One PPO update of a run, watched: what the gradient saw of a method's credit."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from spa_lab.agent.rollout import Episode
from spa_lab.configs.ppo import PPOConfig
from spa_lab.envs.worlds import make_environment
from spa_lab.learn.ppo import PPORows, PPOTrainer
from spa_lab.learn.update_audit import GradientView, Rules, what_the_gradient_saw
from spa_lab.pipeline.fidelity import preset_of
from spa_lab.pipeline.stages import adapt, saved_policy, saved_reward, stage_rng
from spa_lab.store import Run
from spa_lab.types import FloatArray


class WatchedTrainer(PPOTrainer):
    """A trainer that keeps the rows of its last update."""

    rows: Sequence[PPORows] = ()

    def prepare(self, episodes: Sequence[Episode], step_rewards: Sequence[FloatArray]) -> list[PPORows]:
        """As the trainer's own; what it returns is kept."""
        found = super().prepare(episodes, step_rewards)
        self.rows = found
        return found


def rules_of(config: PPOConfig) -> Rules:
    """How a trainer with this config makes advantages of rewards."""
    return Rules(config.gamma, config.lam, config.kl_coef, config.gae_over == "all_tokens")


def watch_first_update(*, run: Path, method: str, episodes: int = 64) -> GradientView:
    """Play, reward and update once as stage 4 begins, and show what that update saw; nothing is saved.

    Args:
        run: folder of a run with a cloned policy, and an estimator if the method is "spa".
        method: member of `METHODS`, not "sft".
        episodes: played for the update.

    Raises:
        StoreError: the run lacks a model.
        ValueError: settings that this version does not know.
    """
    opened = Run.open(run)
    preset = preset_of(opened)
    environment = make_environment(opened.config["env"])
    rng = stage_rng(opened, f"ppo-{method}")
    policy = saved_policy(opened, "cloned", preset, environment)
    adapt(policy, preset, rng)
    reward = saved_reward(opened, method, preset, environment, rng)
    config = replace(preset.ppo, episodes=episodes)
    trainer = WatchedTrainer(policy, config, rng=rng, playing=preset.explore_rollout)
    first = preset.demonstrations + preset.explore_tasks
    trainer.iterate(environment, environment.tasks("train", first + episodes)[first:], reward)
    return what_the_gradient_saw(trainer.rows, rules_of(config))
