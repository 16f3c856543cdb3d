"""The command with a preset that takes seconds: `python micro.py run --env ... --out DIR --workers 1`.

As a program it can kill itself and its workers while a task is running: MICRO_KILL_IN holds the beginning of
the task's label.
"""

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

if __name__ != "__mp_main__":  # workers import the program, too, and need none of this
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from spa_lab import cli
from spa_lab.configs import presets
from spa_lab.configs.presets import TINY, Preset
from spa_lab.pipeline import demo, parallel

MICRO = replace(
    TINY,
    name="micro",
    demonstrations=24,
    clone=replace(TINY.clone, epochs=4, batch_tokens=800, lr=1e-2, muon_lr=2e-2),
    explore_tasks=6,
    rollouts_per_task=2,
    explore_rollout=replace(TINY.explore_rollout, max_new_tokens=3, parallel=4),
    estimator=replace(TINY.estimator, width=8, epochs=1, batch_tokens=2000),
    ppo=replace(TINY.ppo, iterations=2, episodes=4, epochs=1),
    evaluate_rollout=replace(TINY.evaluate_rollout, temperature=0.7, max_new_tokens=3),
    evaluation_tasks=4,
    by_length_tasks=2,
)
NANO = replace(
    MICRO,
    name="nano",
    demonstrations=8,
    clone=replace(MICRO.clone, epochs=2),
    explore_tasks=4,
    ppo=replace(MICRO.ppo, iterations=1),
    evaluation_tasks=2,
)
RUN = ("run", "--env", "household", "--method", "spa", "terminal")
"""Arguments of the run that most tests share."""


def main(argv: Sequence[str], preset: Preset = MICRO) -> int:
    """`spa-lab` with that preset as the default and only one."""
    with (
        patch.object(presets, "PRESETS", {"tiny": preset, preset.name: preset}),
        patch.object(demo, "TRAJECTORIES", 1),
        patch.object(demo, "BRANCHES", 2),
    ):
        return cli.main(argv)


def main_killed_in(label: str, argv: Sequence[str]) -> int:
    """`main`, which ends with SIGKILL to the group of processes while a task with such a label is running."""
    show = parallel.show

    def show_or_kill(bar: Any, progress: Any) -> None:
        if bar.desc.startswith(label) and 0 < progress.share < 1:
            os.killpg(0, signal.SIGKILL)
        show(bar, progress)

    with patch.object(parallel, "show", show_or_kill):
        return main(argv)


if __name__ == "__main__":
    label = os.environ.get("MICRO_KILL_IN")
    sys.exit(main_killed_in(label, sys.argv[1:]) if label else main(sys.argv[1:]))
