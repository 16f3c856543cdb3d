"""Replays recorded episodes of VirtualHome's own graph engine and compares all of its output with ours.

Format (gzip, JSON lines): a line with `graph` is a scene (`scene`); a line with `steps` is an episode
(`episode_id`, `mode`, `patches`, `scene` or `file`, `bind`, goals, `initial`). An episode with `file` starts
from a scene of the `eai-eval` wheel: it is replayed if the wheel is in the folder or its scenes were
imported, and counted as not replayed otherwise.
"""

import hashlib
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spa_lab.envs.parity import SHOWN, Mismatch, ParityReport, field_of, recorded_in
from spa_lab.envs.virtualhome.actions import ACTIONS
from spa_lab.envs.virtualhome.commands import Bindings, Command, program_line
from spa_lab.envs.virtualhome.goal import Condition, read_goal
from spa_lab.envs.virtualhome.graph import CLOSE, INSIDE, RELATIONS, Scene, State
from spa_lab.envs.virtualhome.imported_scenes import GraphFinder, graph_finder
from spa_lab.envs.virtualhome.observation import agent_rooms, relations, visible
from spa_lab.envs.virtualhome.reader import read_scene
from spa_lab.envs.virtualhome.rules import stays
from spa_lab.envs.virtualhome.scene_state import SceneState
from spa_lab.envs.virtualhome.transition import EpisodeState, Transition, apply_command, apply_text

_GOALS = ("goal", "diff_goal", "eai_goal")
_CRASHES = {
    "FIND": ("find_patch", "JoinedExecutor.execute() takes 5 positional arguments but 7 were given"),
    "PUTOFF": (
        "putoff_patch",
        "PutOffExecutor.check_putoff() missing 1 required positional argument: 'char_index'",
    ),
}
"""Action -> the patch that fixes its crash, and the exception of the unpatched engine."""

Findings = dict[str, Any]
Scenes = dict[str, Scene]


def replay_folder(folder: Path) -> ParityReport:
    """Replay every recorded episode in the `*.jsonl.gz` files of a folder.

    Raises:
        ValueError: the folder has no such files, or one of them is damaged or of another kind.
    """
    scenes: Scenes = {}
    recorded: list[tuple[str, dict[str, Any]]] = []
    for where, line in recorded_in(folder):
        if "graph" in line:
            _add_scene(scenes, line, where)
        elif "steps" in line:
            recorded.append((where, line))
        else:
            raise ValueError(f"{where}: expected a scene ('graph') or an episode ('steps')")
    return _replay(scenes, graph_finder(folder), recorded)


def _add_scene(scenes: Scenes, line: dict[str, Any], where: str) -> None:
    name = field_of(line, "scene", str, where)
    if name in scenes:
        raise ValueError(f"{where}: duplicate scene {name!r}")
    scenes[name] = read_scene(line["graph"], name)


def _replay(scenes: Scenes, find: GraphFinder, recorded: list[tuple[str, dict[str, Any]]]) -> ParityReport:
    episodes = steps = mismatches = 0
    not_replayed: list[str] = []
    first: list[Mismatch] = []
    for where, episode in recorded:
        name = field_of(episode, "episode_id", str, where)
        try:
            scene = _scene_of(episode, scenes, find, where)
        except LookupError as error:
            not_replayed.append(f"{name}: {error.args[0]}")
            continue
        episodes += 1
        steps += len(field_of(episode, "steps", list, where))
        for label, expected, ours in _comparisons(scene, episode, where):
            differences = _differences(label, expected, ours, where)
            mismatches += bool(differences)
            if len(first) < SHOWN:
                first += [Mismatch(f"{name}, {what}", theirs, mine) for what, theirs, mine in differences]
    return ParityReport(episodes, steps, mismatches, tuple(not_replayed), tuple(first[:SHOWN]))


def _scene_of(episode: dict[str, Any], scenes: Scenes, find: GraphFinder, where: str) -> Scene:
    """The scene that an episode starts in.

    Raises:
        LookupError: it is not available; the first argument is the reason.
    """
    if "file" not in episode:
        name = field_of(episode, "scene", str, where)
        if name not in scenes:
            raise LookupError(f"its scene {name!r} is not in the folder")
        return scenes[name]
    file = field_of(episode, "file", dict, where)
    member, digest = (field_of(file, key, str, f"{where}: file") for key in ("member", "sha256"))
    return read_scene(find(member, digest), member.rpartition("/")[2].removesuffix(".json"))


def _comparisons(
    scene: Scene, episode: dict[str, Any], where: str
) -> Iterator[tuple[str, dict[str, Any], Findings]]:
    """(label, recorded, ours) of the opening and of each step."""
    goals = {key: read_goal(episode[key], scene) for key in _GOALS if episode.get(key) is not None}
    names = field_of(episode, "bind", dict, where)
    if wrong := sorted(str(name) for name, key in names.items() if key not in list(scene.nodes)):
        raise ValueError(f"{where}: 'bind' binds {wrong[0]!r} to an id that no node has")
    patches = field_of(episode, "patches", dict, where)
    episode_state = EpisodeState(scene.start, Bindings(names, None))
    yield (
        "opening",
        field_of(episode, "initial", dict, where),
        _facts(scene, episode_state.state, goals),
    )
    play = _play_text if episode.get("mode") == "text" else _play_program
    for count, step in enumerate(episode["steps"], start=1):
        if not isinstance(step, dict):
            raise ValueError(f"{where}: step {count} is not an object")
        here = f"{where}: step {count}"
        text = field_of(step, "text", str, here)
        before = episode_state.state
        result, ours = play(scene, episode_state, step, here)
        if crash := _crash(scene, before, result, patches):
            result = result._replace(after=EpisodeState(before, result.after.bindings))
            ours |= {"executed": False, "message": "", "exception": f"TypeError: {crash}"}
        episode_state = result.after
        ours |= {"delta": _delta(before, episode_state.state), **_facts(scene, episode_state.state, goals)}
        yield f"step {count} of {len(episode['steps'])}, {textwrap.shorten(repr(text), 80)}", step, ours


def _play_text(
    scene: Scene, episode_state: EpisodeState, step: dict[str, Any], where: str
) -> tuple[Transition, Findings]:
    result = apply_text(scene, episode_state, step["text"])
    command, ids = result.command, result.ids
    ours: Findings = {
        "parsed": command and {"action": command.action, "objects": list(command.objects)},
        "ids": None if ids is None else list(ids),
        "program": None if command is None or ids is None else program_line(command, ids),
        "rejected": result.rejected,
        "executed": result.executed,
        "message": result.message,
    }
    return result, ours


def _play_program(
    scene: Scene, episode_state: EpisodeState, step: dict[str, Any], where: str
) -> tuple[Transition, Findings]:
    parsed = field_of(step, "parsed", dict, where)
    ids, quoted = field_of(step, "ids", list, where), field_of(step, "program", str, where)
    action = parsed.get("action")
    if action not in list(ACTIONS) or ACTIONS[action].objects != len(ids):
        raise ValueError(f"{where}: no action {action!r} with {len(ids)} objects")
    if unknown := [key for key in ids if key not in list(scene.nodes)]:
        raise ValueError(f"{where}: the scene has no node {unknown[0]!r}")
    result = apply_command(scene, episode_state, Command(action, ()), tuple(ids), quoted)
    return result, {"executed": result.executed, "message": result.message}


def _crash(scene: Scene, before: State, result: Transition, patches: dict[str, Any]) -> str:
    """The exception of the original engine without its patch; empty if there is none."""
    if result.command is None or result.ids is None or result.command.action not in _CRASHES:
        return ""
    patch, raised = _CRASHES[result.command.action]
    walks = result.command.action == "FIND" and not stays(SceneState(scene, before), result.ids[0])
    return raised if not patches.get(patch) and (walks or result.command.action == "PUTOFF") else ""


def _facts(scene: Scene, state: State, goals: dict[str, tuple[Condition, ...]]) -> Findings:
    """Everything that a recording contains about a state."""
    seen = visible(scene, state)
    facts: Findings = {
        "state_sha256": _digest(state),
        "view": {
            "rooms": agent_rooms(scene, state),
            "held": sorted(state.held(scene.agent)),
            "close": sorted(state.out.get((scene.agent, CLOSE), ())),
            "visible": [[x, scene.nodes[x].name, sorted(state.states[x])] for x in seen],
            "relations": [list(edge) for edge in relations(scene, state, seen)],
            "agent_states": sorted(state.states[scene.agent]),
            "agent_relations": [
                [relation, other]
                for relation in sorted(RELATIONS)
                if relation not in (CLOSE, INSIDE)
                for other in sorted(state.out.get((scene.agent, relation), ()))
            ],
        },
    }
    for name, goal in goals.items():
        met = [condition.met(state) for condition in goal]
        facts |= {f"{name}_met": met, f"{name}_satisfied": all(met) if met else None}
    return facts


def _edges(state: State) -> Iterator[tuple[int, str, int]]:
    return (
        (source, relation, target) for (source, relation), targets in state.out.items() for target in targets
    )


def _digest(state: State) -> str:
    content = {
        "nodes": [[key, sorted(states)] for key, states in sorted(state.states.items())],
        "edges": sorted(_edges(state)),
    }
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()


def _delta(before: State, after: State) -> Findings:
    old, new = set(_edges(before)), set(_edges(after))
    changed = sorted(key for key, states in after.states.items() if states != before.states[key])
    return {
        "states": [[key, sorted(after.states[key])] for key in changed],
        "edges_added": [list(edge) for edge in sorted(new - old)],
        "edges_removed": [list(edge) for edge in sorted(old - new)],
    }


_MAY_BE_MISSING = ("rejected", "exception")
"""Keys that a recording omits if they are empty."""


def _differences(
    label: str, recorded: dict[str, Any], ours: Findings, where: str
) -> list[tuple[str, str, str]]:
    """(what, expected, ours) for everything that differs; the parts of a view separately."""
    pairs: list[tuple[str, Any, Any]] = []
    for key, value in {**dict.fromkeys(_MAY_BE_MISSING, ""), **ours}.items():
        if key not in recorded and key not in _MAY_BE_MISSING:
            raise ValueError(f"{where}: {label}: {key!r} is missing")
        expected = recorded.get(key, "")
        if key == "view" and isinstance(expected, dict):
            pairs += [(f"view, {part}", expected.get(part), mine) for part, mine in value.items()]
        else:
            pairs.append((key, expected, value))
    return [(f"{label}: {key}", str(theirs), str(mine)) for key, theirs, mine in pairs if theirs != mine]
