"""Figures for print: matplotlib figures made from `view.tables`, with caption, numbers and LaTeX.

Every function `..._figure` returns a `PaperFigure`, which shows itself in a notebook at its printed size and
saves itself with `save`. Vectors, embedded fonts, no text below 8 points, as wide as a column of the paper.
No pyplot and no global state; the same input gives the same bytes.
"""

from spa_lab.view.paper.advantages import advantages_figure
from spa_lab.view.paper.comparison import learning_figure, profile_figure
from spa_lab.view.paper.contributions import contributions_figure, contributions_pair_figure
from spa_lab.view.paper.gradient_fidelity import gradient_figure
from spa_lab.view.paper.page import Columns, width_of
from spa_lab.view.paper.paper_figure import PaperFigure, write_picture
from spa_lab.view.paper.running_sum import running_sum_figure
from spa_lab.view.paper.scoreboard import scoreboard_figure
from spa_lab.view.paper.success import differences_figure, success_figure
from spa_lab.view.paper.success_by_length import success_by_length_figure
from spa_lab.view.paper.training import training_figure

__all__ = [
    "Columns",
    "PaperFigure",
    "advantages_figure",
    "contributions_figure",
    "contributions_pair_figure",
    "differences_figure",
    "gradient_figure",
    "learning_figure",
    "profile_figure",
    "running_sum_figure",
    "scoreboard_figure",
    "success_by_length_figure",
    "success_figure",
    "training_figure",
    "width_of",
    "write_picture",
]
