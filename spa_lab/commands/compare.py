"""The command `spa-lab compare`: a grid of arms, worlds and seeds."""

import argparse
from pathlib import Path

from spa_lab.commands import CHECK_FAILED
from spa_lab.commands.options import add_server_options, count, refuse_together, server_of

SUMMARY = "run a grid of arms, worlds and seeds, and compare the arms"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("spec", type=Path, metavar="SPEC", help="TOML or YAML file; examples: data/specs/")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the grid (runs/ and SPEC's name)")
    # without defaults, so that `run` knows whether they were given
    parser.add_argument("--jobs", type=count, metavar="N", help="cells side by side; same results (2)")
    parser.add_argument("--backend", metavar="NAME", help="loky, ray or dask (loky)")
    parser.add_argument("--retry", action="store_true", help="try cells that failed again")
    parser.add_argument("--report", action="store_true", help="run nothing; report what is done")
    parser.add_argument(
        "--join", type=Path, nargs="+", default=[], metavar="REPORT",
        help="report folders from other machines; their arms and seeds are added to this report",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="list the cells, what is done, the time left")
    add_server_options(parser)


def run(options: argparse.Namespace) -> int:
    """Run what is missing and report; 1 if a cell failed or is missing.

    Raises:
        ValueError: an option has no effect beside another one, besides what `run_compare` raises.
    """
    refuse_together(options, "dry_run", "join", "report")
    refuse_together(options, "report", "retry", "jobs", "backend", "server")
    options.jobs, options.backend = options.jobs or 2, options.backend or "loky"

    from spa_lab.pipeline.grid.command import run_compare

    text, complete = run_compare(options, server_of(options))
    print(text)
    return 0 if complete else CHECK_FAILED
