import re
from pathlib import Path

import numpy as np
import pytest

from spa_lab.store import Run
from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view.tables.frames import credits_frame, steps_frame, truths_frame


def test_every_object_shows_itself(trajectory: Trajectory, credit: Credit, tmp_path: Path) -> None:
    truth = ValueTruth("t1", [0.5, 0.4, 0.2, 1.0], np.full(4, 0.1), 16, "clone", 40)
    run = Run.create(tmp_path / "a<b", {"note": "<script>x</script>"}, seed=3)
    run.save_trajectories("seen", [trajectory])
    for thing, words in (
        (trajectory, "do it"),
        (credit, "−0.25"),
        (truth, "Monte Carlo (16 branches)"),
        (run, "&lt;script&gt;"),
    ):
        html = thing._repr_html_()
        assert words in html and "<details>" in html
        assert "<script" not in html and len(html) < 40_000


def test_every_object_becomes_a_table(trajectory: Trajectory, credit: Credit) -> None:
    truth = ValueTruth("t1", [0.5, 0.4, 0.2, 1.0], np.full(4, 0.1), 16, "clone", 40)
    assert trajectory.to_frame().equals(steps_frame([trajectory]))
    assert credit.to_frame().equals(credits_frame([trajectory], [credit]))
    assert truth.to_frame().equals(truths_frame([trajectory], [truth]))


def test_a_long_table_says_what_it_leaves_out() -> None:
    html = Credit("t", "s", np.ones(1000))._repr_html_()
    assert "800 more rows are in .to_frame()" in html


@pytest.mark.parametrize("text", ["<img src=x onerror=alert(1)>", "שלום", "👩\u200d🚀", "z" * 100_000])
def test_texts_of_strangers(make_trajectory, text: str) -> None:  # type: ignore[no-untyped-def]
    html = make_trajectory(observations=[text] * 3)._repr_html_()
    assert "<img" not in html and len(html) < 200_000
    assert not re.search(r"<[^>]*\sonerror=", html)
