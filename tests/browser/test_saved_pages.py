"""Saved pages in a browser: keys, many sources, narrow windows and paper."""

import itertools
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

HERE = Path(__file__).parent
Shown = Callable[..., Any]


@pytest.fixture
def saved(open_page: Any, tmp_path: Path) -> Shown:
    """(collection, width) -> the page that an inspector of all its sources saves, once its chart is drawn."""
    sys.path.insert(0, str(HERE))
    from spa_lab.widgets import Inspector

    def show(collection: Any, width: int = 1300) -> Any:
        Inspector(collection, sources=list(collection.sources)).save(tmp_path / "saved.html")
        page = open_page(f"file://{tmp_path}/saved.html", width=width, height=900, alone=True)
        page.locator("[data-pane=chart][data-drawn]").wait_for()
        return page

    return show


@pytest.fixture
def several() -> Any:
    """The collection of `scene`."""
    sys.path.insert(0, str(HERE))
    from scene import collection

    return collection()


def _focused(page: Any) -> Any:
    return page.evaluate("document.activeElement.closest('[data-step]')?.dataset.step")


def test_keys_lead_to_the_steps_and_clear_the_filters(saved: Shown, several: Any) -> None:
    page = saved(several)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert _focused(page) == "0", "a link skips the controls"
    page.locator("button[name=outcome][value=failure]").click()
    page.locator("button[name=reset]").wait_for()
    page.keyboard.press("/")
    page.keyboard.type("heat")
    page.locator("text=2 of 13 episodes").wait_for()
    page.keyboard.press("Enter")
    assert _focused(page) == "0"
    page.locator("summary:has-text('more filters')").click()
    page.locator("input[name=shortest]").fill("2")
    page.keyboard.press("Escape")
    assert page.locator("details.menu[open]").count() == 0, "an open menu is closed first"
    page.locator("text=2 of 13 episodes").wait_for()
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    page.locator("text=13 of 13 episodes").wait_for()
    assert page.locator("input[type=search]").input_value() == ""
    assert page.locator("button[name=outcome][aria-pressed=true]").get_attribute("value") == "all"


@pytest.mark.parametrize("width", [1600, 1300, 700])
def test_eight_sources_leave_room_for_words_and_curves(saved: Shown, width: int) -> None:
    from scene import episode

    from spa_lab.types import Credit
    from spa_lab.view.tables.collection import Collection

    shown = episode(0, 200, True)
    credits = [Credit(shown.id, f"one of several sources, {k}", np.full(200, k / 1600)) for k in range(8)]
    page = saved(Collection.of([shown], credits), width)
    words = page.locator("tr[data-step='1'] td.words").bounding_box()
    assert words["width"] > 180
    assert page.evaluate("document.querySelector('.js-plotly-plot')._fullLayout._size.h") > 60
    assert page.locator(".legend .scrollbar").first.get_attribute("height") in (None, "0")


def test_facts_have_a_line_of_their_own_above_who_gave_no_credit(saved: Shown) -> None:
    from scene import episode

    from spa_lab.types import Credit
    from spa_lab.view.tables.collection import Collection

    first, second = episode(0, 5, True), episode(1, 6, True)
    page = saved(Collection.of([first, second], [Credit(first.id, "spa", np.zeros(5))]))
    page.keyboard.press("]")
    page.locator(".note:has-text('No credit of this trajectory by')").wait_for()
    assert page.locator("[data-pane=head] .facts").bounding_box()["width"] > 400


def test_a_print_holds_all_steps_of_the_open_episode(saved: Shown, several: Any) -> None:
    page = saved(several)
    page.evaluate("location.hash = '#episode=eval%2F00000'")
    page.locator("tr[data-step='49']").wait_for()
    page.emulate_media(color_scheme="dark")
    pages = len(re.findall(rb"/Type /Page\b", page.pdf(width="210mm", height="297mm")))
    assert pages > 1, "fifty steps"
    page.set_viewport_size({"width": 760, "height": 900})
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("[data-pane=found]").is_hidden()
    inner = page.locator("tr[data-step='49']").bounding_box()
    around = page.locator(".spa-lab.live").bounding_box()
    assert inner["y"] + inner["height"] <= around["y"] + around["height"] + 1
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.body.dataset.jpThemeLight") == "true", "dark ink on white paper"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.body.dataset.jpThemeLight") == "false"


def test_titles_of_training_curves_do_not_meet_in_a_narrow_window(open_page: Any, tmp_path: Path) -> None:
    from spa_lab.store import Run
    from spa_lab.widgets import Monitor

    run = Run.create(tmp_path / "run", {"env": "household", "methods": ["spa"], "preset": {}}, seed=0)
    names = ("success", "reward", "length", "kl", "credit_missed", "paid_repeats")
    run.save_metrics("ppo-spa", [dict.fromkeys(names, 0.1), dict.fromkeys(names, 0.2)])
    Monitor(run).save(tmp_path / "monitor.html")
    page = open_page(f"file://{tmp_path}/monitor.html", width=700, alone=True)
    page.locator(".annotation-text").last.wait_for()
    boxes = [box.bounding_box() for box in page.locator(".annotation-text").all()]
    assert len(boxes) > 3
    for one, other in itertools.pairwise(boxes):
        assert one["y"] + 40 < other["y"] or one["x"] + one["width"] <= other["x"]


def test_labels_of_many_steps_do_not_meet_in_a_narrow_window(saved: Shown, several: Any) -> None:
    page = saved(several, width=360)
    page.evaluate("location.hash = '#episode=eval%2F00000'")
    stride = "document.querySelector('.js-plotly-plot')?._fullLayout.xaxis.dtick"
    page.wait_for_function(f"{stride} === 10")
    boxes = [label.bounding_box() for label in page.locator(".xtick text").all()]
    assert len(boxes) == 6, "0 to 50"
    for one, following in itertools.pairwise(boxes):
        assert one["x"] + one["width"] < following["x"]
    page.set_viewport_size({"width": 1600, "height": 900})
    page.wait_for_function(f"{stride} < 10")
