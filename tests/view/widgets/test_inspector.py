import base64
import gzip
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import spa_lab
from spa_lab.store import Run, StoreError
from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view.html.steps import steps_html
from spa_lab.view.notes import Note, Notes
from spa_lab.view.tables.collection import Collection, Query
from spa_lab.widgets import Inspector, RewardExplorer, Selection

Drawn = Callable[[int], Trajectory]
Opinion = Callable[..., Credit]
Measured = Callable[[Trajectory], ValueTruth]


@pytest.fixture
def collection(drawn: Drawn, opinion: Opinion, measured: Measured) -> Collection:
    """Of 4, 6 and 7 steps; the last fails and was not measured."""
    several = [drawn(n) for n in (4, 6, 7)]
    credits = [opinion(trajectory, source) for trajectory in several for source in ("spa", "rival")]
    return Collection.of(several, credits, [measured(trajectory) for trajectory in several[:2]])


def press(view: Any, **moves: str) -> None:
    """As a browser does it."""
    view._answer(view, {"moves": moves}, [])


def marked(view: Any, pane: str) -> Sequence[str]:
    return re.findall(r'data-step="(\d+)"', getattr(view, pane))


def test_one_selection_moves_all_views(collection: Collection) -> None:
    selection = Selection()
    first, other = Inspector(collection, selection), Inspector(collection, selection, sources=["mean"])
    assert selection.trajectory_id == "t4" and (first.selected_step, other.selected_step) == (0, 0)
    first.selected_step = 3  # a click
    assert selection.step == 3 and other.selected_step == 3
    press(first, next="")
    assert selection.trajectory_id == "t6" and other.trajectory.id == "t6" and other.selected_step == 0
    assert len(marked(other, "steps")) == 6
    selection.step = 99
    assert first.selected_step == 5


def test_a_step_is_not_clipped_to_the_episode_shown_before(collection: Collection) -> None:
    selection = Selection(trajectory_id="t4")
    views = [Inspector(collection, selection), Inspector(collection, selection)]
    for step, shown in ((5, 5), (99, 6)):
        selection.choose("t4")
        selection.choose("t7", step)
        assert selection.step == shown and [view.selected_step for view in views] == [shown, shown]


def test_column_and_filter_are_of_the_source_that_another_view_chose(
    collection: Collection, tmp_path: Path
) -> None:
    selection = Selection(source="spa")
    view, explorer = Inspector(collection, selection), RewardExplorer(collection, selection)
    press(explorer, source="mean")
    assert view.query.source == "mean" and '<option value="mean" selected>' in view.filters
    gaps = collection.disagreements("mean")
    assert gaps[0] != collection.disagreements("spa")[0] and f">{gaps[0]:.2f}<" in view.found
    press(view, disagreement=str((gaps[0] + gaps[1]) / 2))
    assert view.numbers == [int(np.nanargmax(gaps))]
    press(view, source="rival")
    assert selection.source == "rival" and "credit by rival" in explorer.summary
    view.query = Query(text="take")
    assert view.query.source == "rival"
    view.query = Query(source="spa")
    assert selection.source == "spa"
    selection.source = "of another collection"
    assert view.query.source == "spa"
    view.save(tmp_path / "one.html")
    assert saved(tmp_path / "one.html")["episodes"][0]["keys"]["gap"] == collection.disagreements("spa")[0]


def test_a_search_chooses_no_source(collection: Collection) -> None:
    selection = Selection(source="spa")
    view = Inspector(collection, selection)
    selection.source = "of another collection"
    view.query = replace(view.query, text="take")
    assert selection.source == "of another collection"


def test_a_closed_view_leaves_the_selection(collection: Collection) -> None:
    selection = Selection()
    closed, other = Inspector(collection, selection), RewardExplorer(collection, selection)
    closed.close()
    selection.choose("t6", 3)
    assert closed.trajectory.id == "t4" and other.trajectory.id == "t6"
    drawn = other.summary
    other.close()
    selection.source = "mean"
    assert other.summary == drawn
    other.close()  # again does no harm


def test_what_has_something_to_see_is_opened_first(
    drawn: Drawn, opinion: Opinion, measured: Measured
) -> None:
    several = [drawn(n) for n in (4, 6, 7)]
    truths, credits = [measured(several[2])], [opinion(several[1], "spa")]

    def opened(*records: list[Credit] | list[ValueTruth]) -> str:
        return Inspector(Collection.of(several, *records)).trajectory.id

    assert (opened(credits, truths), opened(credits), opened()) == ("t7", "t6", "t4")


def test_the_pages_controls_do_what_they_say(collection: Collection) -> None:
    view = Inspector(collection)
    press(view, trajectory="2")
    press(view, pivotal="")
    assert view.selected_step == view.pivotal() > 0
    press(view, trajectory="0")
    press(view, pivotal="")
    assert view.pivotal() is None and view.selected_step == 0, "no step of this truth stands out"
    press(view, outcome="failure")
    assert view.numbers == [2] and view.trajectory.id == "t7", "the first hit is opened"
    press(view, outcome="all", shortest="6", order="longest")
    assert view.numbers == [2, 1]
    press(view, trajectory="2")
    assert view.trajectory.id == "t7"
    press(view, next="")
    assert view.trajectory.id == "t6"
    press(view, previous="", scale="own")
    assert view.trajectory.id == "t7" and view.scale == "own"
    press(view, sources=json.dumps(["terminal", "spa", "unknown"]))
    assert view.sources == ["spa", "terminal"]
    press(view, text="no such words")
    assert view.numbers == [] and "0 of 3 episodes" in view.found
    press(view, next="")  # nowhere to go
    assert view.trajectory.id == "t7"


def test_nonsense_from_a_page_is_said_and_changes_nothing(collection: Collection) -> None:
    view = Inspector(collection)
    before = view.found
    for moves in ({"shortest": "<b>"}, {"order": "by colour"}, {"trajectory": "99"}):
        press(view, **moves)
        assert 'role="alert"' in view.status and "<b>" not in view.status
    assert view.found == before
    press(view, shortest="1.5")
    assert "steps from: needs a whole number, got &#x27;1.5&#x27;" in view.status
    press(view, unheard_of="x")
    assert view.status == ""
    view._answer(view, "garbage", [])
    view._answer(view, {"moves": None}, [])


def test_who_says_nothing_is_named_and_not_drawn_as_zero(drawn: Drawn, opinion: Opinion) -> None:
    several = [drawn(4), drawn(6)]
    view = Inspector(Collection.of(several, [opinion(several[1], "spa")]), Selection(trajectory_id="t4"))
    assert "No credit of this trajectory by: spa" in view.head
    assert 'class="bar' not in view.steps
    press(view, next="")
    assert "No credit" not in view.head and 'class="bar' in view.steps


def test_static_and_live_are_the_same_drawing(collection: Collection, tmp_path: Path) -> None:
    view = Inspector(collection)
    table = steps_html(view.trajectory, view.credits(view.sources), view.truth, focus=view.episode.focused)
    assert table in view.steps and table in view.static()
    assert "<input" not in view.static() and "<script" not in view.static()
    assert view.static().count("data:image/png;base64") == 1 and len(view.static()) < 200_000
    view.save(tmp_path / "one.html")
    page = (tmp_path / "one.html").read_text(encoding="utf-8")
    assert table in page, "readable without a script"
    assert page.count('id="plotly-gzip"') == 1 and len(page) < 3_000_000
    assert not re.search(r"(src|href)=.?https?:", page), "it asks for nothing"


def test_nothing_of_a_stranger_becomes_markup(hostile: Trajectory) -> None:
    rival = replace(hostile, id="\"'><script>", task_id="<i>")
    credit = Credit(rival.id, '"><img src=x onerror=alert(1)>', [0.0] * len(rival))
    view = Inspector(Collection.of([rival, hostile], [credit], kinds={"<i>": "<b onclick=x>"}))
    view.query = Query(text='"><script>alert(1)</script>')
    for name in view.panes:
        page = getattr(view, name)
        assert not re.search(r"<(script|img|i>do)", page), name
        assert not re.search(r"<[^>]*\son\w+=", re.sub(r'"[^"]*"', '""', page)), name


def test_another_trajectory_set_opens_what_has_something_to_see(
    drawn: Drawn, opinion: Opinion, tmp_path: Path
) -> None:
    run = Run.create(tmp_path / "r", {}, seed=0)
    run.save_trajectories("a", [drawn(4)])
    run.save_trajectories("b", [drawn(6), drawn(5)])
    run.save_credits("spa", [opinion(drawn(5)), opinion(drawn(4))])
    view = spa_lab.inspect(run)
    assert (view.trajectory_set, view.trajectory.id) == ("a", "t4")
    press(view, trajectory_set="b")
    assert view.trajectory.id == "t5"
    press(view, trajectory_set="a")  # a smaller one
    assert view.trajectory.id == "t4" and view.found.count("data-trajectory") == 1


def test_what_a_run_says_is_read_once(
    drawn: Drawn, opinion: Opinion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten thousand credits take a second: they are read once, not for every file of episodes."""
    run = Run.create(tmp_path / "r", {}, seed=0)
    for name in ("a", "b"):
        run.save_trajectories(name, [replace(drawn(4), id=f"{name}/0")])
    run.save_credits("b-spa", [replace(opinion(drawn(4)), trajectory_id="b/0")])
    read, plain = [], Run.load_credits
    monkeypatch.setattr(Run, "load_credits", lambda self, name: read.append(name) or plain(self, name))
    view = spa_lab.inspect(run)
    assert view.trajectory_set == "b"
    press(view, trajectory_set="a")
    assert view.trajectory.id == "a/0" and read == ["b-spa"]


def test_inspect_takes_whatever_somebody_has(drawn: Drawn, opinion: Opinion, tmp_path: Path) -> None:
    several = [drawn(4), drawn(6)]
    run = Run.create(tmp_path / "r", {}, seed=0)
    with pytest.raises(ValueError, match="holds no trajectories yet"):
        spa_lab.inspect(run)
    run.save_trajectories("a", [replace(trajectory, id=f"a/{trajectory.id}") for trajectory in several])
    run.save_trajectories("b", several[:1])
    run.save_credits("spa", [opinion(several[0])])
    lone = tmp_path / "lone.jsonl"
    lone.write_bytes((tmp_path / "r/trajectories/a.jsonl").read_bytes())
    assert len(spa_lab.inspect(several[0]).collection) == 1
    assert len(spa_lab.inspect(several).collection) == 2
    assert spa_lab.inspect(str(lone)).collection.name == "lone.jsonl"
    assert spa_lab.inspect(run.path / "trajectories/b.jsonl").collection.name == "r / b"
    view = spa_lab.inspect(run.path)
    assert view.collection.name == "r / b", "the set of the credited trajectory"
    assert view.trajectory.id == "t4" and view.sources == ["spa@run-3"]
    press(view, trajectory_set="a")
    assert view.collection.name == "r / a"
    with pytest.raises(StoreError, match="no such file or folder"):
        spa_lab.inspect(tmp_path / "nothing")
    with pytest.raises(ValueError, match=r"as JSON lines: line 1: broken JSON"):
        spa_lab.inspect(Path(__file__))


def test_inspect_draws_the_sources_that_were_asked_for(drawn: Drawn, opinion: Opinion) -> None:
    given = {"credits": [opinion(drawn(4), "spa"), opinion(drawn(4), "critic")]}
    assert spa_lab.inspect(drawn(4), **given).sources == ["spa", "critic"]
    view = spa_lab.inspect(drawn(4), sources=("critic", "mean"), **given)
    assert view.sources == ["critic", "mean"] and view.focus == view.selection.source == "critic"
    assert spa_lab.inspect(drawn(4), sources=(), **given).sources == []
    known = r"\['spa', 'critic', 'terminal', 'mean'\]"
    with pytest.raises(ValueError, match=rf"no credit by \['sap'\], only by {known}"):
        spa_lab.inspect(drawn(4), sources=["sap"], **given)


def saved(path: Path) -> dict[str, Any]:
    """What a saved page holds."""
    (packed,) = re.findall(r'id="episodes-gzip">([^<]*)<', path.read_text(encoding="utf-8"))
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def test_a_saved_page_holds_every_episode_as_it_would_be_drawn(
    collection: Collection, tmp_path: Path
) -> None:
    view = Inspector(collection)
    view.notes.put(Note("t6", 2, label="here"))
    view.save(tmp_path / "all.html")
    data = saved(tmp_path / "all.html")
    assert [episode["id"] for episode in data["episodes"]] == ["t4", "t6", "t7"]
    for at, episode in enumerate(data["episodes"]):
        press(view, trajectory=str(at))
        for kind in ("sums", "waterfall", "both"):
            view.chart_kind = kind
            assert episode["charts"][kind] == view.chart
        assert episode["head"] == view.head and episode["n_steps"] == view.n_steps
        assert episode["pivotal"] == view.pivotal()
    assert (
        data["notes"] == [{"trajectory_id": "t6", "step": 2, "tags": [], "label": "here", "text": ""}]
        and data["schema"] == 2
    )
    assert [episode["success"] for episode in data["episodes"]] == [True, True, False]
    assert data["episodes"][2]["keys"]["gap"] is None


def test_columns_sort_and_filters_reset(collection: Collection) -> None:
    view = Inspector(collection)
    press(view, sort="steps")
    assert view.numbers == [2, 1, 0] and 'aria-sort="descending"' in view.found
    press(view, sort="steps")
    assert view.numbers == [0, 1, 2] and 'aria-sort="ascending"' in view.found
    press(view, sort="task")
    assert 'class="task" aria-sort="ascending"' in view.found, "A to Z"
    press(view, sort="task")
    assert 'class="task" aria-sort="descending"' in view.found
    press(view, order="shortest", longest="6", text="take", kind="unknown")
    assert view.numbers == [0, 1] and view.query_words == ["take"] and "steps ≤ 6" in view.filters
    press(view, clear="longest")
    assert view.numbers == [0, 1, 2] and "steps ≤ 6" not in view.filters
    press(view, reset="")
    assert view.query == Query(source="spa", order="shortest") and view.query_words == []


def test_a_long_episode_is_shown_in_pages(drawn: Drawn, opinion: Opinion) -> None:
    long = drawn(450)
    view = Inspector(Collection.of([long], [opinion(long)]))
    assert len(marked(view, "steps")) == 200 and "steps 0 to 199 of 450" in view.steps
    press(view, page="2")
    assert view.selected_step == 400 and marked(view, "steps") == [str(step) for step in range(400, 450)]
    view.selected_step = 399  # an arrow key
    assert marked(view, "steps")[0] == "200"


def test_waterfall_and_measured_values_in_focus(collection: Collection) -> None:
    view = Inspector(collection)
    press(view, chart="waterfall")
    names = [trace["name"] for trace in json.loads(view.chart)["data"]]
    assert names[0] == "base value" and "outcome R" in names and "left unexplained" in names
    press(view, focus="measured Δ")
    names = [trace["name"] for trace in json.loads(view.chart)["data"]]
    assert "left unexplained" not in names, "values end at the outcome"
    press(view, trajectory="2")  # not measured: the running sums instead
    assert "running sum" in view.chart and view.episode.focused is None


def test_two_policies_side_by_side(drawn: Drawn, opinion: Opinion) -> None:
    one = replace(drawn(4), task_id="a")
    steps = (one.steps[0], replace(one.steps[1], action="<b>look</b>"), *drawn(7).steps[2:])
    two = replace(drawn(7), id="other", task_id="a", policy="rival", steps=steps)
    lonely = replace(drawn(6), task_id="b")
    left = Collection.of([one, lonely], [opinion(one), opinion(lonely)], name="left")
    right = Collection.of([two], [opinion(two)], name="right")
    view = spa_lab.inspect(left, beside=right)
    assert view.trajectory.id == "t4" and view.beside_set == "right"
    assert view.steps.count("they part<") == 2 and "The first action is the same." in view.steps
    assert "&lt;b&gt;look" in view.steps and "<b>look" not in view.steps
    assert marked(view, "steps") == ["0", "1", "2", "3"] and view.steps.count("<tr ") == 7 + 1
    press(view, differing="")
    assert view.numbers == [0], "the other task was not played there"
    press(view, differing="", trajectory="1")
    assert "no other episode of this task there" in view.controls and "they part" not in view.steps
    press(view, beside_set="")
    assert view.beside_set == "" and "no other episode" not in view.controls


def test_ends_are_compared_once_for_all_episodes(drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    """One by one, ten thousand take 8 seconds on each letter that is typed."""
    several = [replace(drawn(4 + k % 3), id=str(k), task_id=f"{k % 10}") for k in range(100)]
    view = Inspector(Collection.of(several))
    view.beside_set, counted = view.collection.name, []
    plain = pd.DataFrame.iloc.fget
    monkeypatch.setattr(pd.DataFrame, "iloc", property(lambda frame: counted.append(1) or plain(frame)))
    press(view, differing="")
    assert len(view.numbers) == 100 and len(counted) < 20


def test_tags_notes_and_labels_are_kept_and_exported(collection: Collection, tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    view = spa_lab.inspect(collection, notes=path)
    press(view, **{"tags:1": "odd, <b>, odd", "note:1": "why?", "label:0:2": "lost <i>", "text:0:2": "here"})
    assert "&lt;b&gt;" in view.found and "lost &lt;i&gt;" in view.steps
    press(view, tag="odd")
    assert view.numbers == [1] and view.trajectory.id == "t6"
    press(view, save_notes="")
    again = spa_lab.inspect(collection, notes=path)
    assert list(again.notes) == [
        Note("t6", tags=("odd", "<b>"), text="why?"), Note("t4", 2, label="lost <i>", text="here")
    ]  # fmt: skip
    (tmp_path / "file").write_text("no folder")
    again.notes_path = tmp_path / "file" / "notes.jsonl"
    press(again, save_notes="")
    assert 'role="alert"' in again.status and "file/notes.jsonl" in again.status, "the disk refuses"
    press(view, **{"tags:1": "", "note:1": ""})
    assert len(view.notes) == 1
    assert view.notes.to_frame()["label"].tolist() == ["lost <i>"]
    path.write_text(path.read_text().replace('"step": 2', '"step": "2"'))
    with pytest.raises(ValueError, match=r"notes.jsonl, line 3: note of 't4': 'step' must be an integer"):
        Notes.load(path)


def test_later_steps_of_a_longer_episode_beside_can_be_reached(drawn: Drawn, opinion: Opinion) -> None:
    short = replace(drawn(4), task_id="a")
    long = replace(drawn(450), task_id="a")
    view = spa_lab.inspect(
        Collection.of([short], [opinion(short)], name="left"), beside=Collection.of([long], name="right")
    )
    press(view, page="2")
    assert "steps 400 to 449 of 450" in view.steps and "candle 449" in view.steps and view.step == 0
    press(view, page="9")
    assert "steps 400 to 449 of 450" in view.steps, "there is no later page"
    press(view, page="0")
    assert marked(view, "steps") == ["0", "1", "2", "3"]
    press(view, page="1")
    view.selected_step = 3  # a key: back to the page of the selected step
    assert marked(view, "steps") == ["0", "1", "2", "3"]


def test_a_saved_page_says_that_the_episodes_beside_are_left_out(drawn: Drawn, tmp_path: Path) -> None:
    left, right = (Collection.of([drawn(4)], name=name) for name in ("left", "<right>"))
    note = "saved without the episodes beside, of &lt;right&gt;"
    for beside, told in ((right, True), (None, False)):
        spa_lab.inspect(left, beside=beside).save(tmp_path / "one.html")
        assert (note in saved(tmp_path / "one.html")["controls"]) is told


def test_unknown_outcomes_are_drawn_as_such(drawn: Drawn, opinion: Opinion) -> None:
    known = drawn(4)
    unknown = replace(drawn(6))
    for name, value in (("outcome", None), ("success", None)):
        object.__setattr__(unknown, name, value)
    object.__setattr__(unknown, "steps", tuple(replace(step, grounded=None) for step in unknown.steps))
    held = Collection.of([known, drawn(6)], [opinion(unknown)])
    held.index["success"] = pd.Series([True, None], dtype="object")
    held.index["outcome"] = [1.0, np.nan]
    held._open = [known, unknown].__getitem__
    view = Inspector(held, Selection(trajectory_id="t6"), sources=["spa@run-3"])
    assert "R = unknown ·" in view.head and "grounding unknown" in view.head
    assert "R = unknown, unknown" in view.found
    press(view, chart="waterfall")
    press(view, outcome="failure")
    assert view.numbers == []
    press(view, outcome="unknown")
    assert view.numbers == [1]


def test_small_curves_of_an_unmeasured_list_are_not_called_values(drawn: Drawn, opinion: Opinion) -> None:
    unmeasured = Inspector(Collection.of([drawn(4)], [opinion(drawn(4))]))
    assert 'title="running sum of credit">Σĉ</th>' in unmeasured.found


def test_a_columns_hint_has_the_whole_name_of_its_source(drawn: Drawn, opinion: Opinion) -> None:
    credit = replace(opinion(drawn(4)), source=f"my_package.{'x' * 80}:method")
    assert f'title="{credit.source}: ' in Inspector(Collection.of([drawn(4)], [credit])).steps
