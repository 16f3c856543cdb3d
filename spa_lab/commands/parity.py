"""The command `spa-lab parity`: our world against recordings of the original engine."""

import argparse
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from spa_lab.commands import CHECK_FAILED
from spa_lab.envs.worlds import WORLDS

if TYPE_CHECKING:
    from spa_lab.envs.parity import ParityReport

SUMMARY = "replay recorded episodes of the original engine in our world"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    replayable = ", ".join(name for name, entry in WORLDS.items() if entry.parity)
    parser.add_argument("env", metavar="WORLD", help=replayable)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder of *.jsonl.gz recordings")


def run(options: argparse.Namespace) -> int:
    """Replay the recordings and print every difference; 1 if there is one, or nothing was replayed."""
    replayable = {name: entry for name, entry in WORLDS.items() if entry.parity}
    if options.env not in replayable:
        there = ", ".join(f"{name} (recordings of {entry.benchmark})" for name, entry in replayable.items())
        raise ValueError(f"parity: no world {options.env!r}; there are: {there}")
    if not options.folder.is_dir():
        raise NotADirectoryError(f"parity: {options.folder} is not a folder")
    report: ParityReport = import_module(replayable[options.env].parity).replay_folder(options.folder)
    print(report.render())
    return CHECK_FAILED if report.mismatches or not report.episodes else 0
