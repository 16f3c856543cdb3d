"""Which tasks a run demonstrates, explores, trains on and evaluates."""

from collections.abc import Sequence
from dataclasses import dataclass

from spa_lab.configs.presets import Preset
from spa_lab.envs.base import Environment, Task


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
        """Ask a benchmark's own, finite panels for all tasks of the run, before anything is written.

        Args:
            trains: whether the run has a training method, so that it explores.

        Raises:
            ValueError: a panel has fewer tasks; names both numbers and the settings to lower.
        """
        if not self.environment.official:
            return
        for panel, n in self.panel_sizes.items():
            self.environment.tasks(panel, n)
        self.environment.tasks("train", self.preset.demonstrations)
        if trains:
            _ = self.explored, self.trained
