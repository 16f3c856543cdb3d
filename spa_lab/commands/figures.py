"""The command `spa-lab figures`: figures and tables of finished runs."""

import argparse
from pathlib import Path

SUMMARY = "figures and tables for a paper; runs that differ in seed are pooled"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folder of a finished run")
    parser.add_argument("--out", type=Path, default="runs/figures", metavar="DIR", help="(%(default)s)")
    parser.add_argument("--columns", type=int, choices=(1, 2), default=2, help="width (%(default)s)")
    parser.add_argument("--trajectory", metavar="ID", help="(default: a success and a failure)")
    parser.add_argument(
        "--sources", nargs="+", default=(), metavar="NAME", help="credit sources (default: as many as fit)"
    )
    parser.add_argument("--caption", action="store_true", help="put n, seeds and commit into the captions")


def run(options: argparse.Namespace) -> int:
    """Draw what the runs allow, and say what it is."""
    from spa_lab.pipeline.figures import Asked, figures

    asked = Asked(options.columns, options.trajectory, tuple(options.sources))
    print(figures(runs=options.runs, out=options.out, asked=asked, in_caption=options.caption))
    return 0
