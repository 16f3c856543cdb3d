"""Does one cell: takes over what its parent left, then the stages that are missing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spa_lab.configs.presets import Preset, preset_from_dict
from spa_lab.configs.server import ServerConfig
from spa_lab.configs.settings import flat
from spa_lab.envs.worlds import make_environment
from spa_lab.learn.method import method_facts
from spa_lab.pipeline.experiment import config_of
from spa_lab.pipeline.grid.cells import IRRELEVANT, Cell, SharedStage
from spa_lab.pipeline.parallel import WorkerPool
from spa_lab.pipeline.train import Stage, prepare, train, trained_methods
from spa_lab.pipeline.usage import Meter, Usage
from spa_lab.store import Run, writing
from spa_lab.store.run_file import differences
from spa_lab.store.sharing import share

_STAGES: dict[SharedStage, tuple[Stage, ...]] = {
    "clone": ("clone", "evaluate"),
    "explore": ("clone", "explore"),
    "estimate": ("clone", "explore", "estimate", "evaluate"),
}
"""Shared stage -> stages of its run; those of its parent are taken over. "evaluate" evaluates the clone, and
with an estimator credits its episodes."""


def do_cell(out: Path, cell: Cell, *, server: ServerConfig | None = None) -> Usage:
    """Do a cell in the grid's folder `out`, in one worker process; what is done already is not repeated.

    Args:
        out: the grid's folder.
        cell: what to do.
        server: plays its episodes; None: its worker process does.

    Returns:
        CPU time and memory of this process and its worker.
    """
    meter, folder = Meter(), out / cell.id
    if cell.parent is not None:
        _take_over(out / cell.parent, folder, cell)
    with WorkerPool(1, bars=False) as pool:
        common: dict[str, Any] = {"seed": cell.seed, "workers": pool, "server": server}
        if cell.stage is not None:
            prepare(folder, cell.world, cell.preset, _STAGES[cell.stage], **common)
        else:
            train(folder, cell.world, [str(cell.method)], cell.preset, quiet=True, **common)
        return pool.used + meter.read()


def has_run(out: Path, cell: Cell) -> bool:
    """Whether the run folder of a cell is there; it may have been removed to save space."""
    return (out / cell.id / "run.json").is_file()


def _take_over(parent: Path, folder: Path, cell: Cell) -> None:
    methods = [] if cell.method is None else [cell.method]
    config = config_of(cell.world, make_environment(cell.world), methods, cell.preset)
    config |= method_facts(trained_methods(methods))
    with writing(folder):
        source = Run.open(parent)
        _check_parent(source, config, cell)
        run = Run.create(folder, config, seed=cell.seed)
        share(source, run)
        run.note(device=source.provenance["device"])


def _check_parent(source: Run, config: Mapping[str, Any], cell: Cell) -> None:
    """Check that the parent was made with the settings that the cell asks of it.

    Its folder is named by what differs from the defaults, and an earlier version may have had others.

    Raises:
        ValueError: it was not (names each key and both values).
    """
    assert cell.parent_stage is not None, f"{cell.id} has no parent"
    theirs, irrelevant = source.config, IRRELEVANT[cell.parent_stage]

    def relevant(preset: Preset) -> dict[str, Any]:
        return {key: value for key, value in flat(preset).items() if key.partition(".")[0] not in irrelevant}

    # the methods of an arm are none of its parent's settings
    named = {key: theirs[key] for key in config.keys() & theirs.keys() - {"methods", "preset"}}
    stored = named | {"seed": source.seed} | relevant(preset_from_dict(theirs["preset"]))
    asked = {key: config[key] for key in named} | {"seed": cell.seed} | relevant(cell.preset)
    if differ := differences(stored, asked):
        raise ValueError(f"{source.path}: made with other settings: {'; '.join(differ)}")
