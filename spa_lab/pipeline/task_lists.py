"""Which tasks a run demonstrates, explores, trains on and evaluates."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spa_lab.configs.presets import Preset
from spa_lab.envs.base import Environment, Task
from spa_lab.envs.panels import SETTINGS
from spa_lab.envs.worlds import WORLDS


@dataclass(frozen=True)
class TaskLists:
    """The tasks that a preset takes from the panels of a world."""

    environment: Environment
    preset: Preset

    @property
    def explored(self) -> Sequence[Task]:
        """Training tasks to explore: the demonstrated ones, or those after them (`explore_on`)."""
        first = self.preset.demonstrations if self.preset.explore_on == "fresh" else 0
        return self.environment.tasks("train", first + self.preset.explore_tasks)[first:]

    @property
    def trained(self) -> Sequence[Task]:
        """Tasks of the training methods, those of an iteration in a row: the ones after the explored.

        With `explore_on` "demonstrated", the demonstrated and explored ones in turn, as often as needed.
        """
        preset, n = self.preset, self.preset.ppo.iterations * self.preset.ppo.episodes
        if preset.explore_on == "demonstrated":
            again = self.environment.tasks("train", max(preset.demonstrations, preset.explore_tasks))
            return [again[i % len(again)] for i in range(n)]
        first = preset.demonstrations + preset.explore_tasks
        return self.environment.tasks("train", first + n)[first:]

    @property
    def panel_sizes(self) -> dict[str, int]:
        """Evaluation panel -> number of tasks, the main one first; panels of 0 tasks are left out."""
        main, *others = self.environment.panels
        sizes = {main: self.preset.evaluation_tasks} | dict.fromkeys(others, self.preset.by_length_tasks)
        return {panel: n for panel, n in sizes.items() if n}

    def check(self, *, trains: bool) -> None:
        """Ask finite lists of tasks for all that the run needs, before anything is written.

        A benchmark's own lists, and those of a user's world: the package's generated worlds have no end.

        Args:
            trains: whether the run has a training method, so that it explores.

        Raises:
            ValueError: a panel has fewer tasks; names both numbers and the settings to lower.
        """
        environment = self.environment
        if environment.name in WORLDS and not environment.official:
            return
        for panel, n in self.panel_sizes.items():
            if not environment.tasks(panel, n):
                raise ValueError(f"world {environment.name!r}: panel {panel!r} has no tasks")
        for n in self._train_sizes(trains=trains):
            if (found := len(environment.tasks("train", n))) < n:
                raise ValueError(
                    f"world {environment.name!r}: {n} tasks of panel 'train' are wanted, there are {found}; "
                    f"lower {SETTINGS['train']}"
                )

    def _train_sizes(self, *, trains: bool) -> Iterator[int]:
        """How many of the first training tasks each stage asks for."""
        preset = self.preset
        yield preset.demonstrations
        if trains and preset.explore_on == "demonstrated":
            yield preset.explore_tasks
        elif trains:
            explored = preset.demonstrations + preset.explore_tasks
            yield from (explored, explored + preset.ppo.iterations * preset.ppo.episodes)
