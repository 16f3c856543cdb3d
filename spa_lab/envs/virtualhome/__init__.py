"""VirtualHome: the public graph simulator's rules, SPA-RL's text protocol, and generated flats."""

from spa_lab.envs.base import Environment, Task
from spa_lab.envs.virtualhome.expert import VirtualHomeExpert
from spa_lab.envs.virtualhome.panels import NAME, STEP_LIMIT, tasks
from spa_lab.envs.virtualhome.world import MANUAL, VirtualHomeWorld


def environment() -> Environment:
    """The VirtualHome world with generated tasks."""
    return Environment(
        name=NAME,
        make_world=VirtualHomeWorld,
        make_expert=_make_expert,
        tasks=tasks,
        step_limit=STEP_LIMIT,
        manual=MANUAL,
        benchmark="VirtualHome",
        panels=("unseen", "unseen_by_length"),
        base="virtualhome",
    )


def _make_expert(task: Task, opening: str) -> VirtualHomeExpert:
    return VirtualHomeExpert(task.instruction)
