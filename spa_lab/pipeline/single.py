"""`spa-lab run`: one method, one seed."""

from pathlib import Path

from spa_lab.configs.presets import preset_named
from spa_lab.pipeline.report import render_summary
from spa_lab.pipeline.train import train


def run(*, env: str, method: str, preset: str, seed: int, out: Path) -> str:
    """Train one policy in `out`; stages that are already done there are not done again.

    Returns:
        The summary as text.

    Raises:
        ValueError: an unknown world, method or preset, or a folder that holds another run.
        StoreError: the disk refused.
    """
    chosen = preset_named(preset, env)
    workers = 1 if chosen.lora_rank else 2  # a large model fills the machine on its own
    return render_summary(train(out, env, (method,), chosen, seed=seed, workers=workers))
