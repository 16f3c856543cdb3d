"""Published scenes: graphs come back unchanged, tasks are those that their program solves, and the world."""

import copy
import hashlib
import json
import logging
import zipfile
from pathlib import Path
from typing import Any

import pytest

from spa_lab.envs.virtualhome import imported_scenes, official
from spa_lab.envs.virtualhome.flats import is_unseen
from spa_lab.envs.virtualhome.world import VirtualHomeWorld
from spa_lab.envs.worlds import make_environment


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


def edge(source: int, relation: str, target: int) -> dict[str, Any]:
    return {"from_id": source, "relation_type": relation, "to_id": target}


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
    for node_record in graph["nodes"]:
        node_record["states"] = states.get(node_record["class_name"], node_record["states"])
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
    assert imported_scenes.import_archive(archive(folder, scenes), out) == len(scenes)
    return out


def changed(**values: Any) -> dict[str, Any]:
    graph = copy.deepcopy(INITIAL)
    graph["nodes"][0].update(values)
    return graph


def test_a_task_is_played_as_its_program_says(tmp_path: Path) -> None:
    cache = imported(tmp_path, {"file1_1": (INITIAL, final(lamp=["ON"]), PROGRAM)})
    (task,) = official.official_tasks(cache)
    assert task.instruction == "Work (Turn on the light. Then work.)"
    assert (task.split, task.kind, task.expert_length) == (
        official.split_of("Work", task.instruction),
        "Work",
        3,
    )
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
    assert official.official_tasks(imported(tmp_path, {"a": (INITIAL, after, program)})) == ()


def test_graphs_come_back_with_their_edges_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = changed(states=["ON"], class_name="light")
    other["nodes"].append(node(4, "desk"))
    other["edges"] = [edge(4, "ON", 9), edge(9, "CLOSE", 1), edge(9, "CLOSE", 3), edge(3, "INSIDE", 1)]
    imported(tmp_path, {"a": (INITIAL, final(), PROGRAM), "b": (other, final(), PROGRAM)})
    monkeypatch.setenv("SPA_LAB_DATA", str(tmp_path))
    find = imported_scenes.graph_finder(tmp_path)
    for graph in (INITIAL, other):
        digest = hashlib.sha256(
            json.dumps({"init_graph": graph, "final_graph": final()}).encode()
        ).hexdigest()
        imported_graph = find("any", digest)
        for record in graph["nodes"]:
            kept = {key: record[key] for key in ("id", "class_name", "category", "properties", "states")}
            assert kept in imported_graph["nodes"]
        assert len(imported_graph["nodes"]) == len(graph["nodes"])
        for end in {(each["from_id"], each["relation_type"]) for each in graph["edges"]}:
            orders = [
                [each["to_id"] for each in edges if (each["from_id"], each["relation_type"]) == end]
                for edges in (graph["edges"], imported_graph["edges"])
            ]
            assert orders[0] == orders[1]
    with pytest.raises(LookupError, match="which is neither in"):
        find("any", "0")


def test_the_wheel_in_the_folder_comes_first(tmp_path: Path) -> None:
    path = archive(tmp_path, {"a": (INITIAL, final(), PROGRAM)}, imported_scenes.WHEEL)
    member = f"data/init_and_final_graphs/{SET}/a.json"
    digest = hashlib.sha256(zipfile.ZipFile(path).read(member)).hexdigest()
    find = imported_scenes.graph_finder(tmp_path)
    assert find(member, digest) == INITIAL
    with pytest.raises(ValueError, match="has sha256"):
        find(member, "0")
    with pytest.raises(ValueError, match=r"cannot read lost\.json"):
        find("lost.json", "0")


def test_bad_archives_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "out.xz"
    with pytest.raises(ValueError, match=f"sha256 is .*, expected {imported_scenes.WHEEL_SHA256}"):
        imported_scenes.import_archive(archive(tmp_path, {}, imported_scenes.WHEEL), out)
    with pytest.raises(ValueError, match="contains no init_and_final_graphs/"):
        imported_scenes.import_archive(archive(tmp_path, {}), out)
    with pytest.raises(ValueError, match="cannot be read after 0 scenes"):
        imported_scenes.import_archive(archive(tmp_path, {"a": ({"nodes": 3}, {}, "")}), out)
    (tmp_path / "broken.zip").write_bytes(b"PK nothing")
    with pytest.raises(ValueError, match="cannot be read after 0 scenes"):
        imported_scenes.import_archive(tmp_path / "broken.zip", out)
    assert not out.exists()
    out.write_bytes(b"not xz")
    with pytest.raises(ValueError, match="not a file of imported scenes"):
        official.official_tasks(out)


def test_programs_are_read() -> None:
    steps = imported_scenes.read_program(
        "Title\n\n[WALK] <home_office> (1.319)\n[PUTBACK] <cup> (1.2) <desk> (7)\n"
        "[SLEEP]\n[SLEEP] <bed> (1.3)\n"
    )
    assert steps == [
        ("WALK", (("home_office", 319),)),
        ("PUTBACK", (("cup", 2), ("desk", 7))),
        ("SLEEP", ()),
        ("SLEEP", (("bed", 3),)),
    ]
    assert [step.text for step in steps] == ["walk to home office", "put cup on desk", "sleep", None]


SEEN_TITLE, UNSEEN_TITLE = "Work", "Wash hands"
OTHER = """Wash hands
Switch the lamp on

[WALK] <office> (1.1)
[FIND] <lamp> (1.9)
[SWITCHON] <lamp> (1.9)
"""
SCENES = {
    "file1_1": (INITIAL, final(lamp=["ON"]), PROGRAM),
    "file1_2": (INITIAL, final(lamp=["ON"]), PROGRAM),
    "file2_1": (INITIAL, final(lamp=["ON"]), OTHER),
    "file3_1": (INITIAL, final(), PROGRAM),
}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with an archive of four scenes, one of which its program does not solve."""
    archive(tmp_path, SCENES, imported_scenes.ZIP)
    monkeypatch.setenv("VIRTUALHOME_DATA", str(tmp_path))
    monkeypatch.delenv("VIRTUALHOME_DEMONSTRATIONS", raising=False)
    return tmp_path


def conversation(title: str, *actions: str, example: bool = False, **fields: Any) -> dict[str, Any]:
    """A demonstration in ShareGPT form."""
    messages = [{"from": "human", "value": "Interact with a household."}, {"from": "gpt", "value": "OK"}]
    value = f"The task is {title}."
    for action in actions:
        messages += [
            {"from": "human", "value": value},
            {"from": "gpt", "value": f"Thought: Next.\nAction: {action}"},
        ]
        value = "Observation: something else"
    return {**fields, "conversations": messages}


def test_panels_demonstrations_and_an_episode(data: Path) -> None:
    assert (is_unseen(SEEN_TITLE), is_unseen(UNSEEN_TITLE)) == (False, True)
    environment = make_environment("virtualhome-official")
    assert (environment.official, environment.benchmark) == (True, "VirtualHome")
    assert environment.settings == {"scenes": imported_scenes.ZIP, "demonstrations": "scenes.json.xz"}
    (unseen,) = environment.tasks("unseen", 1)
    assert (unseen.kind, unseen.env, unseen.expert_length) == (UNSEEN_TITLE, "virtualhome-official", 3)
    split = official.split_of(SEEN_TITLE, "Work (Turn on the light. Then work.)")
    known = environment.tasks(split, 2)
    assert [task.kind for task in known] == [SEEN_TITLE, SEEN_TITLE]
    with pytest.raises(ValueError, match=r"no panel 'unseen' with 2 tasks; panels are: .*unseen \(1 tasks\)"):
        environment.tasks("unseen", 2)
    assert environment.demonstrations is not None
    demonstrations = environment.demonstrations(split, 2)
    assert [each.trajectory.task_id for each in demonstrations] == [task.id for task in known]
    actions = [step.action for step in demonstrations[0].trajectory.steps]
    assert actions == ["walk to office", "walk to light", "switch on light"]
    assert demonstrations[0].trajectory.success and all(demonstrations[0].supervised)
    world = environment.make_world()
    assert world.reset(known[0]) == "The task is Work (Turn on the light. Then work.)."
    replies = [world.step(action) for action in actions]
    assert [reply.observation for reply in replies] == [
        step.observation for step in demonstrations[0].trajectory.steps
    ]
    assert (replies[-1].done, replies[-1].outcome) == (True, 1.0)
    (data / imported_scenes.ZIP).unlink()  # imported once
    assert make_environment("virtualhome-official").tasks("unseen", 1) == environment.tasks("unseen", 1)


def test_recordings_belong_to_the_task_they_name_or_solve(
    data: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_environment("virtualhome-official")
    title = "Work(Turn on the light. Then work.)"
    solution = ("walk to office", "walk to light", "switch on light")
    recordings = [
        conversation(title, "walk to office", "walk to the light", path=f"x/{SET}/file1_2.json"),
        conversation(title, *solution),
        conversation(title, *solution),  # no task is left
        conversation("Dance (Dance)", "walk to office"),
    ]
    path = data / "demonstrations.json"
    path.write_text(json.dumps(recordings))
    monkeypatch.setenv("VIRTUALHOME_DEMONSTRATIONS", str(path))
    with caplog.at_level(logging.WARNING):
        environment = make_environment("virtualhome-official")
    assert "2 of 4 recordings belong to no available task" in caplog.text
    assert environment.settings["demonstrations"] == "demonstrations.json"
    assert isinstance(environment.demonstrations, official.RecordedDemonstrations)
    split = official.split_of(SEEN_TITLE, "Work (Turn on the light. Then work.)")
    usable, report = environment.demonstrations.replay(split, 2)
    assert [each.trajectory.task_id.rpartition("/")[2] for each in usable] == ["file1_1"]
    assert usable[0].trajectory.steps[0].thought == "Next."
    assert (report.episodes, report.refused, len(report.unsuccessful)) == (2, 1, 1)
    assert report.differences == 3  # the recorded observations are not ours


@pytest.mark.parametrize(
    ("recorded", "ours", "same"),
    [
        ("The task is Work(Turn it on).", "The task is Work (Turn it on).", True),
        (
            "cup, table is CLEAN, cup ON table. You have milk.",
            "table is CLEAN, cup, cup ON table. You have milk.",
            True,
        ),
        ("", "You see nothing.", True),
        ("cup.", "You see nothing.", False),
        ("table is CLEAN.", "table is DIRTY.", False),
        ("cup. You have milk.", "cup, milk.", False),
    ],
)
def test_texts_agree_in_any_order(recorded: str, ours: str, same: bool) -> None:
    assert official.same_text(recorded, ours) is same


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "VIRTUALHOME_DATA is not set; it must name a folder that holds eai_eval-1.0.5"),
        ([], "must hold eai_eval-1.0.5.*; it holds nothing"),
        (["readme.txt"], "must hold eai_eval-1.0.5.*; it holds readme.txt"),
    ],
)
def test_missing_data_are_named(
    content: list[str] | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPA_LAB_DATA", str(tmp_path))
    monkeypatch.delenv("VIRTUALHOME_DATA", raising=False)
    if content is not None:
        monkeypatch.setenv("VIRTUALHOME_DATA", str(tmp_path))
        for name in content:
            (tmp_path / name).write_text("x")
    with pytest.raises(ValueError, match=message) as raised:
        make_environment("virtualhome-official")
    assert str(raised.value).startswith("virtualhome-official: ") and "\n" not in str(raised.value)


def test_scenes_imported_into_the_projects_data_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPA_LAB_DATA", str(tmp_path))
    monkeypatch.delenv("VIRTUALHOME_DATA", raising=False)
    imported(tmp_path, SCENES)
    assert len(make_environment("virtualhome-official").tasks("unseen", 1)) == 1


def test_data_without_a_usable_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTUALHOME_DATA", str(tmp_path))
    archive(tmp_path, {"a": (INITIAL, final(), PROGRAM)}, imported_scenes.ZIP)
    with pytest.raises(ValueError, match=r"scenes\.json\.xz: none of its programs solves its own goal"):
        make_environment("virtualhome-official")
