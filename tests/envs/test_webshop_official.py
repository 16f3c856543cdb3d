"""The official files: known by size and hash, split without overlap, the full catalogue read through a cache.

The stand-in for the official data is a catalogue of our own under the official names.
"""

import gzip
import hashlib
import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spa_lab.envs.base import Environment
from spa_lab.envs.webshop import cache, official, official_files
from spa_lab.envs.webshop.bm25 import index_of
from spa_lab.envs.webshop.cache import build_cache, is_complete, open_cache
from spa_lab.envs.webshop.files import read_labels, read_products
from spa_lab.envs.webshop.goals import requirements_of
from spa_lab.envs.webshop.noun_scorer import RULE
from spa_lab.envs.webshop.official import NAME, make_official, split_tasks
from spa_lab.envs.webshop.official_files import FILES, KnownFile, checked_file, full_shop, small_shop
from spa_lab.envs.worlds import WORLDS, make_environment

RECORDED = Path(__file__).parents[1] / "fixtures" / "webshop"
SOURCES = {
    "items_shuffle_1000.json": "items_shuffle",
    "items_ins_v2_1000.json": "items_ins_v2",
    "items_shuffle.json": "items_shuffle",
    "items_ins_v2.json": "items_ins_v2",
    "items_human_ins.json": "items_human_ins",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A generated catalogue under the official names; their sizes and hashes are those of our files."""
    known = {}
    for name, source in SOURCES.items():
        content = gzip.decompress((RECORDED / f"{source}.json.gz").read_bytes())
        (tmp_path / name).write_bytes(content)
        known[name] = KnownFile(len(content), hashlib.sha256(content).hexdigest()[:8])
    monkeypatch.setattr(official_files, "FILES", known)
    monkeypatch.setenv("WEBSHOP_DATA", str(tmp_path))
    monkeypatch.delenv("WEBSHOP_DEMONSTRATIONS", raising=False)
    official._environment.cache_clear()
    yield tmp_path
    official._environment.cache_clear()


@pytest.fixture
def small(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As `folder`, with the files of the 1,000 products only, and small test splits."""
    monkeypatch.setattr(
        official, "SPLITS", {"unseen": range(50), "seen": range(50, 100), "train": range(100, 10_000)}
    )
    for name in official_files.FULL_FILES:
        (folder / name).unlink()
    return folder


def test_the_table_of_files() -> None:
    assert set(FILES) == set(SOURCES)
    assert all(len(known.sha256) == 8 and known.size > 100_000 for known in FILES.values())


def test_other_files_are_refused(folder: Path) -> None:
    path = checked_file(folder, "items_human_ins.json")
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(
        ValueError, match=rf"items_human_ins\.json: has {len(content) - 1:,} bytes.*{len(content):,}"
    ):
        checked_file(folder, path.name)
    path.write_bytes(content[:-1] + b" ")
    with pytest.raises(ValueError, match=r"items_human_ins\.json: SHA-256 is"):
        checked_file(folder, path.name)
    path.unlink()
    with pytest.raises(ValueError, match=r"items_human_ins\.json: missing"):
        small_shop(folder, human=True)


def test_splits_share_no_goal(folder: Path) -> None:
    goals = small_shop(folder, human=True, scorer=RULE).goals
    many = [replace(goals[i % 172], weight=i) for i in range(2000)]
    many[700] = replace(goals[0], attributes=("new",))
    many[1700] = replace(goals[0], attributes=("newer",))
    many[1800] = many[700]
    split = split_tasks(many)
    assert {name: len(panel) for name, panel in split.tasks.items()} == {"unseen": 500, "seen": 1, "train": 1}
    assert split.left_out == {"seen": 999, "train": 499}
    asked = [{requirements_of(task.payload) for task in panel} for panel in split.tasks.values()]
    assert not asked[0] & asked[1] and not asked[0] & asked[2] and not asked[1] & asked[2]
    assert split.tasks["train"][0].id == "webshop-official-01700"


def test_the_cache_is_the_same_shop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_PART", 1000)  # many parts
    full = make_official(full_shop(folder, folder / "cache", scorer=RULE), None)
    small = make_official(small_shop(folder, human=True, scorer=RULE), None)
    assert full.tasks("unseen", 172) == small.tasks("unseen", 172)
    assert sorted(path.name for path in (folder / "cache").iterdir()) == [
        "complete.json", "counts.npy", "documents.npy", "lengths.npy", "shop.sqlite",
    ]  # fmt: skip
    opened = open_cache(folder / "cache")
    products = list(read_products(folder / "items_shuffle.json", read_labels(folder / "items_ins_v2.json")))
    assert [opened.products[asin] for asin in opened.products] == products
    assert len(opened.products) == 500 and "B000" not in opened.products
    memory = index_of((product.asin, product.document) for product in products)
    with gzip.open(RECORDED / "search.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in map(json.loads, file):
            assert opened.index.search(line["query"]) == memory.search(line["query"])
    worlds = full.make_world(), small.make_world()
    for task in full.tasks("unseen", 20):
        assert worlds[0].reset(task) == worlds[1].reset(task)
        for action in (f"search[{task.instruction}]", f"click[{task.payload.asin}]", "click[buy now]"):
            assert worlds[0].step(action) == worlds[1].step(action)
    (folder / "items_shuffle.json").unlink()  # not needed after the cache was built
    full_shop(folder, folder / "cache", scorer=RULE)


def record(
    environment: Environment, index: int, *, buys: bool = True, limit: str = "990.00"
) -> dict[str, Any]:
    """A recording in ShareGPT form of buying the product that training goal `index` was made from."""
    task = environment.tasks("train", index + 1)[index]
    return recording_of(environment, task, buys=buys, limit=limit)


def recording_of(environment: Environment, task: Any, *, buys: bool, limit: str) -> dict[str, Any]:
    sentence = task.instruction.partition(", and price lower than")[0]
    instruction = f"{sentence}, and price lower than {limit} dollars" if limit else sentence
    world = environment.make_world()
    world.reset(task)
    asin = task.payload.asin
    values = [option[1] if isinstance(option, tuple) else option for option in task.payload.options]
    name = next(iter(world._shop.products[asin].document.split()), "")  # type: ignore[attr-defined]
    actions = [f"search[{world._shop.products[asin].title} {name}]", f"click[{asin}]"]  # type: ignore[attr-defined]
    actions += [f"click[{value}]" for value in values] + ["click[Buy Now]"] * buys
    value = f"WebShop [SEP] Instruction: [SEP] {instruction} [SEP] Search"
    messages = [
        {"from": "human", "value": "You are web shopping."},
        {"from": "gpt", "value": "OK"},
    ]
    for action in actions:
        messages.append({"from": "human", "value": f"Observation:\n{value}"})
        messages.append({"from": "gpt", "value": f"Thought: I go on.\nAction: {action}"})
        value = world.step(action).observation.replace(task.instruction, instruction)
    return {"id": f"webshop_{task.id}", "conversations": messages}


def test_panels_demonstrations_and_an_episode(small: Path, caplog: pytest.LogCaptureFixture) -> None:
    environment = make_environment(NAME)
    assert (environment.name, environment.official, environment.benchmark) == (NAME, True, "WebShop")
    assert environment.panels == ("unseen", "seen")
    assert environment.settings["catalogue"] == "1,000 products"
    assert environment.demonstrations is None and environment.make_expert is None
    assert WORLDS[NAME].recordings == "WEBSHOP_DEMONSTRATIONS"
    panel = environment.tasks("train", 40)
    test_goal = environment.tasks("unseen", 1)[0]
    recordings = [
        record(environment, 30),
        record(environment, 5, limit=""),
        record(environment, 9, buys=False),
        recording_of(environment, test_goal, buys=True, limit="50.00"),
    ]
    (small / "webshop_sft.json").write_text(json.dumps(recordings))
    with caplog.at_level(logging.WARNING):
        environment = make_environment(NAME)
    assert "1 of 4 recordings left out: goal outside train" in caplog.text
    first = environment.tasks("train", 40)
    assert [task.id for task in first[:3]] == [panel[30].id, panel[5].id, panel[9].id]
    assert {task.id for task in environment.tasks("train", 40)} >= {panel[0].id, panel[1].id}
    assert first[0].instruction.endswith(", and price lower than 990.00 dollars")
    assert first[0].payload.price_upper == 990.0
    assert "price lower" not in first[1].instruction
    assert first[0].expert_length == len(recordings[0]["conversations"]) // 2 - 1
    assert environment.demonstrations is not None
    with caplog.at_level(logging.WARNING):
        demonstrations = environment.demonstrations("train", 3)
    assert "3 recordings" in caplog.text and "1 recordings left out as unsuccessful" in caplog.text
    assert [each.trajectory.task_id for each in demonstrations] == [first[0].id, first[1].id]
    assert all(each.trajectory.success and all(each.supervised) for each in demonstrations)
    assert demonstrations[0].trajectory.steps[-1].thought == "I go on."
    with pytest.raises(ValueError, match="recordings of 3 of the first 4 train tasks"):
        environment.demonstrations("train", 4)
    world = environment.make_world()
    assert world.reset(first[0]) == f"WebShop [SEP] Instruction: [SEP] {first[0].instruction} [SEP] Search"
    for step in demonstrations[0].trajectory.steps:
        reply = world.step(step.action)
        assert reply.observation == step.observation
    assert (reply.done, reply.outcome) == (True, 1.0)


def test_the_full_catalogue_is_preferred(folder: Path) -> None:
    environment = make_environment(NAME)
    assert environment.settings["catalogue"] == "all products"
    assert (folder / "spa_lab_cache" / "complete.json").is_file()
    with pytest.raises(ValueError, match=r"panel 'unseen' with 501 tasks; panels are: unseen \(172 tasks\)"):
        environment.tasks("unseen", 501)


def test_a_cache_that_cannot_be_written(folder: Path) -> None:
    (folder / "spa_lab_cache").write_text("a file in the way")
    with pytest.raises(ValueError, match="spa_lab_cache: cannot build the search index"):
        make_environment(NAME)


def test_differences_from_a_recording_are_reported(small: Path) -> None:
    environment = make_environment(NAME)
    changed = record(environment, 30)
    changed["conversations"][4]["value"] += " [SEP] another product"
    (small / "webshop_sft.json").write_text(json.dumps([changed]))
    demonstrations = make_environment(NAME).demonstrations
    _, report = demonstrations.replay("train", 1)  # type: ignore[union-attr]
    assert (report.episodes, report.differences, report.refused, report.unsuccessful) == (1, 1, 0, ())
    assert "entry 1, step 1" in report.first[0].where


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (None, "WEBSHOP_DATA is not set; it must name a folder that holds items_shuffle.json, "),
        ([], "must hold .*items_shuffle_1000.json and items_ins_v2_1000.json .*; it holds nothing"),
        (["items_shuffle_1000.json"], "must hold .*; it holds items_shuffle_1000.json"),
    ],
)
def test_missing_data_are_named(
    names: list[str] | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WEBSHOP_DATA", raising=False)
    if names is not None:
        monkeypatch.setenv("WEBSHOP_DATA", str(tmp_path))
        for name in names:
            (tmp_path / name).write_text("[]")
    with pytest.raises(ValueError, match=message) as raised:
        make_environment(NAME)
    assert str(raised.value).startswith("webshop-official: WEBSHOP_DATA") and "\n" not in str(raised.value)


def test_a_missing_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBSHOP_DATA", str(tmp_path / "none"))
    with pytest.raises(ValueError, match="none is no folder"):
        make_environment(NAME)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("items_shuffle.json", [{"asin": "B1"}]),
        ("items_shuffle.json", {}),
        ("items_ins_v2.json", {"B1": 3}),
        ("items_ins_v2.json", {"B1": {"attributes": [3]}}),
    ],
)
def test_a_broken_build_is_no_cache(folder: Path, name: str, content: Any) -> None:
    (folder / name).write_text(json.dumps(content))
    target = folder / "cache"
    with pytest.raises(ValueError, match=name.replace(".", r"\.")):
        build_cache(folder / "items_shuffle.json", folder / "items_ins_v2.json", target)
    assert not is_complete(target)
    with pytest.raises(ValueError, match="no complete cache"):
        open_cache(target)
    for source in ("items_shuffle", "items_ins_v2"):
        shutil.copy(folder / f"{source}_1000.json", folder / f"{source}.json")
    build_cache(folder / "items_shuffle.json", folder / "items_ins_v2.json", target)
    assert len(open_cache(target).products) == 500


def test_a_half_written_mark_is_no_cache(tmp_path: Path) -> None:
    for text in ("", "[]", "{}", '{"version": 0}'):
        (tmp_path / "complete.json").write_text(text)
        assert not is_complete(tmp_path)
