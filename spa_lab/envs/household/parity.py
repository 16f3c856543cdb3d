"""Replays episodes that an original ALFWorld engine recorded, and compares everything it printed with ours.

Format (gzip, JSON lines): a line with `pddl_problem` is a game (`game_id`, `task_type`, `task`; optional
`grammar`, "move" by default); a line with `steps` is an episode (`episode_id`, `game_id`, `initial` with
`feedback`, `admissible_commands`, `won`; each step with these, `command`, `reward` and `done`).
"""

import gzip
import json
import textwrap
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from spa_lab.envs.base import Task
from spa_lab.envs.household import text
from spa_lab.envs.household.game import HouseholdTask
from spa_lab.envs.household.world import HouseholdWorld

SHOWN = 5
"""Mismatches that a report shows."""
_COLUMN = 56
_LINES = 12


@dataclass(frozen=True)
class Mismatch:
    """One thing that differs at one moment of one episode."""

    where: str
    expected: str
    ours: str

    def render(self) -> str:
        """Both sides in two columns."""
        left, right = _wrapped(self.expected), _wrapped(self.ours)
        rows = [f"  {'expected':<{_COLUMN}} | ours"]
        rows += [f"  {one:<{_COLUMN}} | {other}" for one, other in zip_longest(left, right, fillvalue="")]
        return "\n".join((self.where, *rows))


@dataclass(frozen=True)
class ParityReport:
    """What a replay found."""

    episodes: int
    """Episodes that were replayed."""
    steps: int
    """Steps in them."""
    mismatches: int
    """Moments (openings and steps) at which anything differed."""
    not_replayed: tuple[str, ...]
    """For each episode that was not replayed: its id and why."""
    first: tuple[Mismatch, ...]
    """The differences of the first mismatches."""

    @property
    def passed(self) -> bool:
        """Something was replayed and nothing differed."""
        return self.episodes > 0 and self.mismatches == 0

    def render(self) -> str:
        """The report as text; its last line holds the four counts."""
        parts = [mismatch.render() for mismatch in self.first]
        parts += [f"not replayed: {reason}" for reason in self.not_replayed[:SHOWN]]
        parts.append(
            f"{self.episodes} episodes, {self.steps} steps, {self.mismatches} mismatches,"
            f" {len(self.not_replayed)} not replayed"
        )
        return "\n".join(parts)


def replay_folder(folder: Path) -> ParityReport:
    """Replay every recorded episode in the `*.jsonl.gz` files of a folder.

    Raises:
        ValueError: If the folder has no such files, or one of them is damaged or holds something else.
    """
    games: dict[str, HouseholdTask] = {}
    recorded: list[tuple[str, dict[str, Any]]] = []
    paths = sorted(folder.glob("*.jsonl.gz"))
    if not paths:
        raise ValueError(f"{folder}: no *.jsonl.gz files to replay")
    for path in paths:
        for where, line in _lines(path):
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
        name = _get(episode, "episode_id", str, where)
        payload = games.get(_get(episode, "game_id", str, where))
        if payload is None:
            not_replayed.append(f"{name}: its game {episode['game_id']!r} is not in the folder")
            continue
        try:
            opening = text.BANNER + world.reset(_task(payload))
        except ValueError as error:
            not_replayed.append(f"{name}: {error}")
            continue
        episodes += 1
        steps += len(_get(episode, "steps", list, where))
        for differences in _compared(world, opening, episode, where):
            mismatches += bool(differences)
            if len(first) < SHOWN:
                first += [Mismatch(f"{name}, {what}", expected, ours) for what, expected, ours in differences]
    return ParityReport(episodes, steps, mismatches, tuple(not_replayed), tuple(first[:SHOWN]))


def _compared(
    world: HouseholdWorld, opening: str, episode: dict[str, Any], where: str
) -> Iterator[list[tuple[str, str, str]]]:
    """Per moment of an episode, its differences as (what, expected, ours)."""
    initial = _get(episode, "initial", dict, where)
    ours: dict[str, Any] = {"feedback": opening, "admissible_commands": world.admissible(), "won": world.won}
    yield _differences("opening", initial, ours, where)
    for number, step in enumerate(episode["steps"], start=1):
        if not isinstance(step, dict):
            raise ValueError(f"{where}: step {number} is not an object")
        command = _get(step, "command", str, f"{where}: step {number}")
        reply = world.step(command)
        ours = {
            "feedback": reply.observation,
            "admissible_commands": world.admissible(),
            "won": world.won,
            "reward": reply.outcome,
            "done": reply.done,
        }
        what = f"step {number} of {len(episode['steps'])}, command {textwrap.shorten(repr(command), 80)}"
        yield _differences(what, step, ours, where)


def _differences(
    moment: str, recorded: dict[str, Any], ours: dict[str, Any], where: str
) -> list[tuple[str, str, str]]:
    differences = []
    for key, value in ours.items():
        if key not in recorded:
            raise ValueError(f"{where}: {moment}: {key!r} is missing")
        expected = recorded[key]
        if expected == value:
            continue
        if key == "admissible_commands":
            expected = _get(recorded, key, list, f"{where}: {moment}")
            both = _only(expected, value), _only(value, expected)
        else:
            both = str(expected), str(value)
        differences.append((f"{moment}: {key}", *both))
    return differences


def _only(one: list[str], other: list[str]) -> str:
    """What distinguishes a list of commands from another."""
    only = [str(command) for command in one if command not in other]
    return f"{len(one)} commands, only here: {', '.join(only) or 'none'}"


def _wrapped(words: str) -> list[str]:
    lines = [part for line in words.split("\n") for part in textwrap.wrap(line, _COLUMN) or [""]]
    return lines if len(lines) <= _LINES else [*lines[:_LINES], "..."]


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file and line number, object) for each line of a file."""
    number = 0
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                record = json.loads(line)
                if not isinstance(record, dict):
                    raise ValueError(f"expected an object, got {type(record).__name__}")
                yield f"{path.name}:{number}", record
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise ValueError(f"{path}: cannot be read after {number} lines: {error}") from error


def _add_game(games: dict[str, HouseholdTask], line: dict[str, Any], where: str) -> None:
    name, kind, task, problem = (
        _get(line, key, str, where) for key in ("game_id", "task_type", "task", "pddl_problem")
    )
    grammar = line.get("grammar", "move")
    if grammar not in ("move", "put"):
        raise ValueError(f"{where}: grammar must be 'move' or 'put', got {grammar!r}")
    game = HouseholdTask(name, kind, task, problem, grammar)
    if games.setdefault(name, game) != game:
        raise ValueError(f"{where}: another game is also called {name!r}")


def _task(payload: HouseholdTask) -> Task:
    return Task(payload.game_id, "household", "recorded", payload.task_type, payload.task, 0, payload)


def _get(record: dict[str, Any], key: str, kind: type, where: str) -> Any:
    if not isinstance(record.get(key), kind):
        raise ValueError(f"{where}: {key!r} must be a {kind.__name__}, got {type(record.get(key)).__name__}")
    return record[key]
