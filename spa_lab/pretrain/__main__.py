"""Command line: `python -m spa_lab.pretrain --env webshop`."""

import argparse
from pathlib import Path

from spa_lab.paths import base_folder
from spa_lab.pretrain.train import RECIPES, pretrain


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(
        prog="python -m spa_lab.pretrain", description="Pretrain the base model of a world from scratch."
    )
    parser.add_argument(
        "--env", choices=tuple(RECIPES), default="household", help="the world (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="output folder (default: in data/)")
    parser.add_argument(
        "--episodes", type=int, metavar="N", help="size of the corpus (default: that of the shipped model)"
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: %(default)s)")
    options = parser.parse_args()
    out = options.out or base_folder(options.env)
    n_episodes = options.episodes or RECIPES[options.env].episodes
    pretrain(out, options.env, n_episodes=n_episodes, seed=options.seed)


if __name__ == "__main__":
    main()
