"""Positive controls: what each training method learns where the right answer is known.

    python -m spa_lab.pipeline.controls --out DIR      train what is missing, then tables and a picture of DIR
    python -m spa_lab.pipeline.controls FILE.csv.gz    tables of a finished comparison

On the probes of `envs.control_probes` the value of a policy is a finite sum, so that curves have no sampling
error, exact credit can be trained on, and the optimum is known: 1. One process; a killed call is continued.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from spa_lab.envs.control_probes import CONTROL_PROBES
from spa_lab.pipeline.control_arms import ARMS, PRESET, Arm, arms_of
from spa_lab.pipeline.control_start import ControlStart, start_facts
from spa_lab.pipeline.control_titles import ARM_TITLES
from spa_lab.pipeline.results import write_results
from spa_lab.store import Run, StoreError, writing
from spa_lab.store.csv_tables import read_table
from spa_lab.store.run_file import differences
from spa_lab.view.paper.controls import controls_figure
from spa_lab.view.tables.controls import COLUMNS, controls_table, predictions_table, render_controls

REPORTED = (0, 1, 2, 3, 4)
"""Seeds of reported results; settings were chosen on seeds from 100 on."""
EVERY = 2
"""Iterations between two evaluations."""


def controls(
    out: Path,
    *,
    probes: Sequence[str] | None = None,
    arms: Sequence[str] | None = None,
    seeds: Sequence[int] = REPORTED,
) -> pd.DataFrame:
    """Train what is missing, seed by seed; each seed has a run folder in `out`.

    Args:
        out: folder, new or of a call with the same settings.
        probes: names in `CONTROL_PROBES`; all if None.
        arms: names in `ARMS`; those of `arms_of` each probe if None.
        seeds: of the models, explorations and training.

    Returns:
        The curves of these probes, arms and seeds, with the columns `COLUMNS`.

    Raises:
        ValueError: a name is unknown, or the folder holds results of other settings.
        StoreError: the disk refused, or another process writes there.
    """
    for given, known, what in ((probes, CONTROL_PROBES, "control probe"), (arms, ARMS, "arm")):
        for name in given or ():
            if name not in known:
                raise ValueError(f"no {what} {name!r}; there are: {', '.join(known)}")
    rows: list[dict[str, object]] = []
    for seed in seeds:
        with writing(out / f"seed-{seed}"):
            run = Run.create(out / f"seed-{seed}", _config(), seed=seed)
            for probe in probes or CONTROL_PROBES:
                rows += _seed_and_probe(run, ControlStart(probe, seed), list(arms or arms_of(probe)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _config() -> dict[str, object]:
    facts = start_facts(CONTROL_PROBES) | {"evaluated_every": EVERY}
    return {"preset": asdict(PRESET), "controls": facts}


def _seed_and_probe(run: Run, start: ControlStart, arms: Sequence[str]) -> Iterator[dict[str, object]]:
    """The curves of some arms, trained now unless they are in the run."""
    for arm in arms:
        name = f"values-{start.probe}-{arm}"
        if name not in run.names("metrics"):
            training, values = train_arm(start, arm)
            run.save_metrics(f"{start.probe}-{arm}", training, stage=start.probe, method=arm)
            run.save_metrics(name, values, stage=start.probe, method=arm, settings=ARMS[arm].facts)
        yield from _rows(run, start.probe, arm)


def held(out: Path) -> pd.DataFrame:
    """The curves of all seeds in a folder of `controls`, of this call or earlier ones.

    Raises:
        ValueError: a seed or an arm has other settings than now.
        StoreError: the folder cannot be read.
    """
    rows: list[dict[str, object]] = []
    for run in runs_of(out, _config()):
        for probe in CONTROL_PROBES:
            for arm in dict.fromkeys([*arms_of(probe), *ARMS]):
                if f"values-{probe}-{arm}" in run.names("metrics"):
                    rows += _rows(run, probe, arm)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def runs_of(out: Path, config: Mapping[str, object]) -> list[Run]:
    """The runs of all seeds in a folder, by seed; raises ValueError where one has another config."""
    runs = [Run.open(folder) for folder in out.glob("seed-*") if (folder / "run.json").is_file()]
    for run in runs:
        if differ := differences(run.config, config):
            raise ValueError(f"{run.path}: started with other settings: {'; '.join(differ)}")
    return sorted(runs, key=lambda run: run.seed)


def _rows(run: Run, probe: str, arm: str) -> Iterator[dict[str, object]]:
    name = f"values-{probe}-{arm}"
    run.check_metrics(name, ARMS[arm].facts)
    for row in run.load_metrics(name):
        yield {"probe": probe, "arm": arm, "seed": run.seed, **row}


def train_arm(
    start: ControlStart, arm: str, *, every: int = EVERY, trained: Arm | None = None
) -> tuple[list[dict[str, float]], list[dict[str, object]]]:
    """Train one arm from the cloned policy.

    Args:
        start: probe and seed.
        arm: name in `ARMS`, or of `trained`.
        every: iterations between two evaluations.
        trained: method and settings; those of `ARMS` if None.

    Returns:
        The metrics of each iteration; and task, iteration and exact value before training and after every
        `every` iterations.
    """
    learner, n = start.learner(arm, trained), PRESET.ppo.iterations
    training: list[dict[str, float]] = []
    values: list[dict[str, object]] = []
    for iteration in range(n + 1):
        if iteration:
            training.append(learner.iterate(start.tasks))
        if iteration % every == 0 or iteration == n:
            values += [
                {"task": task_id, "iteration": iteration, "value": value}
                for task_id, value in start.values(learner.policy).items()
            ]
    return training, values


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see the module."""
    parser = argparse.ArgumentParser(description="Positive controls of all training methods.")
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="curves of a finished comparison")
    parser.add_argument("--out", type=Path, metavar="DIR", help="train what is missing there")
    parser.add_argument("--probe", nargs="+", metavar="NAME", help=", ".join(CONTROL_PROBES))
    parser.add_argument("--arm", nargs="+", metavar="NAME", help=", ".join(ARMS))
    parser.add_argument("--seed", nargs="+", type=int, default=REPORTED, metavar="N", help="(0 1 2 3 4)")
    options = parser.parse_args(argv)
    try:
        if (options.out is None) == (options.file is None):
            raise ValueError("controls: name a folder with --out, or a file of curves")
        if options.file:
            curves = read_table(options.file, COLUMNS)
        else:
            controls(options.out, probes=options.probe, arms=options.arm, seeds=options.seed)
            curves = held(options.out)
            write_results(curves, options.out / "curves.csv.gz")
            controls_figure(controls_table(curves), titles=ARM_TITLES).save(options.out / "figures")
        told = render_controls(controls_table(curves), predictions_table(curves))
    except (ValueError, StoreError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    print(told)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
