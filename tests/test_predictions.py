"""Which sources predict the outcome, and what views say of the others."""

from collections.abc import Callable

import numpy as np
import pytest

from spa_lab.pipeline.sources import SOURCES
from spa_lab.rewards import predicts_outcome
from spa_lab.types import Credit, Trajectory
from spa_lab.view.html.steps import steps_html
from spa_lab.view.paper.running_sum import running_sum_figure
from spa_lab.view.tables.credited_steps import credited_steps
from spa_lab.view.tables.reliability import reliability_table


def test_advantages_values_and_marks_predict_no_outcome() -> None:
    assert [source for source in SOURCES if not predicts_outcome(source)] == [
        "grounding", "leave_one_out", "gigpo", "gigpo_progress", "occlusion", "critic_gae", "math_shepherd_8",
        "ipr_5",
    ]  # fmt: skip
    assert not predicts_outcome("ipr_16")
    assert predicts_outcome("mc_difference_8") and predicts_outcome("my_ipr")


@pytest.mark.parametrize(("source", "words"), [("spa", "predicted by"), ("gigpo", "sum of")])
def test_views_say_predicted_of_predictions_alone(
    make_trajectory: Callable[..., Trajectory], source: str, words: str
) -> None:
    trajectory = make_trajectory(0.0, [True, True])
    credit = Credit(trajectory.id, source, np.array([-11.0, -9.0]))
    assert ("predicts R" in steps_html(trajectory, [credit])) == (source == "spa")
    figure = running_sum_figure(trajectory, [credit])
    texts = [text.get_text() for legend in figure.figure.legends for text in legend.get_texts()]
    assert any(text.startswith(words) for text in texts), texts
    table = reliability_table(credited_steps([trajectory], [credit]), rng=np.random.default_rng(0))
    assert list(table["source"].unique()) == (["spa"] if source == "spa" else [])
