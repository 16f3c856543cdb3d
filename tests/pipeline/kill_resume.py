"""Kill a run with SIGKILL at random moments, resume it, and compare its files with an undisturbed run's.

    python tests/pipeline/kill_resume.py --world household --kills 60 --seed 0

Each attempt is a session of its own, workers included. An attempt that ends before its kill is
compared and a new run is started; the last one runs to its end and is compared, too.
"""

import argparse
import hashlib
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.pipeline.attempts import Attempt

HERE = Path(__file__).resolve().parent
METHODS = ("spa", "terminal", "critic", "random")
KINDS = ("trajectories", "credits", "metrics", "tasks", "models", "checkpoints")


@dataclass
class Outcome:
    """Results of the kills."""

    kills: int = 0
    compared: int = 0
    """Runs that were killed at least once and then finished."""
    differing: list[str] = field(default_factory=list)
    """Files that differ from the undisturbed run's."""


def digests(folder: Path) -> dict[str, str]:
    """Digest of every file that must depend on the settings only."""
    files = [path for kind in KINDS for path in sorted((folder / kind).rglob("*")) if path.is_file()]
    files.append(folder / "summary.json")
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def differing(ours: dict[str, str], theirs: dict[str, str]) -> list[str]:
    """Names of files that exist on one side only, or that differ."""
    return sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))


@dataclass(frozen=True)
class KilledRun:
    """A small run that is killed."""

    world: str
    data: Path
    """Folder of the base models."""
    methods: Sequence[str] = METHODS
    workers: int = 2


def start(out: Path, run: KilledRun) -> "Attempt":
    """The run, or its resumption."""
    from attempts import Attempt

    environment = {"SPA_LAB_DATA": str(run.data), "OMP_NUM_THREADS": "1"}
    arguments = (out, run.world, run.methods, run.workers)
    return Attempt(_train, *arguments, environment=environment, log=out.with_name(f"{out.name}.log"))


def finish(out: Path, run: KilledRun) -> None:
    """Let the run end by itself; raises RuntimeError if it fails."""
    code = start(out, run).wait()
    if code != 0:
        raise RuntimeError(f"{out}: the run ended with exit code {code}, see {out}.log")


def measure(run: KilledRun, kills: int, seed: int, folder: Path) -> Outcome:
    """Kill `kills` times and compare.

    Args:
        run: what is killed.
        kills: number of SIGKILLs.
        seed: of the random moments.
        folder: an empty folder for the runs.
    """
    rng, outcome = random.Random(seed), Outcome()
    began = time.monotonic()
    finish(folder / "undisturbed", run)
    seconds = time.monotonic() - began
    expected = digests(folder / "undisturbed")
    out = folder / "killed"
    killed = False

    def compare() -> None:
        nonlocal killed
        outcome.compared += killed
        outcome.differing += differing(digests(out), expected)
        shutil.rmtree(out)
        killed = False

    while outcome.kills < kills:
        attempt = start(out, run)
        code = attempt.wait(rng.uniform(0.1, 0.9) * seconds)
        if code is None:
            attempt.kill()
            outcome.kills, killed = outcome.kills + 1, True
            continue
        if code:
            raise RuntimeError(f"{out}: a resumed run ended with exit code {code}, see {out}.log")
        compare()
    finish(out, run)
    compare()
    return outcome


def _train(out: Path, world: str, methods: Sequence[str], workers: int) -> None:
    from micro import NANO

    from spa_lab.pipeline.train import train
    from spa_lab.store import folder

    folder.git_commit = lambda: "0" * 40  # a commit between a run and its resumption is recorded in the run
    preset = replace(NANO, by_length_tasks=0)  # half of the time were evaluations on that panel
    train(out, world, methods, preset, seed=0, workers=workers)


def _main() -> None:
    parser = argparse.ArgumentParser(
        description="Kill a small run at random moments and compare its results."
    )
    parser.add_argument("--world", default="household")
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--methods", nargs="+", default=METHODS)
    options = parser.parse_args()
    from base_models import make_data

    from tests.conftest import _tiny_policy

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = make_data(folder / "data", _tiny_policy, (options.world,))
        run = KilledRun(options.world, data, options.methods, options.workers)
        outcome = measure(run, options.kills, options.seed, folder)
    print(  # noqa: T201
        f"{options.world}: {outcome.kills} kills, {outcome.compared} killed runs compared, "
        f"{len(outcome.differing)} files differ {sorted(set(outcome.differing))[:5]}"
    )
    sys.exit(bool(outcome.differing))


if __name__ == "__main__":
    sys.path[:0] = [str(HERE), str(HERE.parents[1])]
    _main()
