"""Options of the commands that take no settings; importing this module needs nothing else of the package."""

import argparse
from pathlib import Path

OBJECT = "or package.module:attribute"


def count(text: str) -> int:
    """A whole number >= 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def add_counts(parser: argparse.ArgumentParser, **counts: tuple[int, str]) -> None:
    """Add options with whole numbers: name -> default and meaning."""
    for name, (default, meaning) in counts.items():
        help = f"{meaning} (%(default)s)"
        parser.add_argument(f"--{name}", type=count, default=default, metavar="N", help=help)


def add_figures_options(parser: argparse.ArgumentParser) -> None:
    """Options of `spa-lab figures`."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folder of a finished run")
    parser.add_argument("--out", type=Path, default="runs/figures", metavar="DIR", help="(%(default)s)")
    parser.add_argument("--columns", type=int, choices=(1, 2), default=2, help="width (%(default)s)")
    parser.add_argument("--trajectory", metavar="ID", help="(default: a success and a failure)")
    parser.add_argument(
        "--sources", nargs="+", default=(), metavar="NAME", help="credit sources (default: as many as fit)"
    )
    parser.add_argument("--caption", action="store_true", help="put n, seeds and commit into the captions")


def add_compare_options(parser: argparse.ArgumentParser) -> None:
    """Options of `spa-lab compare`."""
    parser.add_argument("spec", type=Path, metavar="SPEC", help="TOML or YAML file; examples: data/specs/")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the grid (runs/ and SPEC's name)")
    add_counts(parser, jobs=(2, "cells side by side; same results"))
    parser.add_argument("--backend", default="loky", metavar="NAME", help="loky, ray or dask (%(default)s)")
    parser.add_argument("--retry", action="store_true", help="try cells that failed again")
    parser.add_argument("--report", action="store_true", help="run nothing; report what is done")
    parser.add_argument("--dry-run", action="store_true", help="list the cells, what is done, the time left")
