"""The notebooks at a smaller scale: that they run is tested, and in the household that the agent learns."""

from nbformat import NotebookNode

SMALLER_LESSON = """
from dataclasses import replace
from spa_lab.configs import presets
small = {"explore_tasks": 12, "evaluation_tasks": 16, "by_length_tasks": 7}
presets.LESSON = replace(presets.LESSON, **small, ppo=replace(presets.LESSON.ppo, episodes=8))
presets.PRESETS = {"lesson": presets.LESSON}
"""
SMALLEST_LESSON = """
small = {"explore_tasks": 8, "rollouts_per_task": 4, "evaluation_tasks": 8}
presets.LESSON = replace(presets.LESSON, **small)
presets.PRESETS = {"lesson": presets.LESSON}
few = {"demonstrations": 60, "explore_tasks_factor": 1}
presets.WORLD_OVERRIDES = {name: replace(entry, **few) for name, entry in presets.WORLD_OVERRIDES.items()}
"""
"""After the smaller lesson, in a world where only that the notebooks run is tested."""
FEW = "\nEPISODES, BRANCHES = 1, 4\n"
"""A smaller measurement."""


def shrink(parameters: NotebookNode, *, learns: bool = True) -> None:
    """Let the notebook with this cell of parameters use the smaller lesson, or the smallest."""
    parameters.source += (FEW if "EPISODES" in parameters.source else "") + SMALLER_LESSON
    if not learns:
        parameters.source += SMALLEST_LESSON
