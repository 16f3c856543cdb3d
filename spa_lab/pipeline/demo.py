"""`spa-lab demo`: the whole of SPA-RL beside terminal-reward PPO, in minutes."""

from pathlib import Path

from spa_lab.configs.presets import Preset, preset_named
from spa_lab.pipeline.report import render_summary
from spa_lab.pipeline.train import train


def demo(*, out: Path, seed: int, workers: int, env: str = "household", preset: Preset | None = None) -> str:
    """Clone, explore, estimate, PPO twice, evaluate, draw; returns the summary as text.

    Args:
        out: run folder, new or begun with the same settings.
        seed: of all random numbers.
        workers: processes side by side; the results do not depend on it.
        env: name of the world.
        preset: scale; the world's tiny one by default.

    Raises:
        ValueError: an unknown world, no worker, or a folder that holds another run.
        StoreError: the disk refused.
    """
    preset = preset or preset_named("tiny", env)
    return render_summary(train(out, env, ("spa", "ppo"), preset, seed=seed, workers=workers))
