"""Make the README's picture of credit: `python docs/credit_picture.py [FILE ...]`.

Draws an episode of a run; the ending of every file says in which format: .svg, .pdf, .png or .tex.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from spa_lab import Run, credit_picture
from spa_lab.paths import tour_folder
from spa_lab.view.provenance import provenance_of

PICTURE = Path(__file__).resolve().parents[1] / "data/pictures/credit.svg"
EPISODE = "careless/household-unseen-small-00003/3"
SOURCE = "SPA, linear"


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="*", default=[PICTURE], metavar="FILE")
    parser.add_argument(
        "--run", type=Path, default=tour_folder("household"), help="a run with a measured truth"
    )
    parser.add_argument("--trajectory", default=EPISODE, help="id of the episode")
    parser.add_argument("--source", default=SOURCE, help="source of credit in the run")
    parser.add_argument("--width", type=float, default=8.0, help="inches")
    asked = parser.parse_args(argv)
    run = Run.open(asked.run)
    held = {each.id: each for saved in run.trajectory_sets() for each in saved.load()}
    credits = run.credits().get(asked.source, {})
    if asked.trajectory not in held:
        parser.error(f"{run.path}: no trajectory {asked.trajectory!r} among {len(held)}")
    if asked.trajectory not in credits:
        parser.error(f"{run.path}: no credit by {asked.source!r}; sources are {', '.join(run.credits())}")
    trajectory, truth = held[asked.trajectory], run.truth().get(asked.trajectory)
    picture = credit_picture(trajectory, credits[trajectory.id], truth, width=asked.width)
    for file in asked.files:
        picture.save(file, provenance_of([run]))


if __name__ == "__main__":
    main()
