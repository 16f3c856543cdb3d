"""The notebooks at a smaller scale, several in one kernel: they run, and the agent learns."""

from nbformat import NotebookNode

SMALLER_LESSON = """
from dataclasses import replace
from spa_lab.configs import presets
small = {"explore_tasks": 12, "rollouts_per_task": 5, "evaluation_tasks": 10}
small["by_length_tasks"] = 7 if ENV == "household" else 0
presets.LESSON = replace(
    presets.LESSON, **small, estimator=replace(presets.LESSON.estimator, epochs=2),
    ppo=replace(presets.LESSON.ppo, episodes=8, epochs=1),
)
presets.PRESETS = {"lesson": presets.LESSON}
shop = presets.WORLD_OVERRIDES["webshop"]
few = {"clone.lr": 7e-4, "clone.muon_lr": 1.5e-3, "estimator.epochs": 2}
shop = replace(shop, demonstrations=150, explore_tasks_factor=1, settings={**shop.settings, **few})
presets.WORLD_OVERRIDES = {**presets.WORLD_OVERRIDES, "webshop": shop}
del small, shop, few
"""
"""One wave of explorations. In the web shop a fast clone of few demonstrations would read them worse than the
base, which has read many; a slower one learns."""
FEW = "\nEPISODES, BRANCHES = 1, 4\n"
"""A smaller measurement."""

EMPTY = """
for _name in {*globals()} - {"In", "Out", "get_ipython", "exit", "quit", "open"}:
    if not _name.startswith("_"):
        del globals()[_name]
"""
"""Empties the namespace of a kernel; `%reset` would also delete `__spec__`, which worker processes need."""


def shrink(parameters: NotebookNode) -> None:
    """Let the notebook with this cell of parameters use the smaller lesson."""
    parameters.source += (FEW if "EPISODES" in parameters.source else "") + SMALLER_LESSON
