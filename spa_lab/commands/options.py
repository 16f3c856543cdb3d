"""What options of several commands share; importing this module needs nothing else of the package."""

import argparse

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
