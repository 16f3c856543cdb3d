"""Runs of a folder in a real browser: chosen, ticked, and opened below."""

import shutil
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def test_two_ticked_runs_open_side_by_side_below_the_list(lab: Any, run_notebook: Any, picture: Any) -> None:
    shutil.copy(HERE / "scene.py", lab.folder)
    start = 'import sys\nsys.path.insert(0, ".")\nimport scene\nfrom spa_lab.widgets import browse_runs'
    made = "for name in ('one', 'two'):\n    scene.run(f'runs-browsed/{name}')"
    page = run_notebook(lab.write("browsed", start, made, "browse_runs('runs-browsed')"), height=1700)
    runs = page.locator('.live[data-view="Runs"]')
    inspector = page.locator('.live[data-view="Trajectory inspector"]')
    runs.locator("tr[data-trajectory]").nth(1).click()
    inspector.wait_for()
    runs.locator("text=run two").wait_for()
    for name in ("one", "two"):
        runs.locator(f"input[name=ticked][value={name}]").check()
    inspector.locator("text=The same actions to the end.").wait_for()
    assert inspector.count() == 1
    inspector.locator(".main-svg").first.wait_for()  # this page had no chart before
    picture(page, "browsed-runs")
