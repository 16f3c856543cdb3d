"""SIGKILL at random moments: the resumed run ends with the bits of an undisturbed one."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType


def test_killed_at_random_moments(
    importable: Callable[[str], ModuleType], data: Path, tmp_path: Path
) -> None:
    """Two kills in a world of short episodes; `kill_resume.py` repeats this in others and at a larger scale.

    `test_train.py` kills a run in the household in every stage.
    """
    harness = importable("kill_resume")
    run = harness.KilledRun("tests.examples.rooms:environment", data, methods=("spa", "random"))
    outcome = harness.measure(run, 2, 95, tmp_path)
    assert outcome.kills == 2 and outcome.compared >= 1
    assert outcome.differing == []
