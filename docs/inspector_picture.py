"""Make the README's picture of the inspector: `python docs/inspector_picture.py [FILE.png]`.

Saves the inspector of `data/tour` as a page and takes a screenshot of it in a Chromium that is installed.
Needs Playwright for Python (`pip install -e '.[dev]'`), no network and no kernel.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from spa_lab import inspect
from spa_lab.paths import tour_folder

PICTURE = Path(__file__).resolve().parents[1] / "data/pictures/inspector.png"
WIDTH, HEIGHT = 1280, 720
"""Pixels."""
PATIENCE = 180_000
"""Milliseconds that the page may take to draw."""


def main() -> None:
    """Take the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, nargs="?", default=PICTURE)
    file = parser.parse_args().file
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        parser.error("no Chromium was found")
    view = inspect(tour_folder("household"))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        view.save(Path(folder) / "inspector.html")
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_default_timeout(PATIENCE)
        page.goto(f"file://{folder}/inspector.html")
        page.locator(".spa-lab.live [data-drawn]").wait_for()
        page.keyboard.press("p")  # the pivotal step
        page.wait_for_timeout(2000)
        page.screenshot(path=str(file))
        chromium.close()


if __name__ == "__main__":
    main()
