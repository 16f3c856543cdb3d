"""Make the README's picture of credit: `python docs/credit_picture.py [FILE ...]`.

Draws an episode of a run; the ending of every file says in which format: .svg, .pdf, .png or .tex.
"""

import argparse
from pathlib import Path

from spa_lab import Run, credit_picture
from spa_lab.paths import tour_folder
from spa_lab.view.provenance import provenance_of

PICTURE = Path(__file__).resolve().parents[1] / "data/pictures/credit.svg"
EPISODE = "careless/household-unseen-small-00003/3"
SOURCE = "SPA, linear"


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="*", default=[PICTURE], metavar="FILE")
    parser.add_argument(
        "--run", type=Path, default=tour_folder("household"), help="a run with a measured truth"
    )
    parser.add_argument("--trajectory", default=EPISODE, help="id of the episode")
    parser.add_argument("--source", default=SOURCE, help="source of credit in the run")
    parser.add_argument("--width", type=float, default=8.0, help="inches")
    asked = parser.parse_args()
    run = Run.open(asked.run)
    (trajectory,) = [
        each for held in run.trajectory_sets() for each in held.load() if each.id == asked.trajectory
    ]
    credit, truth = run.credits()[asked.source][trajectory.id], run.truth().get(trajectory.id)
    picture = credit_picture(trajectory, credit, truth, width=asked.width)
    for file in asked.files:
        picture.save(file, provenance_of([run]))


if __name__ == "__main__":
    main()
