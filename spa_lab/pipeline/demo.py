"""`spa-lab demo`: the whole of SPA-RL beside terminal-reward PPO, in minutes."""

from pathlib import Path

from spa_lab.pipeline.presets import TINY, Preset
from spa_lab.pipeline.report import render_summary
from spa_lab.pipeline.train import train


def demo(*, out: Path, seed: int, workers: int, env: str = "household", preset: Preset = TINY) -> str:
    """Clone, explore, estimate, PPO twice, evaluate, draw; returns the summary as text."""
    return render_summary(train(out, env, ("spa", "ppo"), preset, seed=seed, workers=workers))
