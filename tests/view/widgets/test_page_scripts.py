"""The scripts of the pages, run by Node.js without a browser; skipped where it is not installed."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spa_lab.types import Credit, Trajectory
from spa_lab.view.notes import Note
from spa_lab.view.tables.collection import Collection
from spa_lab.view.widgets.saved_inspector import HERE, _data
from spa_lab.widgets import Inspector

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="Node.js is not installed")
PAGE = """
const kept = new Map();
const localStorage = { getItem: (name) => kept.get(name) ?? null, setItem: (...pair) => kept.set(...pair) };
const location = { hash: "" }, history = { replaceState() {} }, document = { querySelectorAll: () => [] };
const made = () => new SavedModel(structuredClone(DATA));
const written = (model) => model.written().map((note) => [note.step, ...note.tags, note.label, note.text]);
const badges = (html) => [...html.matchAll(/class="badge"[^>]*>([^<]*)</g)].map((found) => found[1]);
"""
"""What a page has around the model of a saved inspector: a store of its own, nothing to draw on."""


def _printed(*sources: str) -> Any:
    """What a script prints last, as JSON."""
    assert NODE is not None
    done = subprocess.run([NODE, "-"], input="\n".join(sources), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def saved(drawn: Callable[[int], Trajectory], opinion: Callable[..., Credit]) -> Callable[[str], Any]:
    """(script) -> what it prints; `made()` is the model of a page of two episodes, the first with notes."""
    several = [drawn(4), drawn(6)]
    view = Inspector(Collection.of(several, [opinion(one) for one in several]))
    view._choose(0)
    view.notes.put(Note("t4", tags=("kept", "deleted")))
    view.notes.put(Note("t4", 2, label="<wrong> turn"))
    script = (HERE / "saved_inspector.js").read_text(encoding="utf-8")
    model = script[: script.index("\n{\n")]  # without what runs in the page
    return lambda asked: _printed(f"const DATA = {json.dumps(_data(view))};", PAGE, model, asked)


def test_what_a_reader_deleted_stays_deleted_and_is_not_exported(saved: Callable[[str], Any]) -> None:
    deleted, other = saved("""
        const model = made();
        model.move("tags:0", "");
        model.move("label:0:2", "");
        model.move("note:1", "odd");
        const again = made(); // the page is loaded again
        console.log(JSON.stringify([written(again), badges(again.get("found"))]));
    """)
    assert deleted == [[None, "", "odd"]] and other == []


def test_pages_of_other_episodes_share_no_notes(
    saved: Callable[[str], Any], drawn: Callable[..., Any]
) -> None:
    own, other = saved(
        """
        made().move("note:1", "odd");
        const other = new SavedModel({ ...structuredClone(DATA), digest: OTHER, notes: [] });
        console.log(JSON.stringify([written(made()).length, written(other)]));
    """.replace("OTHER", json.dumps(_data(Inspector(Collection.of([drawn(5)])))["digest"]))
    )
    assert own > 1 and other == []


def test_a_dollar_in_a_tag_is_a_dollar(saved: Callable[[str], Any]) -> None:
    shown = saved("""
        const model = made();
        model.move("tags:0", "$& $' $$, <b>");
        console.log(JSON.stringify(badges(model.get("found"))));
    """)
    assert shown == ["$&amp; $&#x27; $$", "&lt;b&gt;"]


def test_labels_stand_beside_their_steps(saved: Callable[[str], Any]) -> None:
    first, second = saved("""
        const model = made();
        model.open(0, 0);
        const first = badges(model.get("steps"));
        model.move("label:0:2", "");
        model.move("label:0:3", "$1");
        console.log(JSON.stringify([first, badges(model.get("steps"))]));
    """)
    assert "&lt;wrong&gt; turn" in first and "$1" not in first
    assert "&lt;wrong&gt; turn" not in second and "$1" in second


def test_a_click_on_task_sorts_from_a_to_z_and_says_so(saved: Callable[[str], Any]) -> None:
    ways = saved("""
        const model = made();
        const ways = ["task", "task", "steps"].map((column) => {
          model.move("sort", column);
          return model.get("found").match(/aria-sort="(\\w+)"/)[1];
        });
        console.log(JSON.stringify(ways));
    """)
    assert ways == ["ascending", "descending", "descending"]


def test_bands_have_the_dark_counterpart_of_their_line() -> None:
    page = (Path(HERE).parent / "charts" / "page.js").read_text(encoding="utf-8")
    given = ["rgba(34,34,34,0.2)", "rgba(1,2,3,0.2)", "rgba(x)", "#222222"]
    asked = f'console.log(JSON.stringify(recoloured({json.dumps(given)}, {{ "#222222": "#ececec" }})));'
    assert _printed(page, asked) == ["#ececec33", "rgba(1,2,3,0.2)", "rgba(x)", "#ececec"]


def test_colour_scales_are_recoloured_and_words_are_not() -> None:
    page = (Path(HERE).parent / "charts" / "page.js").read_text(encoding="utf-8")
    words = {"customdata": [["#222222"]], "text": "#222222", "ticktext": ["#222222"]}
    given = {"colorscale": [[0, "#222222"], [1, "#111111"]], "z": [1, None, 2], "trace": words}
    asked = f'console.log(JSON.stringify(recoloured({json.dumps(given)}, {{ "#222222": "#ececec" }})));'
    assert _printed(page, asked) == given | {"colorscale": [[0, "#ececec"], [1, "#111111"]]}


def test_words_that_are_no_colours_are_not_recoloured() -> None:
    page = (Path(HERE).parent / "charts" / "page.js").read_text(encoding="utf-8")
    asked = 'console.log(JSON.stringify(recoloured(["constructor", "#222222"], { "#222222": "#ececec" })));'
    assert _printed(page, asked) == ["constructor", "#ececec"]
