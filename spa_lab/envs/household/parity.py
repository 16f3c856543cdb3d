"""Replays episodes that an original ALFWorld engine recorded, and compares everything it printed with ours.

Format (gzip, JSON lines): a line with `pddl_problem` is a game (`game_id`, `task_type`, `task`; optional
`grammar`, "move" by default); a line with `steps` is an episode (`episode_id`, `game_id`, `initial` with
`feedback`, `admissible_commands`, `won`; each step with these, `command`, `reward` and `done`).
"""

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spa_lab.envs.base import Task
from spa_lab.envs.household import text
from spa_lab.envs.household.game import HouseholdTask
from spa_lab.envs.household.world import HouseholdWorld
from spa_lab.envs.parity import SHOWN, Mismatch, ParityReport, field_of, recorded_in


def replay_folder(folder: Path) -> ParityReport:
    """Replay every recorded episode in the `*.jsonl.gz` files of a folder.

    Raises:
        ValueError: If the folder has no such files, or one of them is damaged or holds something else.
    """
    games: dict[str, HouseholdTask] = {}
    recorded: list[tuple[str, dict[str, Any]]] = []
    for where, line in recorded_in(folder):
        if "pddl_problem" in line:
            _add_game(games, line, where)
        elif "steps" in line:
            recorded.append((where, line))
        else:
            raise ValueError(f"{where}: neither a game (pddl_problem) nor an episode (steps)")
    return _replay(games, recorded)


def _replay(games: dict[str, HouseholdTask], recorded: list[tuple[str, dict[str, Any]]]) -> ParityReport:
    world = HouseholdWorld()
    episodes = steps = mismatches = 0
    not_replayed: list[str] = []
    first: list[Mismatch] = []
    for where, episode in recorded:
        name = field_of(episode, "episode_id", str, where)
        payload = games.get(field_of(episode, "game_id", str, where))
        if payload is None:
            not_replayed.append(f"{name}: its game {episode['game_id']!r} is not in the folder")
            continue
        try:
            opening = text.BANNER + world.reset(_task(payload))
        except ValueError as error:
            not_replayed.append(f"{name}: {error}")
            continue
        episodes += 1
        steps += len(field_of(episode, "steps", list, where))
        for differences in _compared(world, opening, episode, where):
            mismatches += bool(differences)
            if len(first) < SHOWN:
                first += [Mismatch(f"{name}, {what}", expected, ours) for what, expected, ours in differences]
    return ParityReport(episodes, steps, mismatches, tuple(not_replayed), tuple(first[:SHOWN]))


def _compared(
    world: HouseholdWorld, opening: str, episode: dict[str, Any], where: str
) -> Iterator[list[tuple[str, str, str]]]:
    """For the opening and each step of an episode, the differences as (what, expected, ours)."""
    initial = field_of(episode, "initial", dict, where)
    ours: dict[str, Any] = {"feedback": opening, "admissible_commands": world.admissible(), "won": world.won}
    yield _differences("opening", initial, ours, where)
    for index, step in enumerate(episode["steps"], start=1):
        if not isinstance(step, dict):
            raise ValueError(f"{where}: step {index} is not an object")
        command = field_of(step, "command", str, f"{where}: step {index}")
        reply = world.step(command)
        ours = {
            "feedback": reply.observation,
            "admissible_commands": world.admissible(),
            "won": world.won,
            "reward": reply.outcome,
            "done": reply.done,
        }
        what = f"step {index} of {len(episode['steps'])}, command {textwrap.shorten(repr(command), 80)}"
        yield _differences(what, step, ours, where)


def _differences(
    position: str, recorded: dict[str, Any], ours: dict[str, Any], where: str
) -> list[tuple[str, str, str]]:
    differences = []
    for key, value in ours.items():
        if key not in recorded:
            raise ValueError(f"{where}: {position}: {key!r} is missing")
        expected = recorded[key]
        if expected == value:
            continue
        if key == "admissible_commands":
            expected = field_of(recorded, key, list, f"{where}: {position}")
            both = _only(expected, value), _only(value, expected)
        else:
            both = str(expected), str(value)
        differences.append((f"{position}: {key}", *both))
    return differences


def _only(commands: list[str], others: list[str]) -> str:
    """Which commands are in the first list only."""
    only = [str(command) for command in commands if command not in others]
    return f"{len(commands)} commands, only here: {', '.join(only) or 'none'}"


def _add_game(games: dict[str, HouseholdTask], line: dict[str, Any], where: str) -> None:
    name, kind, task, problem = (
        field_of(line, key, str, where) for key in ("game_id", "task_type", "task", "pddl_problem")
    )
    grammar = line.get("grammar", "move")
    if grammar not in ("move", "put"):
        raise ValueError(f"{where}: grammar must be 'move' or 'put', got {grammar!r}")
    game = HouseholdTask(name, kind, task, problem, grammar)
    if games.setdefault(name, game) != game:
        raise ValueError(f"{where}: another game is also called {name!r}")


def _task(payload: HouseholdTask) -> Task:
    return Task(payload.game_id, "household", "recorded", payload.task_type, payload.task, 0, payload)
