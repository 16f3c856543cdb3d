"""What options of several commands share; importing this module needs nothing else of the package."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spa_lab.configs.server import ServerConfig

OBJECT = "or package.module:attribute"


def count(text: str, least: int = 1) -> int:
    """A whole number >= `least`, for argparse."""
    number = int(text)
    if number < least:
        raise argparse.ArgumentTypeError(f"must be at least {least}, got {number}")
    return number


def count_or_none(text: str) -> int:
    """A whole number >= 0, for argparse."""
    return count(text, 0)


def add_counts(parser: argparse.ArgumentParser, *, or_none: str = "", **counts: tuple[int, str]) -> None:
    """Add options with whole numbers: name -> default and meaning; that of `or_none` may be 0."""
    for name, (default, meaning) in counts.items():
        help, kind = f"{meaning} (%(default)s)", count_or_none if name == or_none else count
        parser.add_argument(f"--{name}", type=kind, default=default, metavar="N", help=help)


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
