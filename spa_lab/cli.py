"""The command `spa-lab`: reads the command line, calls one function of the library, prints.

Everything heavy is imported inside the function that needs it, so that `--help` and `parity` start at
once and without torch. What a user can mend is one line on stderr and exit code 2; `--debug` (or
SPA_LAB_DEBUG=1) shows the traceback instead.
"""

import argparse
import io
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from spa_lab import __version__
from spa_lab.envs.parity import ParityReport
from spa_lab.envs.worlds import WORLDS
from spa_lab.store import StoreError

NEEDS_ATTENTION, USER_ERROR, INTERRUPTED, BROKEN_PIPE = 1, 2, 130, 141
"""Exit codes: a check found something; wrong input; Ctrl-C and a closed pipe as a shell reports them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments, without the program's name; the process's own if None.

    Returns:
        The exit code: 0 is success, 1 is `parity` that found a mismatch or replayed nothing.
    """
    options = _parse(argv)
    debug = options.debug or os.environ.get("SPA_LAB_DEBUG", "0") not in ("", "0")
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, format="%(message)s")
    logging.getLogger("spa_lab").setLevel(logging.DEBUG if debug else logging.INFO)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without "Σ" is no reason to lose a table
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        code = command(options)
        sys.stdout.flush()  # a closed pipe shows here, not while the interpreter shuts down
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return _failed("interrupted", INTERRUPTED, debug=debug)
    except (ValueError, OSError, StoreError, ImportError) as error:
        return _failed(_message(error), USER_ERROR, debug=debug)
    return code


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


def _failed(message: str, code: int, *, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print("spa-lab: error:", " ".join(message.split()), file=sys.stderr)
    return code


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    options, others = parser.parse_known_args(argv)
    if others and options.command is not _lab:
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    options.others = others
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spa-lab", description="Step-wise credit assignment for language agents (SPA-RL)."
    )
    parser.add_argument("--version", action="version", version=f"spa-lab {__version__}")
    parser.add_argument("--debug", action="store_true", help="show tracebacks and debug messages")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    demo = _add(commands, "demo", _demo, "the whole loop at the tiny preset: train, evaluate, draw")
    worlds = f"the world: {', '.join(WORLDS)}"
    demo.add_argument("--env", default="household", metavar="E", help=f"{worlds} (%(default)s)")
    demo.add_argument("--seed", type=int, default=0)
    demo.add_argument("--out", type=Path, metavar="DIR", help="(runs/demo, with the world's name behind it)")
    demo.add_argument("--workers", type=_count, default=2, metavar="N", help="processes (%(default)s)")

    run = _add(commands, "run", _run, "one training run; stages already in DIR are not done again")
    run.add_argument("--env", required=True, metavar="E", help=worlds)
    run.add_argument("--method", required=True, metavar="M", help="how to train, for example spa")
    run.add_argument("--preset", default="tiny", metavar="P", help="the scale (%(default)s)")
    run.add_argument("--seed", type=int, default=0)
    run.add_argument("--out", type=Path, required=True, metavar="DIR")

    _add(commands, "lab", _lab, "JupyterLab on notebooks/; further options are handed to JupyterLab")

    parity = _add(commands, "parity", _parity, "replay an original engine's recorded episodes in our world")
    parity.add_argument(
        "env", metavar="ENV", help=", ".join(name for name, entry in WORLDS.items() if entry.parity)
    )
    parity.add_argument("folder", type=Path, metavar="FOLDER", help="folder of *.jsonl.gz recordings")

    fidelity = _add(commands, "fidelity", _fidelity, "the scoreboard: every credit source against the truth")
    fidelity.add_argument("run", type=Path, metavar="RUN", help="folder of a finished run with an estimator")
    for name, default, meaning in (
        ("--trajectories", 40, "held-out trajectories of each outcome"),
        ("--branches", 64, "continuations behind each value"),
        ("--workers", 2, "processes"),
    ):
        fidelity.add_argument(
            name, type=_count, default=default, metavar="N", help=meaning + " (%(default)s)"
        )

    _add_looking(commands)
    _add(commands, "bench", _bench, "time the parts that training waits for")
    _add(commands, "doctor", _doctor, "what is installed, which device, which data were found")
    return parser


def _add_looking(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Commands for runs that are there already, and for other people's logs."""
    figures = _add(
        commands, "figures", _figures, "figures and tables for a paper; runs of several seeds as one"
    )
    figures.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folder of a finished run")
    figures.add_argument(
        "--out", type=Path, default=Path("runs/figures"), metavar="DIR", help="(%(default)s)"
    )
    figures.add_argument("--columns", type=int, choices=(1, 2), default=2, help="width (%(default)s)")
    figures.add_argument("--trajectory", metavar="ID", help="the one to draw (a success and a failure)")
    figures.add_argument(
        "--sources", nargs="+", default=(), metavar="NAME", help="whose credit (all with room)"
    )
    figures.add_argument(
        "--caption", action="store_true", help="say n, seeds and commit in the captions, too"
    )

    foreign = _add(commands, "import", _import, "someone else's log as a run to inspect")
    foreign.add_argument("format", metavar="FORMAT", help="steps or chat; see spa_lab/importers/")
    foreign.add_argument("file", type=Path, metavar="FILE", help="JSON lines, an episode each")
    foreign.add_argument("--out", type=Path, required=True, metavar="DIR")


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    command: Callable[[argparse.Namespace], int],
    summary: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=summary)
    parser.set_defaults(command=command)
    # also after the command's name; without a default, so that it does not undo one before the name
    parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return parser


def _count(text: str) -> int:
    """A whole number >= 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def _demo(options: argparse.Namespace) -> int:
    from spa_lab import pipeline

    own = "" if options.env == "household" else f"-{options.env}"
    out = options.out or Path(f"runs/demo{own}")
    print(pipeline.demo(out=out, seed=options.seed, workers=options.workers, env=options.env))
    return 0


def _run(options: argparse.Namespace) -> int:
    from spa_lab import pipeline

    summary = pipeline.run(
        env=options.env, method=options.method, preset=options.preset, seed=options.seed, out=options.out
    )
    print(summary)
    return 0


def _lab(options: argparse.Namespace) -> int:
    from spa_lab.paths import notebooks_folder

    command = [sys.executable, "-m", "jupyterlab", "--ServerApp.root_dir", str(notebooks_folder())]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # a container's only user; the server keeps its token
    os.execv(sys.executable, [*command, *options.others])


def _parity(options: argparse.Namespace) -> int:
    replayable = {name: entry for name, entry in WORLDS.items() if entry.parity}
    if options.env not in replayable:
        there = ", ".join(f"{name} (recordings of {entry.benchmark})" for name, entry in replayable.items())
        raise ValueError(f"parity: no world {options.env!r}; there is: {there}")
    if not options.folder.is_dir():
        raise NotADirectoryError(f"parity: {options.folder} is not a folder")
    world = import_module(replayable[options.env].parity)
    report: ParityReport = world.replay_folder(options.folder)
    print(report.render())
    return NEEDS_ATTENTION if report.mismatches or not report.episodes else 0


def _fidelity(options: argparse.Namespace) -> int:
    from spa_lab.pipeline.fidelity import fidelity

    print(
        fidelity(
            run=options.run,
            trajectories=options.trajectories,
            branches=options.branches,
            workers=options.workers,
        )
    )
    return 0


def _figures(options: argparse.Namespace) -> int:
    from spa_lab.pipeline.figures import figures
    from spa_lab.pipeline.paper_figures import Asked

    asked = Asked(options.columns, options.trajectory, tuple(options.sources))
    print(figures(runs=options.runs, out=options.out, asked=asked, in_caption=options.caption))
    return 0


def _import(options: argparse.Namespace) -> int:
    from spa_lab.importers import import_file

    run, found = import_file(options.format, options.file, options.out)
    n_successes = sum(one.success for one in found.trajectories)
    sources = ", ".join(dict.fromkeys(credit.source for credit in found.credits)) or "nobody"
    print(f"{len(found.trajectories)} trajectories, {n_successes} successes, credits by {sources}")
    print(*found.notes, f'look: spa_lab.inspect("{run.path}")', sep="\n")
    return 0


def _bench(options: argparse.Namespace) -> int:
    from benchmarks import bench

    bench.main()
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from spa_lab import doctor

    rows = doctor.report()
    width = max(len(name) for name, _ in rows)
    for name, finding in rows:
        print(f"{name:<{width}}  {finding}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
