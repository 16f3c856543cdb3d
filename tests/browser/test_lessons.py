"""Every notebook, run to its end in a real JupyterLab without warnings, and read as a static page.

Notebooks 1 to 4 and 5b share a run folder, as for a reader who starts with the first, and use a smaller
lesson. They also share a kernel, which is emptied between them: a quarter of their time were imports. The
others run alone.
"""

import re
import warnings
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbconvert import HTMLExporter

from spa_lab.store import Run
from tests.small_lesson import EMPTY, shrink

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
STAGES = [path for path in NOTEBOOKS if path.stem.split("_")[0] in ("01", "02", "03", "04", "05b")]
ALONE = [path for path in NOTEBOOKS if path not in STAGES]
LEAVE = f"""
import ipywidgets
from spa_lab.view.widgets import plotly_library
ipywidgets.Widget.close_all()
plotly_library._sent.clear()
{EMPTY}"""
"""Run when a notebook is left: the next page must not load its widgets, and gets a plotly of its own."""
HAND_OVER = """async ([code, path]) => {
  const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
  await kernel.requestExecute({ code }).done;
  await window.jupyterapp.serviceManager.sessions.startNew(
    { path, name: path, type: "notebook", kernel: { id: kernel.id } });
}"""
"""Gives the kernel of this page to the notebook at another path, which finds it when it is opened."""
IDENTITY = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.id"
WARNINGS = '[data-mime-type="application/vnd.jupyter.stderr"]'
SAVE = "window.jupyterapp.commands.execute('docmanager:save')"
HEIGHTS = "all => all.map(element => element.getBoundingClientRect().height)"
WRITTEN = """all => all.map(element => {
  const copy = element.cloneNode(true);
  copy.querySelectorAll("code").forEach(code => code.remove());
  return copy.textContent;
}).join("\\n")"""
"""The text of markdown cells without code."""
SECONDS = 1800
"""Enough for a busy machine; an idle one takes half a minute to two minutes a notebook."""


@pytest.mark.parametrize("path", ALONE, ids=lambda path: path.stem)
def test_notebook_runs_alone(path: Path, lab: Any, run_notebook: Any, open_page: Any, picture: Any) -> None:
    _run(path, lab, run_notebook, open_page, picture)


def test_the_stages_run_in_order(lab: Any, run_notebook: Any, open_page: Any, picture: Any) -> None:
    folder = lab.folder / "runs/notebooks-household-lesson"
    kernels = set()
    for path, following in zip(STAGES, [*STAGES[1:], None], strict=True):
        kernels.add(_run(path, lab, run_notebook, open_page, picture, following))
        missing = [name for name in _promised_files(path) if not any(folder.glob(name))]
        assert missing == [], path.stem
    assert len(kernels) == 1
    run = Run.open(folder)
    assert any(trajectory.success for trajectory in run.load_trajectories("eval-cloned-unseen")), (
        "the clone learnt nothing"
    )


def _run(
    path: Path, lab: Any, run_notebook: Any, open_page: Any, picture: Any, following: Path | None = None
) -> str:
    """Run, save and use a notebook, and find all its widgets in the page converted from the saved file.

    Returns:
        The id of its kernel, which the notebook `following` gets.
    """
    folder = lab.folder / "notebooks"
    folder.mkdir(exist_ok=True)
    _copy(path, folder)
    page = run_notebook(lab.address(f"notebooks/{path.name}"), seconds=SECONDS)
    assert page.locator(WARNINGS).count() == 0, page.locator(WARNINGS).first.inner_text()
    names = page.locator(".spa-lab.live").evaluate_all(
        "all => all.map(element => element.getAttribute('aria-label'))"
    )
    page.locator("mjx-container").first.wait_for(state="attached")  # formulas are typeset
    page.evaluate(SAVE)
    if path.stem == "00_tour":
        _use_the_tour(page, picture)
    kernel = str(page.evaluate(IDENTITY))
    if following is not None:
        page.evaluate(HAND_OVER, [LEAVE, f"notebooks/{following.name}"])
    page.close()
    static = open_page(f"file://{_as_html(folder / path.name)}", height=1400, alone=True)
    views = static.locator(".spa-lab-static")
    assert views.count() == len(names) >= 1, names
    assert min(views.evaluate_all(HEIGHTS)) > 20, names  # a line of text at least
    assert static.locator(".spa-lab input, .spa-lab script, .spa-lab button:visible").count() == 0
    assert "$" in static.locator(".jp-RenderedMarkdown").evaluate_all(WRITTEN), "formulas, at least as LaTeX"
    picture(static, f"lesson-{path.stem}")
    return kernel


def _use_the_tour(page: Any, picture: Any) -> None:
    inspector, branch, lengths = (
        page.locator(f'.spa-lab.live[aria-label="{name}"]')
        for name in ("Trajectory inspector", "Branch from here", "Success by length")
    )
    inspector.locator("button[name=sort][value=gap]").click()
    inspector.locator("tr[data-trajectory]").first.click()
    branch.locator("button[name=grow]").click()
    branch.locator("tbody tr:nth-child(2) td:nth-child(5):text-is('64')").wait_for()
    picture(inspector, "tour-inspector-1280")
    picture(branch, "tour-branch-1280")
    picture(lengths, "tour-lengths-1280")


def _promised_files(path: Path) -> list[str]:
    """Paths inside the run folder that the opening table promises."""
    _, _, writes = nbformat.read(path, as_version=4).cells[0].source.partition("| **Writes** |")
    return [name.rstrip("/") for name in re.findall(r"`([\w*./-]+)`", writes)]


def _copy(path: Path, folder: Path) -> None:
    """A notebook into a folder; those that train get the smaller lesson."""
    notebook = nbformat.read(path, as_version=4)
    if path in STAGES:
        (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
        shrink(parameters)
    nbformat.write(notebook, folder / path.name)


def _as_html(path: Path) -> Path:
    """The page that nbconvert makes of a notebook, beside it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nbconvert's own
        page, _ = HTMLExporter().from_filename(str(path))
    target = path.with_suffix(".html")
    target.write_text(page, encoding="utf-8")
    return target
