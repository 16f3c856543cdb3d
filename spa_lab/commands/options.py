"""What options of several commands share; importing this module needs nothing else of the package."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spa_lab.configs.server import ServerConfig

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


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a server which plays."""
    parser.add_argument("--server", metavar="URL", help="vLLM that plays instead of models in this process")
    parser.add_argument(
        "--server-folder", type=Path, metavar="DIR", help="where it finds adapters, if on another machine"
    )
    parser.add_argument("--server-timeout", type=float, metavar="S", help="seconds for a step (600)")


def server_of(options: argparse.Namespace) -> "ServerConfig | None":
    """The server that the options name, if any.

    Raises:
        ValueError: an option is wrong, or says how to use a server that none names.
    """
    from spa_lab.configs.server import ServerConfig

    given = {"folder": options.server_folder, "timeout": options.server_timeout}
    given = {name: value for name, value in given.items() if value is not None}
    if options.server is not None:
        return ServerConfig(options.server, **given)
    for name in given:
        raise ValueError(f"--server-{name} has no effect without --server")
    return None


def refuse_together(options: argparse.Namespace, option: str, *others: str) -> None:
    """Raise ValueError if an option is given together with one of those that have no effect beside it."""
    for other in others if getattr(options, option) else ():
        if getattr(options, other):
            shown = (f"--{name.replace('_', '-')}" for name in (other, option))
            raise ValueError(" has no effect with ".join(shown))
