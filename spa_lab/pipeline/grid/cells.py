"""The pieces of work of a grid: shared stages, then arms, each with a run folder.

    clone ── explore ── estimate ── arms that need the estimator
      │         └── arms that need explorations
      └── arms that need neither

A cell is known by its folder, whose name holds a digest of everything that its result depends on but the
seed. So arms whose settings of the shared stages agree have the same parent, and an arm that is added to a
finished grid finds its parents done.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from spa_lab.configs.presets import Preset, changed_settings
from spa_lab.configs.settings import flat
from spa_lab.envs.worlds import make_environment
from spa_lab.learn.method import TrainingMethod, method_facts
from spa_lab.learn.methods import find_method
from spa_lab.learn.settings_read import unread
from spa_lab.pipeline.grid.spec import Arm, GridSpec
from spa_lab.pipeline.train import SFT, check_can_be_done

SharedStage = Literal["clone", "explore", "estimate"]
_ONLY_TRAINING = ("progress", "hindsight", "reward", "ppo")
_FROM_ESTIMATOR = ("estimator", "held_out_fraction", *_ONLY_TRAINING)
IRRELEVANT: dict[SharedStage, tuple[str, ...]] = {
    "clone": ("explore_tasks", "explore_on", "rollouts_per_task", "explore_rollout", *_FROM_ESTIMATOR),
    "explore": _FROM_ESTIMATOR,
    "estimate": _ONLY_TRAINING,
}
"""Shared stage -> fields of a preset on which its results, and those of the stages before, do not depend. A
field that is not listed keeps arms apart that differ in it."""


@dataclass(frozen=True)
class Cell:
    """One run of a grid."""

    id: str
    """Its run folder within the grid's, with "/"."""
    world: str
    seed: int
    preset: Preset
    stage: SharedStage | None
    """A shared stage; None for an arm."""
    method: str | None
    """Of an arm."""
    arm: str | None
    """Name of the arm, for people."""
    parent: str | None
    """Id of the cell whose results it takes over."""

    @property
    def kind(self) -> str:
        """What it does: a shared stage, or the method of an arm."""
        return self.stage or str(self.method)

    @property
    def parent_stage(self) -> SharedStage | None:
        """The shared stage that it takes over; None without a parent."""
        before = _stages_before(str(self.method)) if self.stage is None else _before(self.stage)
        return before[-1] if before else None

    @property
    def setting(self) -> str:
        """Its id without the seed: cells that differ in nothing else."""
        return self.id.rpartition("-seed-")[0]

    @property
    def title(self) -> str:
        """For a line of text."""
        return f"{self.stage or self.arm}, {self.world}, seed {self.seed}"


def grid_cells(spec: GridSpec) -> list[Cell]:
    """All cells, each after its parent: shared stages in the order of the stages, then arms by seed.

    Raises:
        ValueError: something cannot be done in a world; names it.
    """
    shared: dict[str, Cell] = {}
    arms: list[Cell] = []
    for seed in spec.seeds:
        for world in spec.worlds:
            for arm in spec.arms:
                if world in arm.worlds:
                    *parents, cell = arm_cells(spec, arm, world, seed)
                    shared |= {parent.id: parent for parent in parents}
                    arms.append(cell)
    _check(arms)
    order = list(IRRELEVANT)
    return [*sorted(shared.values(), key=lambda cell: order.index(cell.stage or "estimate")), *arms]


def arm_cells(spec: GridSpec, arm: Arm, world: str, seed: int) -> list[Cell]:
    """The shared stages that an arm needs, in order, and the arm itself as the last."""
    preset = spec.preset_of(arm, world)
    cells: list[Cell] = []
    for stage in _stages_before(arm.method):
        defaults = Preset(preset.name)
        irrelevant = {name: getattr(defaults, name) for name in IRRELEVANT[stage]}
        parent = cells[-1].id if cells else None
        cells.append(_cell(world, seed, replace(preset, **irrelevant), stage, None, parent))
    return [*cells, _cell(world, seed, preset, None, arm, cells[-1].id)]


def _stages_before(method: str) -> tuple[SharedStage, ...]:
    needs = frozenset() if method == SFT else find_method(method).needs
    if "estimator" in needs:
        return ("clone", "explore", "estimate")
    return ("clone", "explore") if "explored" in needs else ("clone",)


def _before(stage: SharedStage) -> tuple[SharedStage, ...]:
    order = tuple(IRRELEVANT)
    return order[: order.index(stage)]


def _cell(
    world: str, seed: int, preset: Preset, stage: SharedStage | None, arm: Arm | None, parent: str | None
) -> Cell:
    environment = make_environment(world)
    method, name = (arm.method, arm.name) if arm else (None, None)
    place = f"shared/{environment.name}/{stage}" if stage else f"runs/{environment.name}/{_name(method)}"
    digest = _digest(world, environment.settings, method, preset)
    return Cell(f"{place}-{digest}-seed-{seed}", world, seed, preset, stage, method, name, parent)


def _name(method: str | None) -> str:
    return SFT if method in (None, SFT) else find_method(str(method)).name


def _digest(world: str, settings: Mapping[str, Any], method: str | None, preset: Preset) -> str:
    """Of what differs from the defaults, so that a setting that is added later changes no digest."""
    defaults = flat(Preset(preset.name))
    changed = {key: value for key, value in flat(preset).items() if value != defaults[key]}
    facts = method_facts([] if method in (None, SFT) else [find_method(str(method))])
    parts = [world, settings, method, changed, *([facts] if facts else [])]
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _check(arms: Iterable[Cell]) -> None:
    """Raises ValueError for what would fail in a worker process, before anything is written."""
    checked = set()
    for cell in arms:
        if cell.setting not in checked:
            checked.add(cell.setting)
            methods: list[TrainingMethod] = []
            if cell.method not in (None, SFT):
                methods = [find_method(str(cell.method))]
            check_can_be_done(make_environment(cell.world), cell.world, cell.preset, methods)


def check_reads(spec: GridSpec) -> None:
    """Check that no setting is without effect: two arms would be the same under different names.

    An arm's own settings must be read by its method, those of all arms by the method of one of them. Asked
    where a grid is run: one that is done can still be reported.

    Raises:
        ValueError: names the arm and the setting.
    """
    methods = {arm.method: [] if arm.method == SFT else [find_method(arm.method)] for arm in spec.arms}
    shared: dict[str, Any] = {}
    for world in spec.worlds:
        environment = make_environment(world)
        for arm in (arm for arm in spec.arms if world in arm.worlds):
            changed = changed_settings(spec.preset_of(arm, world), environment.name, environment.base)
            shared |= {key: value for key, value in changed.items() if key in spec.settings}
            own = [key for key in changed if key in arm.settings]
            for key in unread(own, methods[arm.method]):
                raise ValueError(
                    f"arm {arm.name!r}: {key}: {changed[key]} has no effect, "
                    f"method {arm.method!r} does not read it"
                )
    for key in unread(shared, [method for found in methods.values() for method in found]):
        raise ValueError(f"settings: {key}: {shared[key]} has no effect, none of the arms' methods reads it")
