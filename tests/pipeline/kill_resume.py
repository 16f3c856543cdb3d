"""Kill a run with SIGKILL at random moments, resume it, and compare its files with an undisturbed run's.

    python tests/pipeline/kill_resume.py --world household --kills 60 --seed 0

Each attempt is a process group of its own, workers included. An attempt that ends before its kill is
compared and a new run is started; the last one runs to its end and is compared, too.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

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


def start(out: Path, run: KilledRun) -> subprocess.Popen[bytes]:
    """The run, or its resumption, in a session of its own."""
    command = [sys.executable, str(HERE / "kill_resume.py"), "--only", str(out), "--world", run.world]
    environment = os.environ | {"SPA_LAB_DATA": str(run.data), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*command, "--workers", str(run.workers), "--methods", *run.methods],
        env=environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def finish(out: Path, run: KilledRun) -> None:
    """Let the run end by itself; raises RuntimeError if it fails."""
    process = start(out, run)
    if process.wait() != 0:
        raise RuntimeError(f"{out}: the run ended with exit code {process.returncode}")


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
        process = start(out, run)
        try:
            code = process.wait(timeout=rng.uniform(0.1, 0.9) * seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            outcome.kills, killed = outcome.kills + 1, True
            continue
        if code:
            raise RuntimeError(f"{out}: a resumed run ended with exit code {code}")
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
    parser.add_argument("--only", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        _train(options.only, options.world, options.methods, options.workers)
        return
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
