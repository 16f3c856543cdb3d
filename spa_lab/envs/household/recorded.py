"""Recorded ALFWorld demonstrations: which game each belongs to, and how their texts compare with ours.

A recording names its game by a path with a `trial_...` folder in any of its fields ("game_file" in the
published files). Where none does, the game is found by the task sentence and the room in the opening text;
among games that look alike, the one in which the recorded actions give the recorded answers.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from spa_lab.envs.base import Task
from spa_lab.envs.household.spelling import standard_command
from spa_lab.envs.household.world import HouseholdWorld
from spa_lab.envs.recorded import RecordedEpisode, replay, same_words

_TASK_SENTENCE = re.compile(r"Your task is to: (.*?)\.?\s*$", re.DOTALL)
_ARRIVAL = re.compile(r"^You arrive at (?:[a-z]+ )?\d+\. ")
_PUT_DOWN = re.compile(r"^You (?:put|move) the (\w+ \d+) (?:in/on|to) the (\w+ \d+)\.")


class Matches(NamedTuple):
    """Recordings and the games that they were made in."""

    episodes: dict[str, RecordedEpisode]
    """Task id -> the first recording of that game."""
    unmatched: tuple[str, ...]
    """For each other recording: where it is, and why it was left out."""


def match_recordings(episodes: Iterable[RecordedEpisode], tasks: Sequence[Task], step_limit: int) -> Matches:
    """Find the game of each recording.

    Args:
        episodes: recordings, each with T > 0 steps.
        tasks: the games of one split.
        step_limit: longest episode, steps.
    """
    by_path = {_trial(task.id): task for task in tasks}
    finder = _FinderByText(tasks, step_limit)
    matched: dict[str, RecordedEpisode] = {}
    unmatched = []
    for episode in episodes:
        named = next(_trials_in(episode), None)
        task = by_path.get(named) if named else finder.find(episode)
        if task is None:
            reason = f"no game {'/'.join(named)}" if named else "no game with this room and task sentence"
            unmatched.append(f"{episode.where}: {reason}")
        elif task.id in matched:
            unmatched.append(f"{episode.where}: another recording of {task.id}")
        else:
            matched[task.id] = episode
    return Matches(matched, tuple(unmatched))


def recorded_command(task: Task, action: str) -> str:
    """A recorded action in the form that the task's game reads; unchanged where its form is not known."""
    return standard_command(action, task.payload.grammar) or action.strip()


def same_observation(recorded: str, ours: str) -> bool:
    """Whether two texts say the same, whatever release worded them.

    Published recordings leave out "You arrive at loc 3. "; releases differ in the answer to putting down.
    """
    return same_words(_without_wording(recorded), _without_wording(ours))


class _FinderByText:
    """Finds games by what a recording shows of them."""

    def __init__(self, tasks: Sequence[Task], step_limit: int) -> None:
        self.step_limit = step_limit
        self.world = HouseholdWorld()
        self.by_sentence: dict[str, list[Task]] = {}
        for task in tasks:
            self.by_sentence.setdefault(task.instruction, []).append(task)

    def find(self, episode: RecordedEpisode) -> Task | None:
        """The game with the recording's task sentence and room, in which it goes as recorded."""
        sentence = _TASK_SENTENCE.search(episode.opening)
        candidates = [
            task
            for task in self.by_sentence.get(sentence[1] if sentence else "", ())
            if same_words(self.world.reset(task), episode.opening)
        ]
        if len(candidates) < 2:
            return candidates[0] if candidates else None
        return min(candidates, key=lambda task: self._unlikeness(task, episode))

    def _unlikeness(self, task: Task, episode: RecordedEpisode) -> tuple[bool, int]:
        """Sort key: first games in which the recording succeeds, then those with fewer differences."""
        played = replay(
            self.world,
            task,
            episode,
            step_limit=self.step_limit,
            translate=lambda action: recorded_command(task, action),
            same=same_observation,
        )
        return not played.demonstration.trajectory.known_success, len(played.differences)


def _trials_in(episode: RecordedEpisode) -> Iterator[tuple[str, str]]:
    """(task folder, trial folder) of each path in the fields of a recording."""
    for value in episode.fields.values():
        if isinstance(value, str) and (trial := _trial(value)):
            yield trial


def _trial(path: str) -> tuple[str, str] | None:
    parts = re.split(r"[/\\]", path)
    for folder, name in pairwise(parts):
        if name.startswith("trial_"):
            return folder, name
    return None


def _without_wording(text: str) -> str:
    return _PUT_DOWN.sub(r"You put \1 in \2.", _ARRIVAL.sub("", text.strip()))
