"""Recorded demonstrations in ShareGPT form, read and replayed in one of our worlds.

ETO and SPA-RL publish their demonstrations as a JSON list of entries with a `conversations` list of
`{"from": "human" | "gpt", "value": ...}` (`messages` with `role` and `content` is read too). The first human
message holds general instructions, answered by "OK"; it is skipped: our agents read `Environment.manual`.

A recording is never copied into training data: its actions are executed in our world, and the demonstration
holds what our world answered. What differs from the recorded answers is counted and reported.
"""

import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from spa_lab.envs.base import Demonstration, Environment, Task, World
from spa_lab.envs.episode import RunningEpisode
from spa_lab.envs.parity import SHOWN, Mismatch
from spa_lab.react import parse

_LOG = logging.getLogger(__name__)
RECORDED = "recorded expert"
"""`Trajectory.policy` of replayed demonstrations."""
_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}
_PREFIX = re.compile(r"\s*Observation:\s*")


@dataclass(frozen=True)
class RecordedStep:
    """One step of a recording."""

    thought: str
    action: str
    observation: str
    """The recorded answer; "" if the recording ends with the action."""


@dataclass(frozen=True)
class RecordedEpisode:
    """One entry of a file of demonstrations."""

    where: str
    """File and entry, for messages."""
    fields: Mapping[str, Any]
    """Everything in the entry beside the conversation: "id", "game_file", ..."""
    opening: str
    """What the agent read before its first step, general instructions excluded."""
    steps: tuple[RecordedStep, ...]
    """At least one."""


@dataclass(frozen=True)
class Replay:
    """A recording as our world played it."""

    demonstration: Demonstration
    """Steps that our world refused are masked. Ended is "error" if the recording stops before the episode."""
    differences: tuple[Mismatch, ...]
    """The opening and the steps at which our world answered otherwise than the recording says."""


@dataclass(frozen=True)
class ReplayReport:
    """What became of the recordings that were asked for."""

    episodes: int
    """Recordings that were replayed."""
    steps: int
    """Steps of them that were executed."""
    differences: int
    """Openings and steps answered otherwise than recorded."""
    refused: int
    """Steps that our world refused."""
    unsuccessful: tuple[str, ...]
    """For each recording that does not reach its goal here, and so is left out: where it is, and why."""
    first: tuple[Mismatch, ...]
    """The first differences."""

    def render(self) -> str:
        """The report as text; its last line holds the counts."""
        parts = [mismatch.render() for mismatch in self.first]
        parts += [f"left out: {reason}" for reason in self.unsuccessful[:SHOWN]]
        return "\n".join([*parts, self.summary])

    @property
    def summary(self) -> str:
        """The counts on one line."""
        return (
            f"{self.episodes} recordings, {self.steps} steps, {self.differences} answered otherwise here, "
            f"{self.refused} refused, {len(self.unsuccessful)} recordings left out as unsuccessful"
        )


def read_episodes(path: Path, *, opening: re.Pattern[str] | None = None) -> list[RecordedEpisode]:
    """All demonstrations of a file.

    Args:
        path: a JSON list of entries, or one entry a line.
        opening: matches (`search`) the message that opens an episode; the last such message counts, so that
            an in-context example before it is skipped. By default the message before the first action.

    Raises:
        ValueError: the file cannot be read or an entry has another form; names file, entry and key.
    """
    return [
        _episode(entry, f"{path}: entry {index}", opening)
        for index, entry in enumerate(_entries(path), start=1)
    ]


def recording_file(variable: str, default: Path) -> Path | None:
    """The file of demonstrations that an environment variable names, else `default` if it exists, else None.

    Raises:
        ValueError: the variable names no file.
    """
    named = os.environ.get(variable)
    if named and not Path(named).expanduser().is_file():
        raise ValueError(f"{variable}={named}: no such file; expected demonstrations in ShareGPT form (JSON)")
    if named:
        return Path(named).expanduser()
    return default if default.is_file() else None


def replay(
    world: World,
    task: Task,
    episode: RecordedEpisode,
    *,
    step_limit: int,
    translate: Callable[[str], str] = str.strip,
    same: Callable[[str, str], bool] | None = None,
) -> Replay:
    """Execute the actions of a recording until the episode is over.

    Args:
        world: plays the task.
        task: the one that was recorded.
        episode: T > 0 recorded steps.
        step_limit: steps after which the episode ends.
        translate: recorded action -> the form that our world reads, where the two differ in spelling only.
        same: (recorded, ours) -> whether two texts agree; by default equal up to white space.
    """
    same = same or same_words
    environment = Environment(
        name=task.env, make_world=lambda: world, tasks=lambda split, n: [task], step_limit=step_limit
    )
    running = RunningEpisode(environment, task)
    initial = running.initial_observation
    differences = []
    if not same(episode.opening, initial):
        differences.append(Mismatch(f"{episode.where}, opening", episode.opening, initial))
    for index, recorded in enumerate(episode.steps, start=1):
        action = translate(recorded.action)
        reply = running.act(recorded.thought, action)
        if recorded.observation and not same(recorded.observation, reply.observation):
            where = f"{episode.where}, step {index} of {len(episode.steps)}, action {action!r}"
            ours = reply.observation + (f" [{reply.reason}]" if reply.reason else "")
            differences.append(Mismatch(where, recorded.observation, ours))
        if running.ended:
            break
    if not running.ended:
        running.stop()  # the recording ends before the episode does
    trajectory = running.trajectory(id=f"recorded/{task.id}", policy=RECORDED, seed=0)
    supervised = tuple(map(bool, trajectory.grounded))
    return Replay(Demonstration(trajectory, supervised), tuple(differences))


def same_words(recorded: str, ours: str) -> bool:
    """Whether two texts agree up to white space."""
    return recorded.split() == ours.split()


@dataclass(frozen=True)
class RecordedDemonstrations:
    """Recordings of a world's tasks; callable as `Environment.demonstrations`."""

    source: str
    """Where they come from, for messages: a path, and the variable that named it."""
    episodes: Mapping[str, RecordedEpisode]
    """Task id -> its recording."""
    make_world: Callable[[], World]
    tasks: Callable[[str, int], Sequence[Task]]
    """As in `Environment`: (split, n) -> the first n tasks."""
    step_limit: int
    translate: Callable[[Task, str], str] = lambda task, action: action.strip()
    """(task, recorded action) -> the form that our world reads."""
    same: Callable[[str, str], bool] = same_words
    """(recorded, ours) -> whether two texts agree."""
    minimum_outcome: float = 1.0
    """Recordings that end with less in our world are left out."""

    def __call__(self, split: str, n: int) -> list[Demonstration]:
        """The usable recordings of the first n tasks of a split; logs what differs.

        Raises:
            ValueError: some of these tasks have no recording (names both numbers), or none is usable.
        """
        demonstrations, report = self.replay(split, n)
        if report.differences or report.unsuccessful:
            _LOG.warning("%s: %s", self.source, report.summary)
        if n and not demonstrations:
            raise ValueError(
                f"{self.source}: none of {n} recordings reaches its goal in our world; "
                f"the first: {report.unsuccessful[0]}"
            )
        return demonstrations

    def replay(self, split: str, n: int) -> tuple[list[Demonstration], ReplayReport]:
        """The usable recordings of the first n tasks of a split, and what differed in all of them.

        Raises:
            ValueError: some of these tasks have no recording.
        """
        tasks = self.tasks(split, n)
        recorded = [task for task in tasks if task.id in self.episodes]
        if len(recorded) < len(tasks):
            raise ValueError(
                f"{self.source}: holds recordings of {len(recorded)} of the first {n} {split} tasks; "
                f"set demonstrations to {len(recorded)} or less"
            )
        world = self.make_world()
        replays = [
            replay(
                world, task, self.episodes[task.id],
                step_limit=self.step_limit,
                translate=partial(self.translate, task),
                same=self.same,
            )
            for task in recorded
        ]  # fmt: skip
        usable = [
            each.demonstration
            for each in replays
            if each.demonstration.trajectory.known_outcome >= self.minimum_outcome
        ]
        return usable, self._report(recorded, replays)

    def _report(self, tasks: Sequence[Task], replays: Sequence[Replay]) -> ReplayReport:
        differences = [mismatch for each in replays for mismatch in each.differences]
        steps = [step for each in replays for step in each.demonstration.trajectory.steps]
        unsuccessful = tuple(
            f"{self.episodes[task.id].where}: ends with outcome "
            f"{each.demonstration.trajectory.known_outcome:g}"
            + (f"; {each.differences[0].where}" if each.differences else "")
            for task, each in zip(tasks, replays, strict=True)
            if each.demonstration.trajectory.known_outcome < self.minimum_outcome
        )
        return ReplayReport(
            episodes=len(replays),
            steps=len(steps),
            differences=len(differences),
            refused=sum(not step.grounded for step in steps),
            unsuccessful=unsuccessful,
            first=tuple(differences[:SHOWN]),
        )


def _entries(path: Path) -> list[Any]:
    """The entries of a JSON list or of JSON lines."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: cannot be read: {error}") from error
    if text.lstrip().startswith("["):
        try:
            entries: list[Any] = json.loads(text)
        except ValueError as error:
            raise ValueError(f"{path}: cannot be read as JSON (truncated?): {error}") from error
        return entries
    lines = []
    for line_number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                lines.append(json.loads(line))
            except ValueError as error:
                raise ValueError(f"{path}: line {line_number} is not JSON: {error}") from error
    return lines


def _episode(entry: Any, where: str, opening: re.Pattern[str] | None) -> RecordedEpisode:
    if not isinstance(entry, dict):
        raise ValueError(f"{where}: expected an object, got {type(entry).__name__}")
    key = "conversations" if "conversations" in entry else "messages"
    messages = list(_messages(entry, key, where))
    start = _start(messages, opening)
    if start is None:
        raise ValueError(f"{where}: {key!r} holds no user message that is followed by an 'Action:'")
    steps: list[RecordedStep] = []
    for role, text in messages[start + 1 :]:
        if role == "assistant":
            thought, action = parse(text)
            steps.append(RecordedStep(thought, action, ""))
        elif steps:
            last = steps[-1]
            observation = "\n".join(part for part in (last.observation, _unprefixed(text)) if part)
            steps[-1] = RecordedStep(last.thought, last.action, observation)
    fields = {name: value for name, value in entry.items() if name != key}
    opening_text = _unprefixed(messages[start][1])
    return RecordedEpisode(where, fields, opening_text, tuple(steps))


def _messages(entry: Mapping[str, Any], key: str, where: str) -> Iterator[tuple[str, str]]:
    """(role, text) of each message; role is "user" or "assistant"."""
    messages = entry.get(key)
    if not isinstance(messages, list):
        raise ValueError(f"{where}: 'conversations' must be a list, got {type(messages).__name__}")
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            raise ValueError(f"{where}: {key}[{index}] must be an object, got {type(message).__name__}")
        role = _ROLES.get(str(message.get("from", message.get("role"))))
        text = message.get("value", message.get("content"))
        if role is None or not isinstance(text, str):
            raise ValueError(
                f"{where}: {key}[{index}] must have 'from' (human or gpt) and 'value' (text), got "
                f"{message.get('from', message.get('role'))!r} and {type(text).__name__}"
            )
        if role != "system":
            yield role, text


def _start(messages: Sequence[tuple[str, str]], opening: re.Pattern[str] | None) -> int | None:
    """Index of the message that opens the episode: one that is answered by an action."""
    answered = [
        index
        for index in range(len(messages) - 1)
        if (messages[index][0], messages[index + 1][0]) == ("user", "assistant")
        and parse(messages[index + 1][1])[1]
    ]
    if opening is None:
        return answered[0] if answered else None
    matching = [index for index in answered if opening.search(messages[index][1])]
    return matching[-1] if matching else None


def _unprefixed(text: str) -> str:
    match = _PREFIX.match(text)
    return text[match.end() :] if match else text
