"""A real JupyterLab on loopback, and a Chromium whose other connections are blocked.

Without Playwright or a Chromium these tests are skipped; where SPA_LAB_BROWSER is "required" (in continuous
integration) that is a failure instead. With SPA_LAB_SCREENSHOTS set to a folder, pictures are kept there.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
REQUIRED = os.environ.get("SPA_LAB_BROWSER") == "required"
PATIENCE = 240
"""Seconds that JupyterLab may take to start: one on an idle machine, minutes on a busy one."""
HOMES = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_WORKSPACES_DIR")
READY = "window.jupyterapp?.shell.currentWidget?.sessionContext?.isReady"
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "docmanager-extension/plugin": {"autosave": False},
    "notebook-extension/tracker": {"windowingMode": "none"},
}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _skip(reason: str) -> None:
    if REQUIRED:
        pytest.fail(f"{reason}, and SPA_LAB_BROWSER is 'required'")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, headless."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _skip("Playwright is not installed")
    if CHROMIUM is None:
        _skip("no Chromium was found")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield chromium
        chromium.close()


class Lab:
    """A running server and its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, _free_port()
        self.settings = folder / ".settings/@jupyterlab"
        self.theme("JupyterLab Light")
        for name, value in SETTINGS.items():
            self._set(name, value)
        homes = {
            name: str(folder / f".{name.lower()}")
            for name in (
                "IPYTHONDIR",
                "JUPYTER_CONFIG_DIR",
                "JUPYTER_RUNTIME_DIR",
                "JUPYTERLAB_WORKSPACES_DIR",
            )
        }
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip", "127.0.0.1", "--allow-root"]
        command += [f"--port={self.port}", f"--ServerApp.root_dir={folder}", "--ServerApp.port_retries=0"]
        command += ["--IdentityProvider.token=", "--LabApp.expose_app_in_browser=True"]
        self.environment = os.environ | homes | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        settings = {"JUPYTERLAB_SETTINGS_DIR": str(folder / ".settings")}
        with (folder / "lab.log").open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, env=self.environment | settings, stdout=log, stderr=subprocess.STDOUT
            )
        self._wait()

    def theme(self, name: str) -> None:
        """The theme of pages that are opened from now on."""
        self._set("apputils-extension/themes", {"theme": name})

    def write(self, name: str, *cells: str) -> str:
        """A notebook of code cells; returns its address."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        )
        nbformat.write(notebook, self.folder / f"{name}.ipynb")
        return self.address(f"{name}.ipynb")

    def address(self, path: str) -> str:
        """Where a notebook of the folder is opened."""
        return f"http://127.0.0.1:{self.port}/lab/tree/{path}?reset"

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _set(self, name: str, value: dict[str, Any]) -> None:
        path = self.settings / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))

    def _wait(self) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api", timeout=2):
                    return
            except OSError:
                time.sleep(0.1)
        self.stop()
        pytest.fail(f"JupyterLab did not start:\n{(self.folder / 'lab.log').read_text()[-2000:]}")


@pytest.fixture(scope="session")
def lab(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab in an empty folder, with default settings."""
    server = Lab(tmp_path_factory.mktemp("lab"))
    yield server
    server.stop()


Open = Callable[..., Any]


@pytest.fixture
def open_page(browser: Any) -> Iterator[Open]:
    """(address, width) -> a page limited to loopback; the test fails if it requests other addresses.

    With `alone` the page is offline, and its requests are not counted: the template of nbconvert requests
    scripts that it does not depend on.
    """
    contexts, foreign = [], []

    def answer(route: Any) -> None:
        address = route.request.url
        if address.startswith(("http://127.0.0.1:", "file:", "data:", "blob:")):
            route.continue_()
        else:
            foreign.append(address)
            route.abort()

    def open_one(address: str, *, width: int = 1280, height: int = 1000, alone: bool = False) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        context.set_default_timeout(30_000)
        if alone:
            context.set_offline(True)
        else:
            context.route("**/*", answer)
        page = context.new_page()
        page.goto(address)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert foreign == []


@pytest.fixture
def run_notebook(open_page: Open) -> Open:
    """(address, width) -> the notebook's page after all of its cells ran without an error."""

    def run(address: str, *, width: int = 1280, height: int = 1000, seconds: float = 180) -> Any:
        page = open_page(address, width=width, height=height)
        page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
        page.wait_for_function(READY, timeout=60_000)
        page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
        page.wait_for_function(
            "[...window.jupyterapp.shell.currentWidget.content.model.cells]"
            ".every(cell => cell.type !== 'code' || cell.executionState === 'idle' && cell.executionCount)"
            " || document.querySelector('.jp-OutputArea [data-mime-type=\"application/vnd.jupyter.error\"]')",
            timeout=1000 * seconds,
        )
        assert page.locator('[data-mime-type="application/vnd.jupyter.error"]').count() == 0
        return page

    return run


@pytest.fixture(scope="session")
def picture() -> Callable[..., None]:
    """(page or element, name): keeps a screenshot in the folder SPA_LAB_SCREENSHOTS."""
    folder = os.environ.get("SPA_LAB_SCREENSHOTS")

    def keep(view: Any, name: str) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            view.screenshot(path=str(Path(folder) / f"{name}.png"))

    return keep
