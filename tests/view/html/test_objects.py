import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spa_lab.store import Run
from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view.html import objects

SHOWN = {
    Trajectory: objects.trajectory_html,
    Credit: objects.credit_html,
    ValueTruth: objects.truth_html,
    Run: objects.run_html,
}


def _html(shown: Any) -> str:
    return SHOWN[type(shown)](shown)


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
        html = _html(thing)
        assert words in html and "<details>" in html
        assert "<script" not in html and len(html) < 40_000


def test_a_notebook_shows_objects_as_html_and_the_types_know_nothing_of_it() -> None:
    """In IPython `import spa_lab` is enough; a plain interpreter imports neither view nor IPython for it."""
    program = """
import sys
import spa_lab
assert "spa_lab.view" not in sys.modules and "IPython" not in sys.modules
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
import importlib
importlib.reload(spa_lab)
assert "spa_lab.view.html.objects" not in sys.modules
from spa_lab.types import Credit
credit = Credit("t1", "<b>", [0.5, 0.25])
assert not hasattr(credit, "_repr_html_")
bundle, _ = shell.display_formatter.format(credit)
print(bundle["text/html"])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "credit by &lt;b&gt;" in done.stdout


def test_a_long_table_says_what_it_leaves_out() -> None:
    html = _html(Credit("t", "s", np.ones(1000)))
    assert "800 more rows in credits_frame" in html


@pytest.mark.parametrize("text", ["<img src=x onerror=alert(1)>", "שלום", "👩\u200d🚀", "z" * 100_000])
def test_texts_of_strangers(make_trajectory, text: str) -> None:  # type: ignore[no-untyped-def]
    html = _html(make_trajectory(observations=[text] * 3))
    assert "<img" not in html and len(html) < 200_000
    assert not re.search(r"<[^>]*\sonerror=", html)
