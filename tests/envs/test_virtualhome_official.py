"""Import of official scenes: graphs come back unchanged, and only tasks that their program solves."""

import copy
import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from spa_lab.envs.virtualhome import official
from spa_lab.envs.virtualhome.world import VirtualHomeWorld


def node(key: int, name: str, *states: str, category: str = "Furniture", has: str = "") -> dict[str, Any]:
    return {
        "id": key,
        "class_name": name,
        "category": category,
        "properties": has.split(),
        "states": list(states),
        "prefab_name": None,
        "bounding_box": None,
    }


def edge(one: int, relation: str, other: int) -> dict[str, Any]:
    return {"from_id": one, "relation_type": relation, "to_id": other}


INITIAL: dict[str, Any] = {
    "nodes": [
        node(9, "lamp", "OFF", has="HAS_SWITCH"),
        node(1, "office", category="Rooms"),
        node(3, "character", category="Characters"),
    ],
    "edges": [edge(3, "INSIDE", 1), edge(9, "INSIDE", 1), edge(9, "CLOSE", 3), edge(9, "CLOSE", 1)],
}
PROGRAM = """Work
Turn on the light.
Then work.

[WALK] <office> (1.1)
[WALK] <light> (1.9)
[SWITCHON] <light> (1.9)
"""
SET = "Scene1_graph/results_intentions"


def final(**states: list[str]) -> dict[str, Any]:
    graph = copy.deepcopy(INITIAL)
    for one in graph["nodes"]:
        one["states"] = states.get(one["class_name"], one["states"])
    graph["edges"].append(edge(3, "CLOSE", 9))
    return graph


def archive(folder: Path, scenes: dict[str, tuple[Any, Any, str]], name: str = "programs.zip") -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("data/init_and_final_graphs/__init__.py", "")
        for key, (before, after, program) in scenes.items():
            record = {"init_graph": before, "final_graph": after}
            file.writestr(f"data/init_and_final_graphs/{SET}/{key}.json", json.dumps(record))
            file.writestr(f"data/executable_programs/{SET}/{key}.txt", program)
    return path


def imported(folder: Path, scenes: dict[str, tuple[Any, Any, str]]) -> Path:
    out = folder / "virtualhome" / "scenes.json.xz"
    assert official.import_archive(archive(folder, scenes), out) == len(scenes)
    return out


def changed(**values: Any) -> dict[str, Any]:
    graph = copy.deepcopy(INITIAL)
    graph["nodes"][0].update(values)
    return graph


def test_a_task_is_played_as_its_program_says(tmp_path: Path) -> None:
    cache = imported(tmp_path, {"file1_1": (INITIAL, final(lamp=["ON"]), PROGRAM)})
    (task,) = official.official_tasks(cache)
    assert task.instruction == "Work (Turn on the light. Then work.)"
    assert (task.split, task.expert_length) == ("official", 3)
    assert task.payload.goal == (("state", 9, ["ON"]),)
    world = VirtualHomeWorld()
    world.reset(task)
    assert not world.step("walk to light").done  # the program's name for the lamp
    assert world.step("switch on light").done


@pytest.mark.parametrize(
    ("after", "program"),
    [
        (final(), PROGRAM),  # nothing to do
        (final(lamp=["ON", "CLEAN"]), PROGRAM),  # not what the program does
        (final(lamp=["ON"]), PROGRAM.replace("[SWITCHON]", "[SWITCHOFF]")),
        (final(lamp=["ON"]), PROGRAM.replace("[SWITCHON]", "[FLY]")),
        (final(lamp=["ON"]), PROGRAM.replace("1.9)", "1.77)")),
        (final(lamp=["ON"]), ""),
    ],
)
def test_tasks_that_their_program_does_not_solve_are_left_out(
    tmp_path: Path, after: Any, program: str
) -> None:
    assert official.official_tasks(imported(tmp_path, {"a": (INITIAL, after, program)})) == []


def test_graphs_come_back_with_their_edges_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = changed(states=["ON"], class_name="light")
    other["nodes"].append(node(4, "desk"))
    other["edges"] = [edge(4, "ON", 9), edge(9, "CLOSE", 1), edge(9, "CLOSE", 3), edge(3, "INSIDE", 1)]
    imported(tmp_path, {"a": (INITIAL, final(), PROGRAM), "b": (other, final(), PROGRAM)})
    monkeypatch.setenv("SPA_LAB_DATA", str(tmp_path))
    find = official.graph_finder(tmp_path)
    for graph in (INITIAL, other):
        digest = hashlib.sha256(
            json.dumps({"init_graph": graph, "final_graph": final()}).encode()
        ).hexdigest()
        found = find("any", digest)
        for one in graph["nodes"]:
            kept = {key: one[key] for key in ("id", "class_name", "category", "properties", "states")}
            assert kept in found["nodes"]
        assert len(found["nodes"]) == len(graph["nodes"])
        for end in {(one["from_id"], one["relation_type"]) for one in graph["edges"]}:
            orders = [
                [one["to_id"] for one in edges if (one["from_id"], one["relation_type"]) == end]
                for edges in (graph["edges"], found["edges"])
            ]
            assert orders[0] == orders[1]
    with pytest.raises(LookupError, match="which is neither in"):
        find("any", "0")


def test_the_wheel_in_the_folder_comes_first(tmp_path: Path) -> None:
    path = archive(tmp_path, {"a": (INITIAL, final(), PROGRAM)}, official.WHEEL)
    member = f"data/init_and_final_graphs/{SET}/a.json"
    digest = hashlib.sha256(zipfile.ZipFile(path).read(member)).hexdigest()
    find = official.graph_finder(tmp_path)
    assert find(member, digest) == INITIAL
    with pytest.raises(ValueError, match="has sha256"):
        find(member, "0")
    with pytest.raises(ValueError, match=r"cannot read lost\.json"):
        find("lost.json", "0")


def test_bad_archives_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "out.xz"
    with pytest.raises(ValueError, match=f"sha256 is .*, expected {official.WHEEL_SHA256}"):
        official.import_archive(archive(tmp_path, {}, official.WHEEL), out)
    with pytest.raises(ValueError, match="holds 0 files"):
        official.import_archive(archive(tmp_path, {}), out)
    with pytest.raises(ValueError, match="cannot be read after 0 scenes"):
        official.import_archive(archive(tmp_path, {"a": ({"nodes": 3}, {}, "")}), out)
    (tmp_path / "broken.zip").write_bytes(b"PK nothing")
    with pytest.raises(ValueError, match="cannot be read after 0 scenes"):
        official.import_archive(tmp_path / "broken.zip", out)
    assert not out.exists()
    out.write_bytes(b"not xz")
    with pytest.raises(ValueError, match="not a file of imported scenes"):
        official.official_tasks(out)


def test_programs_are_read() -> None:
    steps = official.read_program(
        "Title\n\n[WALK] <home_office> (1.319)\n[PUTBACK] <cup> (1.2) <desk> (7)\n[SLEEP]\n"
    )
    assert steps == [
        ("WALK", (("home_office", 319),)),
        ("PUTBACK", (("cup", 2), ("desk", 7))),
        ("SLEEP", ()),
    ]
