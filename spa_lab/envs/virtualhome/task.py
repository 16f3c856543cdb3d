"""The payload of a VirtualHome task: a graph, a goal, and the sentence that asks for it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from spa_lab.envs.virtualhome.goal import Condition, read_goal
from spa_lab.envs.virtualhome.graph import INSIDE, Scene, State
from spa_lab.envs.virtualhome.reader import read_scene


@dataclass(frozen=True)
class VirtualHomeTask:
    """The payload of a task; the graph is parsed when the task is first played."""

    scene: str
    """Name of the scene, for messages."""
    title: str
    """Like "Store milk"."""
    description: str
    """Like "Put the milk in the fridge and close the fridge"."""
    graph: str | Callable[[], Any]
    """The initial graph as JSON text, or a function that returns it."""
    goal: tuple[tuple[Any, ...], ...]
    """Conditions as `goal.read_goal` takes them."""
    bind: tuple[tuple[str, int], ...] = ()
    """(name, id): names that are bound from the start."""

    @property
    def instruction(self) -> str:
        """Title and description, as the agent reads them."""
        return f"{self.title} ({self.description})"


class Game(NamedTuple):
    """A parsed task."""

    scene: Scene
    goal: tuple[Condition, ...]

    def won(self, state: State) -> bool:
        """Whether all conditions hold."""
        return all(condition.met(state) for condition in self.goal)

    @property
    def worth_playing(self) -> bool:
        """Whether the goal requires more than being in a room, and does not hold at the start."""
        is_demanding = any(
            condition.node != self.scene.agent or condition.words != (INSIDE,) for condition in self.goal
        )
        return is_demanding and not self.won(self.scene.start)


def read_task(payload: VirtualHomeTask) -> Game:
    """Parse the graph and the goal of a task.

    Raises:
        ValueError: graph, goal or bound names are invalid; names the scene and the reason.
    """
    graph = _graph(payload)
    scene = read_scene(graph, payload.scene)
    goal = read_goal([list(condition) for condition in payload.goal], scene)
    if not goal:
        raise ValueError(f"scene {payload.scene!r}: the goal has 0 conditions, needs at least 1")
    for name, key in payload.bind:
        if key not in scene.nodes:
            raise ValueError(f"scene {payload.scene!r}: {name!r} is bound to {key!r}, which is no node")
    return Game(scene, goal)


def _graph(payload: VirtualHomeTask) -> Any:
    if not isinstance(payload.graph, str):
        return payload.graph()
    try:
        return json.loads(payload.graph)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"scene {payload.scene!r}: the graph is not JSON: {error}") from error
