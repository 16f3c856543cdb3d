"""What a log says of an episode besides its steps is on the page, escaped."""

import json
from pathlib import Path

import spa_lab
from spa_lab.importers import import_log
from spa_lab.store import Run
from spa_lab.view.html.episodes import episode_rows
from spa_lab.view.html.log_fields import log_fields_html
from spa_lab.view.html.steps import head_html
from spa_lab.view.tables.annotations import RunAnnotations
from spa_lab.view.tables.collection import Collection

LOGS = Path(__file__).resolve().parents[2] / "importers" / "logs"


def test_prompt_and_fields_are_folded_and_escaped() -> None:
    assert log_fields_html({}) == ""
    page = log_fields_html({"system_prompt": "Be <b>brief</b>.", "judge": {"note": "<i>fine</i>"}})
    assert "<summary>system prompt</summary>" in page and "Be &lt;b&gt;brief&lt;/b&gt;." in page
    assert "<summary>fields of the log</summary>" in page and "&lt;i&gt;fine&lt;/i&gt;" in page
    assert "<b>" not in page and "<i>" not in page


def test_a_log_and_its_run_show_the_system_prompt(tmp_path: Path) -> None:
    assert "You keep a library." in spa_lab.inspect(LOGS / "openai.jsonl").episode.head()
    run, _ = import_log(None, LOGS / "openai.jsonl", tmp_path / "run")
    several = Collection.read(run, "imported", annotations=RunAnnotations.of(Run.open(run.path)))
    assert several.meta(0)["system_prompt"] == "You keep a library."


def test_an_episode_without_a_task_sentence_is_named_by_what_it_sees_first(tmp_path: Path) -> None:
    def chat(asked: str) -> list[dict[str, str]]:
        return [{"role": "user", "content": asked}, {"role": "assistant", "content": "x"}]

    paths = []
    for name, asked in (("a", ["find the atlas", "find the map"]), ("b", ["find the map"])):
        paths.append(tmp_path / f"{name}.jsonl")
        paths[-1].write_text(
            "".join(
                json.dumps({"id": f"{name}-{n}", "messages": chat(one)}) + "\n" for n, one in enumerate(asked)
            )
        )
    left, right = (spa_lab.inspect(path).collection for path in paths)
    assert left.index["instruction"].tolist() == ["find the atlas", "find the map"]
    assert "find the atlas" in head_html(left.trajectory(0)).partition("</h3>")[0]
    assert right.same_task(left, 1) == [0] and right.same_task(left, 0) == []
    bare = spa_lab.inspect([{"steps": [{"action": "go"}]}]).collection
    assert bare.same_task(bare, 0) == [0], "of one id"
    other = spa_lab.inspect([{"id": "z", "steps": [{"action": "go"}]}]).collection
    assert other.same_task(bare, 0) == [], "neither says what its task is"


def test_an_unknown_outcome_is_one_mark_in_the_list_of_episodes() -> None:
    (row,) = episode_rows(spa_lab.inspect(LOGS / "codex.jsonl").collection, [0])
    assert '<td title="R = unknown, unknown">?</td>' in row
