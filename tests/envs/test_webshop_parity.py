"""Replay of recordings of the original engine: everything agrees, and differences are found."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spa_lab.envs.webshop.parity import replay_folder

RECORDED = Path(__file__).parents[1] / "fixtures" / "webshop"
CATALOGUE = ("items_shuffle", "items_ins_v2", "items_human_ins", "prices")


def lines(name: str) -> list[dict[str, Any]]:
    with gzip.open(RECORDED / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def write(path: Path, records: list[Any]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The recorded catalogue without any recording."""
    for name in CATALOGUE:
        shutil.copy(RECORDED / f"{name}.json.gz", tmp_path)
    return tmp_path


def bought() -> dict[str, Any]:
    """The shortest recorded episode that ends in a purchase of something with options."""
    episodes = [e for e in lines("episodes") if "purchase" in e["steps"][-1] and e["steps"][-1]["options"]]
    return min(episodes, key=lambda episode: len(episode["steps"]))


def test_everything_recorded_agrees() -> None:
    report = replay_folder(RECORDED)
    assert report.render().splitlines() == [
        "documents: 500, 0 mismatches",
        "prices: 1500, 0 mismatches",
        "goals: 2235, 0 mismatches",
        "searches: 395, 0 mismatches",
        "analyses: 213, 0 mismatches",
        "reward cases: 600, 0 mismatches",
        "fuzzy pairs: 700, 0 mismatches",
        "colors: 107, 0 mismatches",
        "searches in episodes: 240, 0 mismatches",
        "250 episodes, 2515 steps, 0 mismatches, 0 not replayed",
    ]
    assert report.passed


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (lambda e: e["steps"][0].update(observation="Something else."), "Something else."),
        (lambda e: e["steps"][0]["available"].update(has_search_bar=True), "step 1 of"),
        (lambda e: e["steps"][1]["available"]["clickables"].pop(), "available"),
        (lambda e: e["steps"][-1].update(reward=0.123), "0.123"),
        (lambda e: e["steps"][-1].update(done=False), "done"),
        (lambda e: e["steps"][-1]["purchase"].update(r_att=0.123), "purchase"),
        (lambda e: e["steps"][-1]["purchase"].pop("r_option"), "purchase"),
        (lambda e: e["steps"][0]["search"].update(query="tea"), "search"),
        (lambda e: e["goal"].update(price_upper=12.5), "lower than 12.50 dollars"),
        (lambda e: e["initial"].update(observation="Welcome."), "opening: observation"),
    ],
)
def test_a_difference_is_counted_and_shown(
    folder: Path, change: Callable[[dict[str, Any]], Any], shown: str
) -> None:
    episode = bought()
    change(episode)
    write(folder / "x.jsonl.gz", [episode])
    report = replay_folder(folder)
    assert (report.episodes, report.steps) == (1, len(episode["steps"]))
    assert report.mismatches >= 1
    assert shown in report.render()
    assert not report.passed


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("search", lambda line: line["hits"].insert(0, line["hits"].pop())),
        ("search", lambda line: line["hits"][0].__setitem__(1, line["hits"][0][1] * 1.001)),
        ("search", lambda line: line["hits"].__setitem__(1, line["hits"][0])),
        ("search", lambda line: line.update(n_hits_50=51)),
        ("search", lambda line: line["tokens"].append("tea")),
        ("analyzer", lambda line: line["tokens"].pop()),
        ("documents", lambda line: line.update(contents="tea")),
        ("fuzzy", lambda line: line.update(token_set_ratio=101)),
        ("colors", lambda line: line.update(normalize_color="tan")),
        ("reward_cases", lambda line: line.update(reward=0.123)),
        ("reward_cases", lambda line: line["info"].update(title_score=0.123)),
        ("goals", lambda line: line.update(price_upper=5.0)),
        ("goals", lambda line: line.update(weight=0.5)),
        ("goals", lambda line: line.update(index=10_000)),
    ],
)
def test_the_other_recordings_can_disagree(
    folder: Path, name: str, change: Callable[[dict[str, Any]], Any]
) -> None:
    some = lines(name)[0]
    write(folder / "x.jsonl.gz", [some])
    before = replay_folder(folder).mismatches
    change(some)
    write(folder / "x.jsonl.gz", [some])
    assert replay_folder(folder).mismatches == before + 1


def test_near_ties_may_be_in_either_order(folder: Path) -> None:
    line = next(line for line in lines("search") if line["query"] == "shampoo")
    first, second = line["hits"][1], line["hits"][2]  # equal except for the tie-breaking decrement
    line["hits"][1:3] = [[second[0], first[1]], [first[0], second[1]]]
    write(folder / "x.jsonl.gz", [line])
    assert replay_folder(folder).mismatches == 0


def test_what_cannot_be_replayed_is_named(folder: Path) -> None:
    far, elsewhere = bought(), bought()
    far["goal_index"] = 99_999
    elsewhere["block"] = "moon"
    write(folder / "x.jsonl.gz", [far, elsewhere])
    report = replay_folder(folder)
    assert not report.passed
    assert f"not replayed: {far['episode_id']}: goal 99999 of" in report.render()
    assert report.render().endswith("0 episodes, 0 steps, 0 mismatches, 2 not replayed")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e.pop("initial"), "'initial' must be a dict"),
        (lambda e: e["goal"].pop("weight"), "'weight' must be a number"),
        (lambda e: e["goal"].update(attributes="red"), "'attributes' must be a list of strings"),
        (lambda e: e["steps"].insert(1, 7), "step 2 is not an object"),
        (lambda e: e["steps"][0].pop("action"), "'action' must be a str"),
        (lambda e: e["steps"][0].pop("done"), "'done' is missing"),
        (lambda e: e["steps"][0]["search"].update(hits=[{}]), "'hits' must be a list of strings"),
        (lambda e: e.pop("steps"), "is none of: episode, goal"),
    ],
)
def test_a_damaged_recording_is_refused(
    folder: Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    episode = bought()
    change(episode)
    write(folder / "x.jsonl.gz", [episode])
    with pytest.raises(ValueError, match=f"x.jsonl.gz:1.*{message}"):
        replay_folder(folder)


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_catalogue_is_needed(folder: Path, name: str) -> None:
    (folder / f"{name}.json.gz").unlink()
    with pytest.raises(ValueError, match=f"expected one file {name}"):
        replay_folder(folder)
