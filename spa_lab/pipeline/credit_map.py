"""When does step-wise credit help? Trained on walks whose values are exact.

    python -m spa_lab.pipeline.credit_map --out DIR      train what is missing, then table and page of DIR
    python -m spa_lab.pipeline.credit_map FILE.csv.gz    the table of a finished map

Three things vary: the length of an episode, the number of episodes a method may learn from, and how fast a
reward fades on its way back. The released code of SPA-RL (arXiv:2505.20732) discounts by gamma = 0.99 and
lambda = 0.95 per token, so that a step of n tokens fades it by (0.99 * 0.95)^n: `TOKENS` are such n. Credit
as published, as the progress model gives it, and exact, are compared with the terminal reward. One process;
a killed call is continued.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from spa_lab.envs.control_probes import WALKS
from spa_lab.pipeline.control_arms import EXACT, PRESET, Arm
from spa_lab.pipeline.control_start import ControlStart, start_facts
from spa_lab.pipeline.controls import REPORTED, runs_of, train_arm
from spa_lab.pipeline.results import write_results
from spa_lab.store import Run, StoreError, writing
from spa_lab.store.csv_tables import read_table
from spa_lab.store.files import write_text
from spa_lab.view.charts.credit_map import credit_map_chart
from spa_lab.view.tables.credit_map import COLUMNS, credit_map_table, render_credit_map

GAMMA, LAMBDA = 0.99, 0.95
"""Per token, of the released code."""
TOKENS = (1, 5, 10, 25)
"""n, tokens in a step."""
EPISODES = (16, 64)
"""Episodes in an iteration."""
METHODS = MappingProxyType(
    {"terminal": "terminal", "published": "spa", "progress": "spa_progress", "hindsight": "spa_hindsight"}
)
"""Arm -> training method. Contributions as published are paid with the error of their sum on the last step,
and clipped to what explorations showed: the reward of the presets, without grounding."""

_NAME = re.compile(r"\w+-\d+-steps-(\d+)-episodes-(\d+)-tokens")
"""Episodes and tokens in `MapCell.name`."""


@dataclass(frozen=True)
class MapCell:
    """One arm of the map under one setting."""

    arm: str
    """Of `METHODS`, or `EXACT`."""
    length: int
    """Steps of an episode, a key of `WALKS`."""
    episodes: int
    """In an iteration."""
    tokens: int
    """In a step; exact credit does not depend on it: 0."""

    @property
    def name(self) -> str:
        """Unique within a seed."""
        return f"{self.arm}-{self.length}-steps-{self.episodes}-episodes-{self.tokens}-tokens"

    @property
    def trained(self) -> Arm:
        """Method and settings."""
        settings = {"ppo.episodes": self.episodes}
        if self.arm == EXACT:
            return Arm(EXACT, settings)
        gamma, lam = GAMMA**self.tokens, LAMBDA**self.tokens
        traces = dict.fromkeys(("ppo.lam", "progress.lam", "hindsight.lam"), lam)
        return Arm(METHODS[self.arm], {**settings, "ppo.gamma": gamma, **traces})


def map_cells(
    lengths: Sequence[int] = tuple(WALKS),
    episodes: Sequence[int] = EPISODES,
    tokens: Sequence[int] = TOKENS,
) -> list[MapCell]:
    """All arms under all settings, cheap ones first."""
    cells = []
    for n, length in product(sorted(episodes), lengths):
        cells.append(MapCell(EXACT, length, n, 0))
        cells += [MapCell(arm, length, n, k) for arm, k in product(METHODS, tokens)]
    return cells


def credit_map(
    out: Path, *, cells: Sequence[MapCell] | None = None, seeds: Sequence[int] = REPORTED
) -> pd.DataFrame:
    """Train what is missing, cell by cell and seed by seed; each seed has a run folder in `out`.

    Args:
        out: folder, new or of a call with the same settings.
        cells: those of `map_cells` if None.
        seeds: of the models, explorations and training.

    Returns:
        The curves, with the columns `COLUMNS`.

    Raises:
        ValueError: a walk of that length does not exist, or the folder holds results of other settings.
        StoreError: the disk refused, or another process writes there.
    """
    cells = map_cells() if cells is None else cells
    for cell in cells:
        if cell.length not in WALKS:
            raise ValueError(f"no walk of {cell.length} steps; there are: {', '.join(map(str, WALKS))}")
    rows: list[dict[str, object]] = []
    for seed in seeds:
        with writing(out / f"seed-{seed}"):
            run = Run.create(out / f"seed-{seed}", _config(), seed=seed)
            starts = {length: ControlStart(probe.name, seed) for length, probe in WALKS.items()}
            for cell in cells:
                rows += _curve(run, starts[cell.length], cell)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _config() -> dict[str, object]:
    return {"preset": asdict(PRESET), "credit_map": start_facts(probe.name for probe in WALKS.values())}


def _curve(run: Run, start: ControlStart, cell: MapCell) -> Iterator[dict[str, object]]:
    """Exact values before and after training, trained now unless they are in the run."""
    if cell.name not in run.names("metrics"):
        _, values = train_arm(start, cell.arm, every=2, trained=cell.trained)
        run.save_metrics(cell.name, values, stage=start.probe, method=cell.arm, settings=cell.trained.facts)
    yield from _rows(run, cell)


def held(out: Path) -> pd.DataFrame:
    """The curves of all seeds in a folder of `credit_map`, of this call or earlier ones.

    Raises:
        ValueError: a seed or a cell has other settings than now.
        StoreError: the folder cannot be read.
    """
    rows: list[dict[str, object]] = []
    for run in runs_of(out, _config()):
        names = set(run.names("metrics"))
        found = [_NAME.fullmatch(name) for name in names]
        episodes, tokens = ({int(match[i]) for match in found if match} for i in (1, 2))
        for cell in map_cells(episodes=sorted(episodes), tokens=sorted(tokens - {0})):
            if cell.name in names:
                rows += _rows(run, cell)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(run: Run, cell: MapCell) -> Iterator[dict[str, object]]:
    run.check_metrics(cell.name, cell.trained.facts)
    setting = {**asdict(cell), "gamma_lambda": (GAMMA * LAMBDA) ** cell.tokens}
    for row in run.load_metrics(cell.name):
        yield {**setting, "seed": run.seed, **row}


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see the module."""
    parser = argparse.ArgumentParser(description="When does step-wise credit help?")
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="curves of a finished map")
    parser.add_argument("--out", type=Path, metavar="DIR", help="train what is missing there")
    parser.add_argument("--episodes", nargs="+", type=int, default=EPISODES, metavar="N", help="(16 64)")
    parser.add_argument("--seed", nargs="+", type=int, default=REPORTED, metavar="N", help="(0 1 2 3 4)")
    options = parser.parse_args(argv)
    try:
        if (options.out is None) == (options.file is None):
            raise ValueError("credit_map: name a folder with --out, or a file of curves")
        if options.file:
            curves = read_table(options.file, COLUMNS)
        else:
            cells = map_cells(episodes=options.episodes)
            credit_map(options.out, cells=cells, seeds=options.seed)
            curves = held(options.out)
            write_results(curves, options.out / "map.csv.gz")
            page = credit_map_chart(credit_map_table(curves)).to_figure().to_html(include_plotlyjs=True)
            write_text(options.out / "map.html", page)
    except (ValueError, StoreError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    print(render_credit_map(credit_map_table(curves)))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
