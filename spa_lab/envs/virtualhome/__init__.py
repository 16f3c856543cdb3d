"""The VirtualHome world: the public graph simulator's rules, SPA-RL's text, flats of our own."""

from spa_lab.envs.base import Environment, Task
from spa_lab.envs.virtualhome.expert import VirtualHomeExpert
from spa_lab.envs.virtualhome.panels import NAME, STEP_LIMIT, tasks
from spa_lab.envs.virtualhome.world import VirtualHomeWorld

MANUAL = """You act in a flat. Each step, write one action in one of these forms:
walk to {}, run to {}, find {}, turn to {}, look at {}, watch {}
grab {}, put {} on {}, put {} in {}, release {}, drop {}
open {}, close {}, switch on {}, switch off {}, plug in {}, plug out {}
wash {}, wipe {}, pour {} into {}, drink {}, eat {}, cut {}
sit on {}, stand up, sleep, wake up, type on {}, read {}, move {}
{} is the name of an object or a room, like "fridge". You can hold two objects; to open something you need a
free hand. You must be near an object to use it. An action that cannot be done is answered by "Nothing
happens."."""


def environment() -> Environment:
    """The VirtualHome world."""
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
