"""Saved pages are usable without a mouse or without sight: names, landmarks, boxes that take the focus."""

from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from spa_lab.store import Run
from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view.html.markup import page
from spa_lab.view.html.objects import trajectory_html
from spa_lab.view.tables.collection import Collection
from spa_lab.widgets import BranchView, Inspector, LengthView, RewardExplorer, RunBrowser, Scoreboard

VOID = {"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
BLOCKS = {"details", "div", "h3", "h4", "p", "table", "ul"}
FOCUSABLE = {"a", "button", "input", "select", "summary", "textarea"}


@dataclass
class Element:
    """An element of a page with its attributes and its parts."""

    tag: str
    attributes: dict[str, str]
    above: "Element | None"
    parts: list["Element"] = field(default_factory=list)
    text: str = ""

    def all(self) -> list["Element"]:
        """Everything inside."""
        return [one for part in self.parts for one in (part, *part.all())]

    def words(self) -> str:
        """Its text and that of its parts, and their names."""
        return self.text + "".join(
            part.words() + part.attributes.get("aria-label", "") for part in self.parts
        )

    @property
    def is_focusable(self) -> bool:
        return self.tag in FOCUSABLE or self.attributes.get("tabindex") in ("0", "-1")


class _Tree(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.root = self.inner = Element("", {}, None)
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        one = Element(tag, {name: value or "" for name, value in attributes}, self.inner)
        self.inner.parts.append(one)
        if tag not in VOID:
            self.inner = one

    def handle_endtag(self, tag: str) -> None:
        assert self.inner.tag == tag, f"<{self.inner.tag}> is closed by </{tag}>"
        assert self.inner.above is not None
        self.inner = self.inner.above

    def handle_data(self, text: str) -> None:
        self.inner.text += text


def faults(text: str) -> list[str]:
    """What a reader with a keyboard or a screen reader would miss in a page."""
    tree = _Tree(text).root.all()
    found = [f"{tag} x{len(many)}" for tag in ("main", "h1", "title")
             if len(many := [one for one in tree if one.tag == tag]) != 1]  # fmt: skip
    for one in tree:
        role, label = one.attributes.get("role"), one.attributes.get("aria-label", "").strip()
        if one.tag == "img" and not one.attributes.get("alt"):
            found.append("a picture without a text")
        if role in ("img", "region", "figure", "grid") and not label:
            found.append(f"a {role} without a name")
        if role == "img" and any(part.is_focusable for part in one.all()):
            found.append(f"buttons inside of the picture {label!r}")
        if one.tag in ("input", "select") and not label:
            if one.above is None or one.above.tag != "label" or not one.above.words().strip():
                found.append(f"a field without a label: {one.attributes}")
        if one.tag == "p" and any(part.tag in BLOCKS for part in one.all()):
            found.append("a block in a paragraph, which it ends")
        if one.tag == "button" and not (label or one.words().strip()):
            found.append(f"a button without words: {one.attributes}")
        scrolls = {"scroll"} & set(one.attributes.get("class", "").split())
        if scrolls and not any(part.is_focusable for part in (one, *one.all())):
            found.append("a box that a keyboard cannot scroll")
    return found


Views = dict[str, Any]


@pytest.fixture
def views(
    drawn: Callable[[int], Trajectory],
    opinion: Callable[..., Credit],
    measured: Callable[[Trajectory], ValueTruth],
    board: Callable[..., pd.DataFrame],
    tmp_path: Path,
) -> Views:
    """A view of every kind that shows steps, scores, rates or runs."""
    Run.create(tmp_path / "runs/one", {"env": "household"}, seed=0)
    episodes = [drawn(6), drawn(7)]
    collection = Collection.of(
        episodes, [opinion(each) for each in episodes], [measured(each) for each in episodes], name="two"
    )
    branch = BranchView(
        collection, lambda *_: [1.0, 0.0], what_if=lambda trajectory, *_: trajectory, chunk=2, budget=2
    )
    branch.try_action("look")
    rates = pd.DataFrame(
        {"trajectory_id": ["a", "b"], "task_id": ["a", "b"], "policy": "spa", "success": [True, False],
         "expert_length": [2, 7], "n_steps": [3, 9]}
    )  # fmt: skip
    return {
        "inspector": Inspector(collection),
        "explorer": RewardExplorer(collection),
        "branch": branch,
        "lengths": LengthView(rates),
        "board": Scoreboard(board(0.0, 0.1)),
        "runs": RunBrowser(tmp_path / "runs", opened=lambda inspector: None),
    }


def test_saved_pages_and_controls_have_names_and_take_the_focus(views: Views, tmp_path: Path) -> None:
    for name, view in views.items():
        path = tmp_path / f"{name}.html"
        view.save(path)
        assert faults(path.read_text(encoding="utf-8")) == [], name
        live = "".join(getattr(view, pane) for pane in view.panes if pane not in view.chart_panes)
        assert faults(page(name, live)) == [], name


def test_an_object_can_be_read_with_a_keyboard(
    drawn: Callable[[int], Trajectory], hostile: Trajectory
) -> None:
    for trajectory in (drawn(6), hostile):
        assert faults(page("steps", trajectory_html(trajectory))) == []


def test_what_is_missing_is_found() -> None:
    bad = (
        '<img src="x"><input name="a"><label> <select name="b"></select></label><button></button>'
        '<div class="scroll high"><table></table></div>'
        '<div role="img" aria-label="plot"><a href="#">x</a></div><p><details></details></p>'
    )
    assert len(faults(page("bad", bad))) == 7
    assert faults("<html><body></body></html>") == ["main x0", "h1 x0", "title x0"]


def test_a_drawn_chart_is_no_picture_as_it_has_buttons() -> None:
    script = (Path(__file__).parents[3] / "spa_lab/view/charts/page.js").read_text(encoding="utf-8")
    assert 'setAttribute("role", "figure")' in script
    assert script.index('"aria-label"') < script.index("drawn = redraw();\n      return drawn")
