"""The official files: known by size and hash, split without overlap, the full set read through a cache."""

import gzip
import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spa_lab.envs.webshop import cache, official
from spa_lab.envs.webshop.bm25 import index_of
from spa_lab.envs.webshop.cache import build_cache, is_complete, open_cache
from spa_lab.envs.webshop.files import read_labels, read_products
from spa_lab.envs.webshop.goals import requirements_of
from spa_lab.envs.webshop.noun_scorer import RULE
from spa_lab.envs.webshop.official import (
    FILES,
    Known,
    checked_file,
    full_environment,
    official_tasks,
    small_environment,
)

RECORDED = Path(__file__).parents[1] / "fixtures" / "webshop"
SOURCES = {
    "items_shuffle_1000.json": "items_shuffle",
    "items_ins_v2_1000.json": "items_ins_v2",
    "items_shuffle.json": "items_shuffle",
    "items_ins_v2.json": "items_ins_v2",
    "items_human_ins.json": "items_human_ins",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A generated catalogue under the official names, taken for the official one."""
    known = {}
    for name, source in SOURCES.items():
        content = gzip.decompress((RECORDED / f"{source}.json.gz").read_bytes())
        (tmp_path / name).write_bytes(content)
        known[name] = Known(len(content), hashlib.sha256(content).hexdigest()[:8])
    monkeypatch.setattr(official, "FILES", known)
    return tmp_path


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
        small_environment(folder, "human")


def test_the_small_set_as_an_environment(folder: Path) -> None:
    env, found = small_environment(folder, scorer=RULE)
    task = env.tasks("unseen", 500)[3]
    world = env.make_world()
    assert world.reset(task) == f"WebShop [SEP] Instruction: [SEP] {task.instruction} [SEP] Search"
    assert world.step(f"search[{task.instruction}]").grounded
    assert found.tasks["seen"][0].split == "seen"
    with pytest.raises(ValueError, match="no 501 tasks of 'unseen'"):
        env.tasks("unseen", 501)
    with pytest.raises(ValueError, match="reads only instructions of the generated shop"):
        env.make_expert(task, "")
    again, _ = small_environment(folder, scorer=RULE)
    assert again.tasks("unseen", 500) == env.tasks("unseen", 500)


def test_splits_share_no_wish(folder: Path) -> None:
    env, _ = small_environment(folder, "human", scorer=RULE)
    goals = [task.payload for task in env.tasks("unseen", 172)]
    many = [replace(goals[i % 172], weight=i) for i in range(2000)]
    many[700] = replace(goals[0], attributes=("new",))
    many[1700] = replace(goals[0], attributes=("newer",))
    many[1800] = many[700]
    found = official_tasks(many)
    assert {split: len(panel) for split, panel in found.tasks.items()} == {
        "unseen": 500,
        "seen": 1,
        "train": 1,
    }
    assert found.left_out == {"unseen": 0, "seen": 999, "train": 499}
    wishes = [{requirements_of(task.payload) for task in panel} for panel in found.tasks.values()]
    assert not wishes[0] & wishes[1] and not wishes[0] & wishes[2] and not wishes[1] & wishes[2]
    assert found.tasks["train"][0].id == "webshop-official-01700"


def test_the_cache_is_the_same_shop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_PART", 1000)  # many parts
    env, _ = full_environment(folder, folder / "cache", scorer=RULE)
    small, _ = small_environment(folder, "human", scorer=RULE)
    assert env.tasks("unseen", 172) == small.tasks("unseen", 172)
    assert sorted(path.name for path in (folder / "cache").iterdir()) == [
        "complete.json", "counts.npy", "documents.npy", "lengths.npy", "shop.sqlite",
    ]  # fmt: skip
    found = open_cache(folder / "cache")
    products = list(read_products(folder / "items_shuffle.json", read_labels(folder / "items_ins_v2.json")))
    assert [found.products[asin] for asin in found.products] == products
    assert len(found.products) == 500 and "B000" not in found.products
    memory = index_of((product.asin, product.document) for product in products)
    with gzip.open(RECORDED / "search.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in map(json.loads, file):
            assert found.index.search(line["query"]) == memory.search(line["query"])
    worlds = env.make_world(), small.make_world()
    for task in env.tasks("unseen", 20):
        assert worlds[0].reset(task) == worlds[1].reset(task)
        for action in (f"search[{task.instruction}]", f"click[{task.payload.asin}]", "click[buy now]"):
            assert worlds[0].step(action) == worlds[1].step(action)
    (folder / "items_shuffle.json").unlink()  # not needed any more
    full_environment(folder, folder / "cache", scorer=RULE)


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
