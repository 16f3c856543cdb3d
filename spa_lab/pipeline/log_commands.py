"""Options of the commands about logs, for the command line; what they do is imported when they run."""

import argparse
from collections.abc import Callable
from pathlib import Path

Add = Callable[..., argparse.ArgumentParser]
"""`cli._add`, bound to the parser's commands: name, function of the options, summary."""


def add_log_commands(add: Add) -> None:
    """Add the commands `import`."""
    _add_import(add)


def _add_import(add: Add) -> None:
    imported = add("import", _import, "read logs of other agents into a run folder")
    imported.add_argument("files", nargs="+", metavar="FILE", help="files, folders or - (standard input)")
    imported.add_argument("--out", type=Path, required=True, metavar="DIR")
    imported.add_argument(
        "--format", metavar="NAME", help="(default: found from the content) or package.module:attribute"
    )
    imported.add_argument("--strict", action="store_true", help="losses and assumptions are errors")
    imported.add_argument(
        "--map", action="append", default=[], metavar="FIELD=PATH",
        help="a field of a row or, after step., of a step is at this dotted path of the log; repeatable",
    )  # fmt: skip
    imported.add_argument("--action", metavar="REGEX", help="the action in a step's text, its first group")
    imported.add_argument("--outcome", metavar="FIELD", help="of the log, dotted: the outcome")
    imported.add_argument("--scale", type=float, nargs=2, metavar=("LOW", "HIGH"), help="range of outcomes")


def _import(options: argparse.Namespace) -> str:
    from spa_lab.importers.command import run_import

    return run_import(options)
