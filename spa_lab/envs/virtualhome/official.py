"""`virtualhome-official`: VirtualHome's published scenes, with the tasks of their programs.

Data: the environment variable `VIRTUALHOME_DATA` names a folder with the wheel `eai_eval` or the official zip
archive (see `imported_scenes`); the first use imports it into `scenes.json.xz` in that folder. Without the
variable, scenes imported into the project's data folder are used.

Tasks are the programs whose lines, written as actions, solve their own goal in our world; of 518 programs in
the wheel these are 410. The published papers name no split of these programs. Ours is deterministic: `unseen`
holds all tasks of about one activity (title) in four, `seen` one in eight instructions of the other
activities, `train` the rest. So `train` and `unseen` share no activity, `train` and `seen` no instruction.

Demonstrations are recordings in ShareGPT form where `VIRTUALHOME_DEMONSTRATIONS` or `virtualhome_sft.json` in
the data folder provides them, and otherwise the published programs themselves, as actions without thoughts.
"""

import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from spa_lab.envs.base import Environment, Task
from spa_lab.envs.panels import ListedPanels, digest
from spa_lab.envs.recorded import (
    RecordedDemonstrations,
    RecordedEpisode,
    RecordedStep,
    read_episodes,
    recording_file,
    replay,
)
from spa_lab.envs.virtualhome.flats import is_unseen
from spa_lab.envs.virtualhome.imported_scenes import (
    FILE,
    WHEEL,
    ZIP,
    ImportedGraph,
    import_archive,
    imported_file,
    read_imported,
    read_program,
    task_payload,
)
from spa_lab.envs.virtualhome.panels import SPLITS, STEP_LIMIT
from spa_lab.envs.virtualhome.world import MANUAL, NOTHING_SEEN, VirtualHomeWorld

_LOG = logging.getLogger(__name__)
NAME = "virtualhome-official"
DATA = "VIRTUALHOME_DATA"
DEMONSTRATIONS = "VIRTUALHOME_DEMONSTRATIONS"
DEMONSTRATIONS_FILE = "virtualhome_sft.json"
SEEN_ONE_IN = 8
"""One in `SEEN_ONE_IN` instructions of the training activities belongs to `seen`."""
_OPENING = re.compile(r"The task is (.+?)\s*\((.*)\)\.?\s*$", re.DOTALL)


def environment() -> Environment:
    """The published VirtualHome tasks as an environment without an expert.

    Raises:
        ValueError: the data are missing or damaged; names the variable, the expected files and those found.
    """
    file = data_file()
    return _environment(file, recording_file(DEMONSTRATIONS, file.parent / DEMONSTRATIONS_FILE))


@lru_cache(maxsize=2)
def _environment(file: Path, recording: Path | None) -> Environment:
    tasks = official_tasks(file)
    if not tasks:
        raise ValueError(f"{file}: none of its programs solves its own goal")
    if recording is None:
        episodes = program_episodes(file, tasks)
    else:
        episodes = match_recordings(read_episodes(recording, opening=_OPENING), tasks)
    panels = ListedPanels(NAME, split_tasks(tasks, first=episodes))
    return Environment(
        name=NAME,
        make_world=VirtualHomeWorld,
        tasks=panels,
        step_limit=STEP_LIMIT,
        demonstrations=RecordedDemonstrations(
            source=str(recording or file),
            episodes=episodes,
            make_world=VirtualHomeWorld,
            tasks=panels,
            step_limit=STEP_LIMIT,
            same=same_text,
        ),
        manual=MANUAL,
        benchmark="VirtualHome",
        official=True,
        panels=("unseen", "seen"),
        base="virtualhome",
        settings={"scenes": read_imported(file)["archive"], "demonstrations": (recording or file).name},
    )


def data_file() -> Path:
    """The file of imported scenes; imports an archive in the data folder if there is no such file yet.

    Raises:
        ValueError: there is neither; names the variable, the expected files and those found.
    """
    expected = f"{WHEEL} (pip download --no-deps eai-eval==1.0.5), {ZIP} or an imported {FILE}"
    named = os.environ.get(DATA)
    if not named:
        try:
            default = imported_file()
        except FileNotFoundError:
            default = None
        if default is not None and default.is_file():
            return default
        raise ValueError(f"{NAME}: {DATA} is not set; it must name a folder that holds {expected}")
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise ValueError(f"{NAME}: {DATA}={named} is no folder; it must hold {expected}")
    file = folder / FILE
    if file.is_file():
        return file
    for archive in (folder / WHEEL, folder / ZIP):
        if archive.is_file():
            _LOG.warning("importing %s into %s, once", archive, file)
            import_archive(archive, file)
            return file
    names = ", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "nothing"
    raise ValueError(f"{NAME}: {DATA}={named} must hold {expected}; it holds {names}")


def official_tasks(file: Path) -> tuple[Task, ...]:
    """The imported tasks that their own program solves, by name.

    Names in actions mean what the program means by them. `expert_length` is the length of the program.

    Raises:
        ValueError: the file cannot be read.
    """
    return tuple(_tasks(file))


def _tasks(file: Path) -> Iterator[Task]:
    for key, entry in sorted(read_imported(file)["files"].items()):
        if entry.get("solved"):
            payload = task_payload(key, entry["program"], entry["goal"], ImportedGraph(file, key))
            yield Task(
                id=f"{NAME}-{key}",
                env=NAME,
                split=split_of(payload.title, payload.instruction),
                kind=payload.title,
                instruction=payload.instruction,
                expert_length=len(read_program(entry["program"])),
                payload=payload,
            )


def split_of(title: str, instruction: str) -> str:
    """The split of a task."""
    if is_unseen(title):
        return "unseen"
    return "train" if digest("seen", instruction) % SEEN_ONE_IN else "seen"


def split_tasks(
    tasks: Sequence[Task], *, first: Mapping[str, RecordedEpisode]
) -> dict[str, tuple[Task, ...]]:
    """Tasks by split, in an order that is shuffled by a hash.

    Args:
        tasks: all of them.
        first: recorded task ids; within a split these come first.
    """
    ordered = sorted(tasks, key=lambda task: (task.id not in first, digest("order", task.id)))
    return {split: tuple(task for task in ordered if task.split == split) for split in SPLITS}


def program_episodes(file: Path, tasks: Sequence[Task]) -> dict[str, RecordedEpisode]:
    """Task id -> the published program as a recording without thoughts and observations."""
    files = read_imported(file)["files"]
    episodes = {}
    for task in tasks:
        key = task.payload.scene
        actions = [line.text for line in read_program(files[key]["program"])]
        steps = tuple(RecordedStep("", action, "") for action in actions if action)
        opening = f"The task is {task.instruction}."
        episodes[task.id] = RecordedEpisode(f"{file.name}: program {key}", {}, opening, steps)
    return episodes


def match_recordings(
    recordings: Sequence[RecordedEpisode], tasks: Sequence[Task]
) -> dict[str, RecordedEpisode]:
    """Task id -> its recording.

    A recording belongs to a task with its title and description, which several tasks may share: to the one
    whose scene a field of the entry names, else to the first one that the recording solves. Recordings
    without such a task are counted in the log.
    """
    by_text: dict[tuple[str, str], list[Task]] = {}
    for task in tasks:
        by_text.setdefault(_key(task.payload.title, task.payload.description), []).append(task)
    matched: dict[str, RecordedEpisode] = {}
    for recording in recordings:
        opening = _OPENING.search(recording.opening)
        candidates = by_text.get(_key(*opening.groups()), []) if opening else []
        free = [task for task in candidates if task.id not in matched]
        recorded_task = _recorded_task(recording, free)
        if recorded_task is not None:
            matched[recorded_task.id] = recording
    if len(matched) < len(recordings):
        missing = len(recordings) - len(matched)
        _LOG.warning("%s: %d of %d recordings belong to no available task", NAME, missing, len(recordings))
    return matched


def _recorded_task(recording: RecordedEpisode, candidates: Sequence[Task]) -> Task | None:
    fields = " ".join(str(value) for value in recording.fields.values())
    for task in candidates:
        name = re.escape(task.payload.scene.rpartition("/")[2])
        if re.search(rf"(?<!\w){name}(?!\w)", fields):
            return task
    world = VirtualHomeWorld()
    for task in candidates:
        played = replay(world, task, recording, step_limit=STEP_LIMIT)
        if played.demonstration.trajectory.known_success:
            return task
    return None


def same_text(recorded: str, ours: str) -> bool:
    """Whether two observations agree; the release lists items in any order, and nothing as an empty text."""
    return _parts(recorded) == _parts("" if ours == NOTHING_SEEN else ours)


def _parts(text: str) -> list[list[str]]:
    """The items of each sentence, sorted, without blanks."""
    sentences = "".join(text.split()).split(".")
    return [sorted(sentence.split(",")) for sentence in sentences if sentence]


def _key(title: str, description: str) -> tuple[str, str]:
    """Title and description without differences of case, blanks and the final full stop."""
    return " ".join(title.lower().split()), " ".join(description.lower().split()).rstrip(".")
