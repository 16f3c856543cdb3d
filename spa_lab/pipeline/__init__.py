"""The only package that composes stages: clone → explore → estimate → PPO → evaluate → report.

No mathematics is here. Every stage reads what earlier stages left in the run folder and leaves its own
results there, so a run that was killed is resumed where it stopped. `experiment.Experiment` is what stages,
credit sources and reports take: a run with its world and preset.
"""

from spa_lab.configs.presets import PRESETS, Preset, preset_named

__all__ = ["PRESETS", "Preset", "preset_named"]
