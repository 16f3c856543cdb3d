"""ALFWorld's own games as a world: `--env alfworld`, with the data folder in `ALFWORLD_DATA`.

Panels are ALFWorld's splits: "train", "seen" (valid_seen) and "unseen" (valid_unseen), each in a fixed order
that mixes the task types (by the hash of the task id), so that the first n tasks are a fair sample. In
"train", games with a recorded demonstration come first.

Demonstrations are recorded ones if `ALFWORLD_DEMONSTRATIONS` names a file of them (ShareGPT form, as ETO and
SPA-RL publish; default: `alfworld_sft.json` in the data folder), and the household expert's otherwise.
`Task.expert_length` is the length of the recorded demonstration, else of the walkthrough in the game file
(a planner's solution), else 0: unknown.
"""

import hashlib
import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path

from spa_lab.envs.base import Demonstration, Environment, Task
from spa_lab.envs.household import MANUAL, make_expert
from spa_lab.envs.household.expert import HouseholdExpert
from spa_lab.envs.household.game import Grammar
from spa_lab.envs.household.official import FOLDERS, VARIABLE, data_folder, first_game, official_games
from spa_lab.envs.household.panels import STEP_LIMIT
from spa_lab.envs.household.recorded import match_recordings, recorded_command, same_observation
from spa_lab.envs.household.text import put_command
from spa_lab.envs.household.world import HouseholdWorld
from spa_lab.envs.panels import SETTINGS
from spa_lab.envs.recorded import RecordedDemonstrations, read_episodes, recording_file

_LOG = logging.getLogger(__name__)
NAME = "alfworld"
DEMONSTRATIONS = "ALFWORLD_DEMONSTRATIONS"
"""Environment variable that names the file of recorded demonstrations (optional)."""
DEMONSTRATION_FILE = "alfworld_sft.json"
"""Where recorded demonstrations are looked for in the data folder if the variable is not set."""


def environment() -> Environment:
    """ALFWorld's games in `$ALFWORLD_DATA`.

    Raises:
        ValueError: the data are missing; names the variable, the expected layout and what is there.
    """
    root = data_folder()
    default = Path(os.environ[VARIABLE]).expanduser() / DEMONSTRATION_FILE
    return _environment(root, recording_file(DEMONSTRATIONS, default))


@lru_cache(maxsize=4)
def _environment(root: Path, recordings: Path | None) -> Environment:
    games = OfficialPanels(root, recordings)
    return Environment(
        name=NAME,
        make_world=HouseholdWorld,
        make_expert=_make_expert,
        demonstrations=games.demonstrations if recordings else None,
        tasks=games.tasks,
        step_limit=STEP_LIMIT,
        manual=MANUAL.replace(
            put_command("{object}", "{receptacle}", "move"),
            put_command("{object}", "{receptacle}", games.grammar),
        ),
        benchmark="ALFWorld",
        official=True,
        panels=("unseen", "seen"),
        base="household",
        settings={
            "games": games.digest,
            "demonstrations": _sixteen_digits(recordings.read_bytes()) if recordings else "expert",
        },
    )


def _sixteen_digits(content: bytes) -> str:
    """A hash of `content` as sixteen hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()[:16]


def _make_expert(task: Task, opening: str) -> HouseholdExpert:
    try:
        return make_expert(task, opening)
    except ValueError as error:
        raise ValueError(
            f"alfworld: task {task.id!r} has no demonstration: our expert cannot parse {task.instruction!r}, "
            f"its traj_data.json has no usable pddl_params, and {DEMONSTRATIONS} names no recordings"
        ) from error


class OfficialPanels:
    """The panels of a data folder; each split is read when it is first asked for."""

    def __init__(self, root: Path, recordings: Path | None = None) -> None:
        """Reads nothing yet.

        Args:
            root: the folder that holds `train`, `valid_seen` and `valid_unseen`, or some of them.
            recordings: a file of recorded demonstrations of training games.
        """
        self.root = root
        self.recordings = recordings
        self._panels: dict[str, tuple[Task, ...]] = {}

    @cached_property
    def digest(self) -> str:
        """Hash of the names and sizes of all game files."""
        files = sorted(self.root.glob("*/*/trial_*/game.tw-pddl"))
        listing = "".join(f"{file.relative_to(self.root)}\t{file.stat().st_size}\n" for file in files)
        return _sixteen_digits(listing.encode())

    @property
    def grammar(self) -> Grammar:
        """How commands are worded, judged by the first game: a data folder holds one release."""
        grammar: Grammar = first_game(self.root).payload.grammar
        return grammar

    def tasks(self, split: str, n: int) -> Sequence[Task]:
        """The first `n` tasks of "train", "seen" or "unseen".

        Raises:
            ValueError: the split is unknown or its folder is missing, or it has fewer tasks (names both
                numbers and the settings to lower).
        """
        panel = self._panel(split)
        if not 0 <= n <= len(panel):
            raise ValueError(
                f"alfworld: {n} tasks of panel {split!r} are wanted, {self.root / FOLDERS[split]} has "
                f"{len(panel)}; lower {SETTINGS[split]}"
            )
        return panel[:n]

    def demonstrations(self, split: str, n: int) -> Sequence[Demonstration]:
        """The recorded demonstrations of the first `n` tasks, as in `Environment.demonstrations`."""
        return self.recorded(split, n)

    @cached_property
    def recorded(self) -> RecordedDemonstrations:
        """The recordings of training games.

        Raises:
            ValueError: there is no file of recordings, it cannot be read, or it has none of these games.
        """
        if self.recordings is None:
            raise ValueError(f"alfworld: no recorded demonstrations; {DEMONSTRATIONS} must name their file")
        episodes = read_episodes(self.recordings)
        matches = match_recordings(episodes, self._games("train"), STEP_LIMIT)
        if not matches.episodes:
            reason = matches.unmatched[0] if matches.unmatched else "the file is empty"
            raise ValueError(
                f"{self.recordings}: none of {len(episodes)} recordings belongs to a game in "
                f"{self.root / FOLDERS['train']}; the first: {reason}"
            )
        if matches.unmatched:
            _LOG.warning(
                "%s: %d of %d recordings left out; the first: %s",
                self.recordings, len(matches.unmatched), len(episodes), matches.unmatched[0],
            )  # fmt: skip
        return RecordedDemonstrations(
            source=str(self.recordings),
            episodes=matches.episodes,
            make_world=HouseholdWorld,
            tasks=self.tasks,
            step_limit=STEP_LIMIT,
            translate=recorded_command,
            same=same_observation,
        )

    def _panel(self, split: str) -> tuple[Task, ...]:
        games = self._games(split)
        if split != "train" or self.recordings is None:
            return games
        episodes = self.recorded.episodes
        first = [
            replace(task, expert_length=len(episodes[task.id].steps)) for task in games if task.id in episodes
        ]
        return (*first, *(task for task in games if task.id not in episodes))

    def _games(self, split: str) -> tuple[Task, ...]:
        """The games of a split by the hash of their ids."""
        if split not in self._panels:
            tasks = [replace(task, env=NAME) for task in official_games(self.root, (split,)).tasks]
            self._panels[split] = tuple(
                sorted(tasks, key=lambda task: hashlib.sha256(task.id.encode()).digest())
            )
        return self._panels[split]
