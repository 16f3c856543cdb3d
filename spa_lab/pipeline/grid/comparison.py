"""`spa_lab.compare`: runs a grid and returns the comparison of its arms."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from spa_lab.configs.server import ServerConfig
from spa_lab.pipeline.comparison import Comparison
from spa_lab.pipeline.experiment import check_can_be_served
from spa_lab.pipeline.grid.cells import arm_cells, check_reads, grid_cells
from spa_lab.pipeline.grid.execute import LEDGER, run_cells
from spa_lab.pipeline.grid.ledger import Ledger
from spa_lab.pipeline.grid.outcomes import grid_commits, grid_outcomes
from spa_lab.pipeline.grid.spec import GridSpec, parse_spec, read_spec
from spa_lab.pipeline.grid.work import do_cell, has_run
from spa_lab.store import Run


def compare(
    spec: Path | str | Mapping[str, Any] | GridSpec,
    out: Path | str,
    *,
    jobs: int = 1,
    backend: str = "loky",
    retry: bool = False,
    run: bool = True,
    watch: bool = True,
    server: ServerConfig | None = None,
) -> "Comparison":
    """Run a grid of arms, worlds and seeds as far as it is not done, and compare the arms.

    Killed at any moment, the next call continues. A cell that fails does not stop the others; `cells` of the
    result names its error. Arms that are added to the spec later reuse the shared stages.

    Args:
        spec: a TOML or YAML file, the same as a mapping, or a `GridSpec`; see `pipeline.grid.spec`.
        out: folder of the grid; holds a run folder for each arm, world and seed.
        jobs: cells side by side.
        backend: "loky" (processes of this machine), "ray" or "dask"; their workers need the same file system.
        retry: try failed cells again.
        run: False runs nothing and compares what is done.
        watch: show progress on stderr.
        server: plays the episodes of all cells, with the adapters of each policy; no setting of a cell.

    Raises:
        ValueError: the spec is wrong, or something in it cannot be done or not be played by the server;
            nothing has been written then. Or an unknown backend.
        StoreError: another process runs this grid, or the disk refused.
        ChildProcessError: a worker of the backend was killed.
    """
    grid = as_spec(spec)
    cells = grid_cells(grid)
    if run:
        check_reads(grid)
        for cell in cells:
            check_can_be_served(cell.preset, server)
        do = partial(do_cell, server=server)
        run_cells(
            Path(out), cells, do, jobs=jobs, backend=backend, retry=retry, watch=watch, there=has_run
        )  # fmt: skip
    facts = {
        "worlds": list(grid.worlds), "seeds": list(grid.seeds), "reference": grid.reference,
        "policies": [arm.name for arm in grid.arms], "git_commit": grid_commits(Path(out), grid),
    }  # fmt: skip
    return Comparison(facts, grid_outcomes(Path(out), grid))


def as_spec(spec: Path | str | Mapping[str, Any] | GridSpec) -> GridSpec:
    """The spec that a file, a mapping or a spec stands for; errors as `read_spec`."""
    if isinstance(spec, GridSpec):
        return spec
    return parse_spec(spec) if isinstance(spec, Mapping) else read_spec(Path(spec))


def arm_runs(spec: Path | str | Mapping[str, Any] | GridSpec, out: Path | str, arm: str) -> list[Run]:
    """The finished runs of an arm, to inspect or draw like any other run.

    Args:
        spec: as in `compare`.
        out: folder of the grid.
        arm: its name.

    Raises:
        ValueError: there is no such arm.
    """
    grid, ledger = as_spec(spec), Ledger(Path(out) / LEDGER)
    found = [candidate for candidate in grid.arms if candidate.name == arm]
    if not found:
        raise ValueError(f"no arm {arm!r}; there are: {', '.join(arm.name for arm in grid.arms)}")
    cells = [arm_cells(grid, found[0], world, seed)[-1] for world in found[0].worlds for seed in grid.seeds]
    return [Run.open(Path(out) / cell.id) for cell in cells if ledger.read(cell.id).state == "done"]
