"""Command line: `python -m spa_lab.pretrain --env webshop`."""

import argparse
from pathlib import Path

from spa_lab.paths import base_folder
from spa_lab.pretrain.train import RECIPES, pretrain


def main() -> None:
    """Reads the command line and trains."""
    parser = argparse.ArgumentParser(prog="python -m spa_lab.pretrain", description="Pretrain a base model.")
    parser.add_argument("--env", choices=tuple(RECIPES), default="household", help="world (%(default)s)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the place of the shipped one by default")
    parser.add_argument(
        "--episodes", type=int, metavar="N", help="as many as the shipped one has read by default"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    out = options.out or base_folder(options.env)
    n_episodes = options.episodes or RECIPES[options.env].episodes
    pretrain(out, options.env, n_episodes=n_episodes, seed=options.seed)


if __name__ == "__main__":
    main()
