"""The notebooks at a smaller scale: only that they run and that the agent learns is tested."""

from nbformat import NotebookNode

SMALLER_LESSON = """
from dataclasses import replace
from spa_lab.configs import presets
small = {"explore_tasks": 12, "evaluation_tasks": 16, "by_length_tasks": 7}
presets.LESSON = replace(presets.LESSON, **small, ppo=replace(presets.LESSON.ppo, episodes=16))
presets.PRESETS = {"lesson": presets.LESSON}
"""
FEW = "\nEPISODES, BRANCHES = 1, 4\n"
"""A smaller measurement."""


def shrink(parameters: NotebookNode) -> None:
    """Let the notebook with this cell of parameters use the smaller lesson."""
    parameters.source += (FEW if "EPISODES" in parameters.source else "") + SMALLER_LESSON
