"""`webshop-official`: WebShop's own products and goals.

Data: the environment variable `WEBSHOP_DATA` names the folder that WebShop's `setup.sh` fills. If it holds
the files of all products, the shop has all 1.18 million products and the 12,087 human goals; the first use
then builds a search index in `spa_lab_cache` in that folder. If it holds only the files of the 1,000
products, the shop has those and their 6,910 synthesized goals.

Splits are WebShop's ranges of goal numbers, used by the papers that report on it: `unseen` is its test split
(goals 0 to 499), `seen` its validation split (500 to 1499), `train` the rest. Goals that ask for the same as
a goal of an earlier split are left out. In `train`, goals with a recorded demonstration come first, with the
price limit of the recording, since limits are drawn at random.

Demonstrations are recordings in ShareGPT form (as ETO and SPA-RL publish them) in the file that
`WEBSHOP_DEMONSTRATIONS` names, by default `webshop_sft.json` in the data folder. Recordings of goals outside
`train` are left out: some published training files contain test goals. Without recordings there are no
demonstrations to clone.
"""

import logging
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType

from spa_lab.envs.base import Environment, Task
from spa_lab.envs.panels import ListedPanels
from spa_lab.envs.recorded import RecordedDemonstrations, RecordedEpisode, read_episodes, recording_file
from spa_lab.envs.webshop.cache import is_complete
from spa_lab.envs.webshop.goals import NO_LIMIT, Goal, requirements_of, with_limit
from spa_lab.envs.webshop.official_files import (
    FULL_FILES,
    SMALL_FILES,
    OfficialShop,
    full_shop,
    small_shop,
)
from spa_lab.envs.webshop.world import MANUAL, WebshopWorld

_LOG = logging.getLogger(__name__)
NAME = "webshop-official"
DATA = "WEBSHOP_DATA"
DEMONSTRATIONS = "WEBSHOP_DEMONSTRATIONS"
DEMONSTRATIONS_FILE = "webshop_sft.json"
CACHE = "spa_lab_cache"
STEP_LIMIT = 10
"""As in ETO and SPA-RL."""
SPLITS: Mapping[str, range] = MappingProxyType(
    {"unseen": range(500), "seen": range(500, 1500), "train": range(1500, 10_000_000)}
)
"""Our split -> numbers of its goals in the original's order: its test, validation and training goals."""
LEAST_OUTCOME = 0.1
"""Recordings worth no more in our world are left out: that is the most for the wrong kind of product."""
_OPENING = re.compile(r"WebShop \[SEP\] Instruction: \[SEP\] (.+) \[SEP\] Search\s*$", re.DOTALL)
_LIMIT = re.compile(r", and price lower than ([\d.]+) dollars$")


def environment() -> Environment:
    """WebShop's goals as an environment without an expert.

    Raises:
        ValueError: the data are missing or damaged; names the variable, the expected files and those found.
    """
    folder = data_folder()
    return _environment(folder, recording_file(DEMONSTRATIONS, folder / DEMONSTRATIONS_FILE))


def data_folder() -> Path:
    """The folder of official files.

    Raises:
        ValueError: it is not set or lacks files; names the variable, the expected files and those found.
    """
    expected = f"{', '.join(FULL_FILES)} (all products) or {' and '.join(SMALL_FILES)} (1,000 products)"
    named = os.environ.get(DATA)
    if not named:
        raise ValueError(f"{NAME}: {DATA} is not set; it must name a folder that holds {expected}")
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise ValueError(f"{NAME}: {DATA}={named} is no folder; it must hold {expected}")
    if not _has_full(folder) and not _has(folder, SMALL_FILES):
        names = ", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "nothing"
        raise ValueError(f"{NAME}: {DATA}={named} must hold {expected}; it holds {names}")
    return folder


def _has(folder: Path, names: Iterable[str]) -> bool:
    return all((folder / name).is_file() for name in names)


def _has_full(folder: Path) -> bool:
    return _has(folder, FULL_FILES) or (is_complete(folder / CACHE) and _has(folder, FULL_FILES[2:]))


@lru_cache(maxsize=2)
def _environment(folder: Path, recording: Path | None) -> Environment:
    official = full_shop(folder, folder / CACHE) if _has_full(folder) else small_shop(folder)
    return make_official(official, recording)


def make_official(official: OfficialShop, recording: Path | None) -> Environment:
    """An environment of a shop's goals.

    Args:
        official: shop and goals.
        recording: a file of demonstrations; None if there is none.

    Raises:
        ValueError: the file of demonstrations cannot be read.
    """
    split = split_tasks(official.goals)
    if split.left_out:
        _LOG.info("%s: left out as asked in an earlier split: %s", NAME, dict(split.left_out))
    make_world = partial(WebshopWorld, official.shop)
    episodes: Mapping[str, RecordedEpisode] = {}
    panels = dict(split.tasks)
    if recording is not None:
        panels["train"], episodes = match_recordings(
            read_episodes(recording, opening=_OPENING), official.goals, split.tasks
        )
    tasks = ListedPanels(NAME, panels)
    demonstrations = RecordedDemonstrations(
        source=str(recording),
        episodes=episodes,
        make_world=make_world,
        tasks=tasks,
        step_limit=STEP_LIMIT,
        minimum_outcome=LEAST_OUTCOME,
    )
    return Environment(
        name=NAME,
        make_world=make_world,
        tasks=tasks,
        step_limit=STEP_LIMIT,
        demonstrations=demonstrations if recording is not None else None,
        manual=MANUAL,
        benchmark="WebShop",
        official=True,
        panels=("unseen", "seen"),
        base="webshop",
        settings={
            "catalogue": official.catalogue,
            "demonstrations": "none" if recording is None else recording.name,
            "noun_scorer": official.shop.scorer.name,
        },
    )


@dataclass(frozen=True)
class SplitTasks:
    """Tasks by split, without overlap."""

    tasks: Mapping[str, tuple[Task, ...]]
    left_out: Mapping[str, int]
    """Split -> goals left out because an earlier split (in the order of `SPLITS`) asks for the same."""


def split_tasks(goals: Sequence[Goal]) -> SplitTasks:
    """Goals in the original's order as tasks by split; no two splits ask for the same, price limits aside."""
    tasks: dict[str, tuple[Task, ...]] = {}
    left_out: Counter[str] = Counter()
    used: set[object] = set()
    for split, indices in SPLITS.items():
        candidates = [(index, goals[index]) for index in indices[: max(0, len(goals) - indices.start)]]
        kept = [(index, goal) for index, goal in candidates if requirements_of(goal) not in used]
        tasks[split] = tuple(_task(index, goal, split) for index, goal in kept)
        left_out[split] = len(candidates) - len(kept)
        used |= {requirements_of(goal) for _, goal in kept}
    return SplitTasks(MappingProxyType(tasks), MappingProxyType(+left_out))


def _task(index: int, goal: Goal, split: str) -> Task:
    return Task(
        id=f"{NAME}-{index:05d}",
        env=NAME,
        split=split,
        kind=goal.category,
        instruction=goal.instruction,
        payload=goal,
    )


def match_recordings(
    recordings: Sequence[RecordedEpisode], goals: Sequence[Goal], tasks: Mapping[str, Sequence[Task]]
) -> tuple[tuple[Task, ...], dict[str, RecordedEpisode]]:
    """The training panel with recorded tasks first, and task id -> its recording.

    A recording belongs to the training goal with its instruction, price limits aside; the task takes over the
    recorded limit. The log counts recordings without such a goal, by reason.
    """
    by_text: dict[str, list[Task]] = {}
    for task in tasks["train"]:
        by_text.setdefault(_sentence(task.instruction), []).append(task)
    known = {_sentence(goal.instruction) for goal in goals}
    recorded: list[Task] = []
    episodes: dict[str, RecordedEpisode] = {}
    left_out: Counter[str] = Counter()
    for recording in recordings:
        opening = _OPENING.search(recording.opening)
        instruction = " ".join(opening[1].split()) if opening else ""
        candidates = [each for each in by_text.get(_sentence(instruction), []) if each.id not in episodes]
        if not candidates:
            in_other_split = _sentence(instruction) in known and _sentence(instruction) not in by_text
            left_out["goal outside train" if in_other_split else "no goal with this instruction left"] += 1
            continue
        task = _with_recorded_limit(candidates[0], instruction, len(recording.steps))
        recorded.append(task)
        episodes[task.id] = recording
    for reason, count in left_out.items():
        _LOG.warning("%s: %d of %d recordings left out: %s", NAME, count, len(recordings), reason)
    return (*recorded, *(task for task in tasks["train"] if task.id not in episodes)), episodes


def _with_recorded_limit(task: Task, instruction: str, length: int) -> Task:
    """The task with the price limit that a recorded instruction names."""
    goal: Goal = task.payload
    unlimited = replace(goal, instruction=_LIMIT.sub("", goal.instruction), price_upper=NO_LIMIT)
    limit = _LIMIT.search(instruction)
    limited = with_limit(unlimited, float(limit[1]) if limit else NO_LIMIT)
    return replace(task, instruction=limited.instruction, expert_length=length, payload=limited)


def _sentence(instruction: str) -> str:
    """An instruction without its price limit, and without differences of case and blanks."""
    return " ".join(_LIMIT.sub("", instruction).lower().split()).rstrip(".")
