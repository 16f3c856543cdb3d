"""`spa-lab run`: one method, one seed."""

from pathlib import Path

from spa_lab.pipeline.presets import preset_named
from spa_lab.pipeline.train import train


def run(*, env: str, method: str, preset: str, seed: int, out: Path) -> None:
    """Train one policy in `out`; stages that are already done there are not done again."""
    chosen = preset_named(preset)
    train(out, env, (method,), chosen, seed=seed, workers=1 if chosen.lora_rank else 2)
