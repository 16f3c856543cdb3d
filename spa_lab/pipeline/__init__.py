"""The only place that composes stages: clone → explore → estimate → PPO → evaluate → report.

No mathematics lives here. Every stage reads what earlier stages left in the run folder and leaves its
own results there, so a run that was killed goes on where it stopped.
"""

from spa_lab.configs.presets import PRESETS, Preset, preset_named

__all__ = ["PRESETS", "Preset", "preset_named"]
