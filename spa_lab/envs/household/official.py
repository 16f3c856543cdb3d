"""Finds ALFWorld's own games on disk and turns them into tasks; nothing is downloaded.

Layout (as `alfworld-download` leaves it): `json_2.1.1/{train,valid_seen,valid_unseen}/<task>/trial_*/` with
`traj_data.json` and `game.tw-pddl`. Like ALFWorld, leaves out tasks whose folder name contains "movable" or
"Sliced", types other than the six, and games not marked solvable; unlike it, keeps games that lack the mark
(some releases do) and counts them.
"""

import hashlib
import json
import logging
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from spa_lab.envs.base import Task
from spa_lab.envs.household.game import Grammar, HouseholdTask
from spa_lab.envs.household.instruction import ParsedInstruction, instruction_from_params

_LOG = logging.getLogger(__name__)

TASK_TYPES = frozenset(
    {
        "pick_and_place_simple",
        "look_at_obj_in_light",
        "pick_clean_then_place_in_recep",
        "pick_heat_then_place_in_recep",
        "pick_cool_then_place_in_recep",
        "pick_two_obj_and_place",
    }
)
FOLDERS: Mapping[str, str] = MappingProxyType(
    {"train": "train", "seen": "valid_seen", "unseen": "valid_unseen"}
)
"""Our split -> ALFWorld's folder."""
VARIABLE = "ALFWORLD_DATA"
"""Environment variable that names the data folder."""
LAYOUT = (
    "json_2.1.1/{train,valid_seen,valid_unseen}/<task>/trial_*/ with game.tw-pddl and traj_data.json, "
    "as alfworld-download leaves them"
)


class Release(NamedTuple):
    """Which rules and texts a game file brings: sha256 of its domain, and of its grammar without the task."""

    domain: str
    grammar: str


RELEASES: Mapping[Release, str] = MappingProxyType(
    {
        Release(
            "e64e8c0002648c403e05adedc25be5ea8b9863924f32cc7611051bed1f386e46",
            "d955e6db384c68ac5797e881b795fd36d788e87a03547f9a87e48fbd7c5b361b",
        ): "alfworld 0.2 and 0.3",
        Release(
            "f1473041ed01da514de1f87adfd7ef0804862361f83ccf63c75e43633b0eb280",
            "c5b22f0f73309a7fd7c8e5b71de42ad4803b60766ab4a51cc2feb34162be036b",
        ): "alfworld 0.4 and 0.5",
    }
)
"""The releases whose texts our world reproduces. Games of others are kept, counted and reported."""

_TEMPLATES: Mapping[Grammar, str] = MappingProxyType(
    {"move": 'template :: "move {o} to {r}"', "put": 'template :: "put {o} in/on {r}"'}
)
_SENTENCE = re.compile(r'"Your task is to: ((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class OfficialGames:
    """The tasks of a data folder, and what was left out."""

    tasks: tuple[Task, ...]
    """In the order of the splits, then of the paths; payloads name the game files. `expert_length` is the
    length of the walkthrough in the file, 0 if it has none."""
    folder: Path
    skipped: Mapping[str, int]
    """Reason -> trials left out."""
    unmarked: int
    """Tasks whose game file does not say whether it is solvable."""
    releases: Mapping[Release, int]
    """Release -> tasks."""

    @property
    def unknown_releases(self) -> tuple[Release, ...]:
        """Releases whose texts were never compared with ours."""
        return tuple(release for release in self.releases if release not in RELEASES)

    def render(self) -> str:
        """The counts as text, one line each."""
        by_split = Counter(task.split for task in self.tasks)
        lines = [f"{self.folder}: {len(self.tasks)} games"]
        lines += [f"  {split}: {by_split[split]}" for split in FOLDERS]
        lines += [f"  left out, {reason}: {count}" for reason, count in sorted(self.skipped.items())]
        if self.unmarked:
            lines.append(f"  kept without a 'solvable' mark: {self.unmarked}")
        for release, count in sorted(self.releases.items()):
            name = RELEASES.get(release, "UNKNOWN RELEASE, its texts may differ from ours")
            lines.append(f"  {name} (domain {release.domain[:12]}, grammar {release.grammar[:12]}): {count}")
        return "\n".join(lines)


def official_games(folder: Path | None = None, splits: Sequence[str] = tuple(FOLDERS)) -> OfficialGames:
    """Find the official games of some splits.

    Args:
        folder: The folder `json_2.1.1` or the one that holds it; `$ALFWORLD_DATA` if None.
        splits: Which of "train", "seen", "unseen".

    Raises:
        ValueError: If a split is unknown or its folder is missing, a file is damaged, or no game remains;
            names the path.
    """
    root = data_folder(folder)
    tasks: list[Task] = []
    skipped: Counter[str] = Counter()
    releases: Counter[Release] = Counter()
    unmarked = 0
    for split in splits:
        for trial in _trials(root, split):
            game = _read_trial(trial, split)
            if isinstance(game, str):
                skipped[game] += 1
                continue
            tasks.append(game.task)
            releases[game.release] += 1
            unmarked += not game.marked
    if not tasks:
        reasons = (
            ", ".join(f"{count} {reason}" for reason, count in sorted(skipped.items())) or "no trial folders"
        )
        raise ValueError(f"{root}: no official game found ({reasons})")
    games = OfficialGames(tuple(tasks), root, MappingProxyType(skipped), unmarked, MappingProxyType(releases))
    for release in games.unknown_releases:
        _LOG.warning(
            "%s: %d games of an unknown release; texts may differ from ours", root, releases[release]
        )
    return games


def first_game(root: Path) -> Task:
    """The first usable game in the folder of games `root`; reads as few files as possible.

    Raises:
        ValueError: there is none, or a file is damaged.
    """
    for split, name in reversed(list(FOLDERS.items())):
        for trial in _trials(root, split) if (root / name).is_dir() else ():
            game = _read_trial(trial, split)
            if not isinstance(game, str):
                return game.task
    raise ValueError(f"{root}: no official game found")


class _OfficialGame(NamedTuple):
    task: Task
    release: Release
    marked: bool


def data_folder(folder: Path | None = None) -> Path:
    """The folder that holds at least one of `train`, `valid_seen` and `valid_unseen`.

    Args:
        folder: that folder or the one above it; `$ALFWORLD_DATA` if None.

    Raises:
        ValueError: it does not exist or holds none of them; names the variable, the expected layout and
            what is there.
    """
    named = str(folder) if folder else f"{VARIABLE}={os.environ.get(VARIABLE, '')}"
    if folder is None:
        if not os.environ.get(VARIABLE):
            raise ValueError(f"{VARIABLE} is not set; it must name the folder of ALFWorld's games: {LAYOUT}")
        folder = Path(os.environ[VARIABLE]).expanduser()
    if not folder.is_dir():
        raise ValueError(f"{named}: no such folder; expected ALFWorld's games: {LAYOUT}")
    for root in (folder, *sorted(folder.glob("json_*"))):
        if any((root / name).is_dir() for name in FOLDERS.values()):
            return root
    entries = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
    raise ValueError(f"{named}: expected ALFWorld's games: {LAYOUT}; the folder holds {entries}")


def _trials(root: Path, split: str) -> list[Path]:
    if split not in FOLDERS:
        raise ValueError(f"official ALFWorld data: split must be one of {tuple(FOLDERS)}, got {split!r}")
    folder = root / FOLDERS[split]
    if not folder.is_dir():
        raise ValueError(f"{folder}: the folder of split {split!r} is missing")
    return sorted(path for path in folder.glob("*/trial_*") if path.is_dir())


def _read_trial(trial: Path, split: str) -> _OfficialGame | str:
    """One trial as a task, or the reason to leave it out."""
    if "movable" in trial.parent.name or "Sliced" in trial.parent.name:
        return "movable receptacle or sliced object"
    facts, game = trial / "traj_data.json", trial / "game.tw-pddl"
    for path in (facts, game):
        if not path.is_file():
            return f"no {path.name}"
    traj_data = _object(facts)
    task_type = _string(traj_data, "task_type", facts)
    if task_type not in TASK_TYPES:
        return "another task type"
    data = _object(game)
    if data.get("solvable", True) is not True:
        return "not marked solvable"
    wanted = instruction_from_params(task_type, traj_data.get("pddl_params"))
    return _official_game(trial, split, task_type, wanted, data)


def _official_game(
    trial: Path, split: str, task_type: str, wanted: ParsedInstruction | None, data: dict[str, Any]
) -> _OfficialGame:
    game = trial / "game.tw-pddl"
    grammar_text = _string(data, "grammar", game)
    _string(data, "pddl_problem", game)
    sentence = _SENTENCE.search(grammar_text)
    grammar = next((name for name, template in _TEMPLATES.items() if template in grammar_text), None)
    if sentence is None or grammar is None:
        what = "task sentence" if sentence is None else "template for putting objects down"
        raise ValueError(f"{game}: its grammar has no {what} that we know")
    instruction = _unescaped(sentence[1], game)
    start, end = sentence.span(1)
    bare = f"{grammar_text[:start]}UNKNOWN GOAL.{grammar_text[end:]}"
    walkthrough = data.get("walkthrough")
    name = "/".join(trial.parts[-3:])
    task = Task(
        id=name,
        env="household",
        split=split,
        kind=task_type,
        instruction=instruction,
        expert_length=len(walkthrough) if isinstance(walkthrough, list) else 0,
        payload=HouseholdTask(name, task_type, instruction, game, grammar, wanted),
    )
    release = Release(_sha256(_string(data, "pddl_domain", game)), _sha256(bare))
    return _OfficialGame(task, release, "solvable" in data)


def _unescaped(sentence: str, path: Path) -> str:
    """A JSON string's content as text, without the final full stop."""
    try:
        return str(json.loads(f'"{sentence}"')).removesuffix(".")
    except ValueError as error:
        raise ValueError(f"{path}: cannot read its task sentence {sentence!r}: {error}") from error


def _object(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read as JSON (truncated download?): {error}") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path}: expected a JSON object, got {type(data).__name__}")
    return data


def _string(data: dict[str, Any], key: str, path: Path) -> str:
    if not isinstance(data.get(key), str):
        raise ValueError(f"{path}: {key!r} must be a string, got {type(data.get(key)).__name__}")
    return data[key]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
