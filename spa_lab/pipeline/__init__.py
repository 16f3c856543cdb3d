"""The only place that composes stages: clone → explore → estimate → PPO → evaluate → report.

No mathematics lives here. Every stage reads what earlier stages left in the run folder and leaves its
own results there, so a run that was killed goes on where it stopped.
"""

from spa_lab.configs.presets import METHODS, PRESETS, Preset, preset_named
from spa_lab.pipeline.demo import demo
from spa_lab.pipeline.single import run

__all__ = ["METHODS", "PRESETS", "Preset", "demo", "preset_named", "run"]
