"""A run with its world and preset: the one argument of stages, scores and figures."""

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, NamedTuple

import torch

from spa_lab.agent.codec import Codec
from spa_lab.agent.lora import ADAPTER_CONFIG
from spa_lab.agent.models import load_codec, load_policy
from spa_lab.agent.player import Player
from spa_lab.agent.processes import processes
from spa_lab.agent.rollout import Policy
from spa_lab.agent.served_policy import load_served_policy
from spa_lab.configs.presets import EMBEDDED, Preset, n_fitted, preset_from_dict
from spa_lab.configs.server import ServerConfig
from spa_lab.envs.base import Demonstration, Environment, Task
from spa_lab.envs.demonstrations import demonstrate
from spa_lab.envs.worlds import make_environment
from spa_lab.learn.estimator import ProgressEstimator, load_estimator
from spa_lab.paths import base_folder
from spa_lab.pipeline.evaluations import BASE
from spa_lab.pipeline.task_lists import TaskLists
from spa_lab.store import Run
from spa_lab.store.followed import FollowedRun
from spa_lab.types import Credit, Trajectory, ValueTruth

ESTIMATOR = "estimator"
"""Names of models that every run has or may have; a trained policy has the name of its method."""


class Split(NamedTuple):
    """Explored trajectories by task."""

    fitted: list[Trajectory]
    """Trajectories that credit models are fitted to."""
    held_out: list[Trajectory]
    """Trajectories of other tasks, on which credit models are evaluated."""


@dataclass(frozen=True)
class ExperimentSource:
    """Where to find an experiment; small enough to be sent to a worker process."""

    folder: Path
    world: str | Environment
    server: ServerConfig | None = None

    def open(self) -> "Experiment":
        """The experiment, read again from its folder."""
        kind = Run if processes().is_main else FollowedRun
        environment = make_environment(self.world)
        return Experiment(kind.open(self.folder), environment, world=self.world, server=self.server)


class Experiment:
    """One run, its world and its preset.

    Args:
        run: the run; its config holds the preset, as written by `config_of`.
        environment: its world.
        world: the name of the world, "package.module:attribute" or the environment itself; how worker
            processes find it. The environment if None.
        server: plays all episodes and continuations; None: the models in this process.

    Raises:
        ValueError: the run has no preset, or one with settings that this version does not know; or its models
            cannot be played by a server.
    """

    def __init__(
        self,
        run: Run,
        environment: Environment,
        *,
        world: str | Environment | None = None,
        server: ServerConfig | None = None,
    ) -> None:
        self.run, self.environment, self.server = run, environment, server
        self.source = ExperimentSource(run.path, environment if world is None else world, server)
        config = run.config
        try:
            self.preset: Preset = preset_from_dict(config["preset"])
        except (KeyError, TypeError, AttributeError):
            raise ValueError(f"{run.path}: the run has no preset; it was not made by training") from None
        except ValueError as error:
            raise ValueError(f"{run.path}: its preset is not of this version: {error}") from error
        check_can_be_served(self.preset, server)
        self.seed = run.seed
        self.models: dict[Any, Any] = {}
        """Models that credit sources fit or load once per process, by a key of their choice."""

    @classmethod
    def open(
        cls,
        run: Run | Path | str,
        world: str | Environment | None = None,
        *,
        server: ServerConfig | None = None,
    ) -> "Experiment":
        """The experiment of a run folder.

        Args:
            run: a run or its folder.
            world: only needed if the run was trained in an `Environment` that was given as an object.
            server: as of `Experiment`.

        Raises:
            ValueError: the world cannot be found or is another one, or the preset cannot be read.
            StoreError: there is no run.
        """
        opened = run if isinstance(run, Run) else Run.open(run)
        config = opened.config
        name = config.get("env")
        if world is None:
            world = config.get("world", name)
        if not isinstance(world, str | Environment):
            raise ValueError(
                f"{opened.path}: the run's world {name!r} was given as an object; pass it again as `world`"
            )
        environment = make_environment(world)
        if environment.name != name:
            raise ValueError(f"{opened.path}: the run's world is {name!r}, got {environment.name!r}")
        return cls(opened, environment, world=world, server=server)

    def rng(self, stream: str) -> random.Random:
        """Random numbers of one stage; they depend on the run's seed and the name of the stream only."""
        return random.Random(f"{self.seed}/{stream}")

    # --- tasks ---

    def demonstrations(self, rng: random.Random) -> list[Demonstration]:
        """The expert episodes that the policy clones: recorded ones where the world has them.

        Raises:
            ValueError: the world has no demonstrations of training tasks.
        """
        return demonstrations(self.environment, self.preset, rng)

    @cached_property
    def explore_tasks(self) -> Sequence[Task]:
        """Training tasks to explore; generated once, since a task takes milliseconds."""
        return TaskLists(self.environment, self.preset).explored

    @property
    def training_tasks(self) -> Sequence[Task]:
        """Tasks of the training methods, those of an iteration in a row."""
        return TaskLists(self.environment, self.preset).trained

    @property
    def panels(self) -> dict[str, int]:
        """Evaluation panel -> number of tasks, the main one first; panels of 0 tasks are left out."""
        return TaskLists(self.environment, self.preset).panel_sizes

    @property
    def main_panel(self) -> str:
        """The panel on which policies are compared."""
        return self.environment.panels[0]

    # --- models ---

    @property
    def device(self) -> str:
        """The torch device of this run's models on this machine."""
        accelerator = None
        if self.preset.device == "auto":
            accelerator = torch.accelerator.current_accelerator(check_available=True)
        return str(accelerator or "cpu")

    def policy(self, name: str) -> Policy:
        """A policy of the run: "base", "cloned" or the name of a training method.

        Raises:
            StoreError: the run does not hold it yet.
            ValueError: its files are not complete.
        """
        if name == BASE:
            return load_policy(self._base_source, name=BASE, **self._load_kwargs())
        folder = self.run.model(name)
        policy = load_policy(folder, name=name, base=self._base_of(folder), **self._load_kwargs())
        return replace(policy, server=self.server)

    def player(self, name: str) -> Player:
        """Whoever plays as that policy: of a served one no weights are loaded; errors as in `policy`."""
        if self.server is None:
            return self.policy(name)
        base = self._base_source
        source = base if name == BASE else self.run.model(name)
        manual = first_message(self.environment, self.preset)
        return load_served_policy(
            source, name=name, server=self.server, base=base, manual=manual, prompt=self.preset.prompt
        )

    def codec(self, name: str) -> Codec:
        """The tokens of a policy, without its weights; errors as in `policy`."""
        base = self._base_source
        source = base if name == BASE else self.run.model(name)
        has_base = name == BASE or (Path(source) / ADAPTER_CONFIG).is_file()
        return load_codec(
            source, base=base if has_base else source,
            manual=first_message(self.environment, self.preset), prompt=self.preset.prompt,
        )  # fmt: skip

    def estimator(self) -> ProgressEstimator:
        """The progress estimator of the run; errors as in `policy`."""
        folder = self.run.model(ESTIMATOR)
        return load_estimator(
            folder, self.preset.estimator, base=self._base_of(folder), **self._load_kwargs()
        )

    @property
    def _base_source(self) -> str | Path:
        return base_folder(self.environment.base) if self.preset.base == EMBEDDED else self.preset.base

    def _base_of(self, folder: Path) -> Policy | None:
        """The base below adapters, of which one copy in memory serves all models of this process."""
        if not (folder / ADAPTER_CONFIG).is_file():
            return None
        if BASE not in self.models:
            self.models[BASE] = self.policy(BASE)
        base: Policy = self.models[BASE]
        return base

    def _load_kwargs(self) -> dict[str, Any]:
        return {
            "manual": first_message(self.environment, self.preset),
            "device": self.device,
            "dtype": self.preset.dtype,
            "checkpointing": self.preset.checkpointing,
            "prompt": self.preset.prompt,
        }

    # --- results ---

    @cached_property
    def explored(self) -> Split:
        """The cloned policy's explorations, split by task.

        Raises:
            StoreError: the run has none.
        """
        return explorations(self.run, self.preset.held_out_fraction)

    @property
    def evaluations(self) -> dict[str, dict[str, list[Trajectory]]]:
        """Panel -> policy -> trajectories in the panel's order; read at each access."""
        from spa_lab.pipeline.evaluations import evaluations

        return evaluations(self.run)

    def credits(self, source: str) -> dict[str, Credit]:
        """Trajectory id -> credit by this source.

        Raises:
            ValueError: the source gave no credit in this run.
        """
        by_source = self.run.credits()
        if source not in by_source:
            names = ", ".join(by_source) or "none"
            raise ValueError(f"{self.run.path}: no credit source {source!r}; there are: {names}")
        return by_source[source]

    @property
    def truth(self) -> dict[str, ValueTruth]:
        """Trajectory id -> measured values; empty if nothing was measured."""
        return self.run.truth()

    @property
    def second_truth(self) -> dict[str, ValueTruth]:
        """Trajectory id -> an independent repetition of the measurement."""
        return self.run.second_truth()


def check_can_be_served(preset: Preset, server: ServerConfig | None) -> None:
    """Raise ValueError if models of this preset cannot be handed to a server."""
    if server is not None and preset.lora_rank is None:
        raise ValueError(
            f"{server.url}: a server can be given adapters only, and preset {preset.name!r} trains all "
            "weights; set lora_rank, or play without a server"
        )


def first_message(environment: Environment, preset: Preset) -> str:
    """What a policy reads before the first observation: the world's manual, then examples of an expert.

    Raises:
        ValueError: the world has fewer expert episodes than examples are asked for.
    """
    parts = [environment.manual] if preset.use_manual and environment.manual else []
    n = preset.prompt.examples
    shown = (
        demonstrations(environment, replace(preset, demonstrations=n, mistake_rate=0.0), random.Random(0))
        if n
        else []
    )
    if len(shown) < n:
        raise ValueError(f"world {environment.name!r}: {n} examples asked for, it has {len(shown)}")
    for number, demonstration in enumerate(shown[:n], 1):
        trajectory = demonstration.trajectory
        lines = [trajectory.initial_observation]
        lines += [f"{step.text}\n{step.observation}" for step in trajectory.steps]
        parts.append(f"Example {number}:\n\n" + "\n".join(lines))
    return "\n\n".join(parts)


def demonstrations(environment: Environment, preset: Preset, rng: random.Random) -> list[Demonstration]:
    """The expert episodes of a preset: recorded ones where the world has them.

    Raises:
        ValueError: the world has no demonstrations of training tasks.
    """
    n = preset.demonstrations
    if not n:
        return []
    if environment.demonstrations is not None:
        recorded = list(environment.demonstrations("train", n))
        if not recorded:
            raise ValueError(f"world {environment.name!r}: no recorded demonstrations were found")
        return recorded
    tasks = environment.tasks("train", n)
    return [demonstrate(environment, task, mistakes=preset.mistake_rate, rng=rng) for task in tasks]


def explorations(run: Run, held_out: float) -> Split:
    """The explorations of a run, split by task.

    Raises:
        ValueError: there are none; or as `split_by_task`.
    """
    explored = [entry for entry in run.trajectory_sets() if entry.role == "explored"]
    if not explored:
        raise ValueError(
            f"{run.path}: the run has no explorations; they are played for methods that learn from them, "
            "such as spa"
        )
    return split_by_task([trajectory for entry in explored for trajectory in entry.load()], held_out)


def split_by_task(trajectories: Sequence[Trajectory], held_out: float) -> Split:
    """Trajectories whose tasks are fitted, and those whose tasks are held out.

    Args:
        trajectories: of at least two tasks.
        held_out: share of the tasks to hold out: the last ones in order of appearance, at least one, and at
            least one is left to fit.

    Raises:
        ValueError: there are fewer than two tasks.
    """
    tasks = list(dict.fromkeys(trajectory.task_id for trajectory in trajectories))
    if len(tasks) < 2:
        raise ValueError(f"needs trajectories of at least 2 tasks to hold some out, got {len(tasks)}")
    fitted = set(tasks[: n_fitted(len(tasks), held_out)])
    return Split(
        [trajectory for trajectory in trajectories if trajectory.task_id in fitted],
        [trajectory for trajectory in trajectories if trajectory.task_id not in fitted],
    )


def config_of(
    world: str | Environment, environment: Environment, methods: Sequence[str], preset: Preset
) -> dict[str, Any]:
    """The settings of an experiment that run.json stores.

    Args:
        world: as the user named it; None is stored for an `Environment` given as an object.
        environment: the world itself.
        methods: names of the training methods, or "package.module:attribute".
        preset: the scale.
    """
    return {
        "env": environment.name,
        "world": world if isinstance(world, str) else None,
        **environment.settings,
        "methods": list(methods),
        "preset": asdict(preset),
    }


def check_portable(what: str, value: object) -> None:
    """Check that worker processes can receive an object.

    Raises:
        ValueError: they cannot; says that `what` should be named as "package.module:attribute".
    """
    try:
        ForkingPickler.dumps(value)
    except Exception as error:
        raise ValueError(
            f"{what} cannot be sent to worker processes ({error}); define it in a module and name it as "
            "package.module:attribute"
        ) from error
