"""The command `spa-lab`: reads the command line, calls one function of the library, prints the result.

Heavy modules are imported inside the function that needs them, so that `--help` and `parity` start at once
and without torch. Errors that a user can fix are one line on stderr and exit code 2; `--debug` (or
SPA_LAB_DEBUG=1) shows the traceback as well.
"""

import argparse
import io
import logging
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

from spa_lab import __version__
from spa_lab.commands import compare, fetch, figures, parity, plan
from spa_lab.commands.logs import add_log_commands
from spa_lab.commands.options import OBJECT, add_counts, add_server_options, count, server_of
from spa_lab.configs import presets
from spa_lab.configs.files import to_toml
from spa_lab.configs.flags import add_setting_flags, refuse_unknown_flags, updated_from_flags
from spa_lab.configs.presets import Preset
from spa_lab.envs.worlds import WORLDS, make_environment
from spa_lab.learn.methods import METHODS, check_method_name
from spa_lab.pipeline.advantages import ADVANTAGES
from spa_lab.pipeline.sources import SOURCES
from spa_lab.pipeline.trackers import TRACKERS, tracking

USER_ERROR, INTERRUPTED, BROKEN_PIPE = 2, 130, 141
"""Exit codes: wrong input; Ctrl-C and a closed pipe as a shell reports them."""

DEMO_METHODS = ("terminal", "spa", "spa_progress")

TRAINING = frozenset({"torch", "transformers", "tokenizers", "safetensors"})
"""Packages of the extra `train`, which a light installation lacks."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments, without the program's name; the process's own if None.

    Returns:
        The exit code: 0 is success, 1 is `parity` that found a mismatch or replayed nothing, or `compare`
        with a cell that failed.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments or os.environ.get("SPA_LAB_DEBUG", "0") not in ("", "0")
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, format="%(message)s")
    logging.getLogger("spa_lab").setLevel(logging.DEBUG if debug else logging.INFO)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without "Σ" still gets its table
    try:
        options = _parse(arguments)
        _check_launch(options)
        code: int = options.command(options)
        sys.stdout.flush()  # a closed pipe shows here, not while the interpreter shuts down
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED, debug=debug)
    except Exception as error:
        if not isinstance(error, _user_errors()):
            raise
        return _fail(_message(error), USER_ERROR, debug=debug)
    return code


def _check_launch(options: argparse.Namespace) -> None:
    """Raise ValueError for a command that several processes of a launch cannot do together."""
    if "RANK" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1 and options.command is not _run:
        raise ValueError("only `spa-lab run` can be started by accelerate launch; start this one alone")


def _user_errors() -> tuple[type[Exception], ...]:
    """Errors that say what a user can fix; all others are bugs and keep their traceback."""
    from spa_lab.store import StoreError  # needs NumPy, which `--help` does not

    return ValueError, OSError, ImportError, StoreError


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, ModuleNotFoundError) and error.name in TRAINING:
        return f"{error.name} is not installed, and this needs it: pip install 'spa-lab[train]'"
    message = str(error) or type(error).__name__
    return message if getattr(error, "has_lines", False) else " ".join(message.split())


def _fail(message: str, code: int, *, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print("spa-lab: error:", message, file=sys.stderr)
    return code


class _Parser(argparse.ArgumentParser):
    """Raises instead of printing its usage and exiting, so that every error is one line."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _parser(with_docs=not {"-h", "--help"}.isdisjoint(arguments))
    options, unknown = parser.parse_known_args(arguments)
    if unknown and options.command is not _lab:
        refuse_unknown_flags(presets.TINY if hasattr(options, "print_config") else None, unknown)
    options.unknown = unknown
    return options


def _parser(*, with_docs: bool) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="spa-lab",
        description="Step-wise credit assignment for language agents (SPA-RL).",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_list_names(),
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"spa-lab {__version__}")
    parser.add_argument("--debug", action="store_true", help="show tracebacks and debug messages")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_demo(commands, with_docs)
    _add_run(commands, with_docs)
    _add(commands, "lab", _lab, "JupyterLab on notebooks/; further options are passed to JupyterLab")
    for name, command in ("parity", parity), ("fetch", fetch):
        command.configure(_add(commands, name, command.run, command.SUMMARY))
    plan.configure(_add(commands, "plan", plan.run, plan.SUMMARY), with_docs=with_docs)
    _add_fidelity(commands)
    _add_gradient(commands)
    for name, command in ("figures", figures), ("compare", compare):
        command.configure(_add(commands, name, command.run, command.SUMMARY))
    add_log_commands(partial(_add, commands))
    _add(commands, "doctor", _doctor, "show versions, devices, base models and official data")
    return parser


def _list_names() -> str:
    """Worlds, methods and presets with what they are, for the end of a help text."""
    tables: dict[str, Mapping[str, str]] = {
        f"worlds (--env; {OBJECT})": {
            name: f"{entry.summary} (needs {entry.data})" if entry.data else entry.summary
            for name, entry in WORLDS.items()
        },
        f"methods (--method; {OBJECT})": {name: entry.summary for name, entry in METHODS.items()},
        "presets (--preset)": {name: presets.SUMMARIES.get(name, "") for name in presets.PRESETS},
    }
    lines = []
    for title, rows in tables.items():
        lines += ["", f"{title}:", *(f"  {name:<20} {summary}" for name, summary in rows.items())]
    return "\n".join(lines[1:])


def _add(
    commands: "argparse._SubParsersAction[_Parser]",
    name: str,
    command: Callable[[argparse.Namespace], int],
    summary: str,
    *,
    usage: str | None = None,
    epilog: str | None = None,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=summary,
        description=summary,
        usage=usage,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=command)
    # also after the command's name; without a default, so that it does not undo one before the name
    parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return parser


def _add_demo(commands: "argparse._SubParsersAction[_Parser]", with_docs: bool) -> None:
    demo = _add(
        commands, "demo", _demo, "train SPA-RL and its baseline, measure the truth, draw; in minutes",
        usage="spa-lab demo [options] [--SETTING VALUE ...]", epilog=_list_names(),
    )  # fmt: skip
    demo.add_argument("--env", default="household", metavar="WORLD", help="(%(default)s)")
    demo.add_argument("--out", type=Path, metavar="DIR", help="run folder (runs/demo or runs/demo-WORLD)")
    _add_training_options(demo, with_docs)


def _add_run(commands: "argparse._SubParsersAction[_Parser]", with_docs: bool) -> None:
    run = _add(
        commands, "run", _run, "train with one or more methods; finished parts of DIR are not repeated",
        usage="spa-lab run --env WORLD --method NAME ... --out DIR [options] [--SETTING VALUE ...]",
        epilog=_list_names(),
    )  # fmt: skip
    run.add_argument("--env", metavar="WORLD", help="required")
    run.add_argument("--method", nargs="+", metavar="NAME", help="required; one or more training methods")
    run.add_argument("--out", type=Path, metavar="DIR", help="required; run folder")
    run.add_argument("--log", metavar="TRACKER", help=f"also send metrics to {', '.join(TRACKERS)}; {OBJECT}")
    add_server_options(run)
    _add_training_options(run, with_docs)


def _add_training_options(parser: argparse.ArgumentParser, with_docs: bool) -> None:
    parser.add_argument("--preset", default="tiny", metavar="NAME", help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers (%(default)s)")
    parser.add_argument(
        "--workers", type=count, metavar="N", help="processes side by side (2; with LoRA 1); same results"
    )
    add_setting_flags(parser, presets.TINY, shown=f"the preset {presets.TINY.name}", with_docs=with_docs)


def _add_fidelity(commands: "argparse._SubParsersAction[_Parser]") -> None:
    rows = (f"  {name:<20} {entry.summary}" for name, entry in SOURCES.items())
    more = f"file:PATH of a file of scores, {OBJECT}"
    fidelity = _add(
        commands, "fidelity", _fidelity, "score credit sources against Monte Carlo values",
        epilog="\n".join((f"credit sources (--source; {more}):", *rows)),
    )  # fmt: skip
    fidelity.add_argument("run", type=Path, metavar="RUN", help="folder of a finished run with an estimator")
    fidelity.add_argument("--source", nargs="+", metavar="NAME", help=f"score only these; {more}")
    add_counts(
        fidelity, trajectories=(40, "held-out trajectories of each outcome"),
        branches=(64, "continuations per value; 0: give credit, measure nothing"),
        workers=(2, "processes side by side; same results"), or_none="branches",
    )  # fmt: skip
    add_server_options(fidelity)


def _add_gradient(commands: "argparse._SubParsersAction[_Parser]") -> None:
    rows = (f"  {name:<20} {entry.summary}" for name, entry in ADVANTAGES.items())
    more = f"or a training method, or step: and a credit source; each {OBJECT}"
    gradient = _add(
        commands, "gradient", _gradient, "compare advantages by how well they serve the next update",
        epilog="\n".join((f"advantages (--advantage; {more}):", *rows)),
    )  # fmt: skip
    gradient.add_argument("run", type=Path, metavar="RUN", help="folder of a run with a cloned policy")
    gradient.add_argument("--advantage", nargs="+", metavar="NAME", help="compare only these")
    gradient.add_argument("--policy", default="cloned", metavar="NAME", help="model that plays (%(default)s)")
    add_counts(
        gradient, tasks=(64, "training tasks"), group=(8, "episodes of each task"),
        branches=(4, "continuations per value, even"), workers=(2, "processes side by side; same results"),
    )  # fmt: skip
    add_server_options(gradient)


def _preset(options: argparse.Namespace) -> Preset:
    """Preset of the world, settings file and flags, applied in this order."""
    world = make_environment(options.env or "household")
    return updated_from_flags(presets.preset_named(options.preset, world.name, world.base), options)


def _demo(options: argparse.Namespace) -> int:
    if options.out is None:
        suffix = "" if options.env == "household" else f"-{make_environment(options.env).name}"
        options.out = Path(f"runs/demo{suffix}")
    if options.print_config:
        return _print_config(options)

    preset, workers = _training_settings(options)

    from spa_lab.pipeline.demo import demo

    print(demo(options.out, options.env, DEMO_METHODS, preset, seed=options.seed, workers=workers))
    return 0


def _run(options: argparse.Namespace) -> int:
    if options.print_config:
        return _print_config(options)
    for name in ("env", "method", "out"):
        if getattr(options, name) is None:
            raise ValueError(f"run: --{name} is missing")
    for method in options.method:
        check_method_name(method)
    preset, workers = _training_settings(options)

    from spa_lab.agent.processes import launch_index
    from spa_lab.pipeline.report import render_summary
    from spa_lab.pipeline.train import train

    main = launch_index() == 0
    with tracking(options.log if main else None, options.out) as on_metrics:
        run = train(
            options.out, options.env, options.method, preset, seed=options.seed, workers=workers,
            on_metrics=on_metrics, server=server_of(options),
        )  # fmt: skip
    if main:
        print(render_summary(run))
    return 0


def _print_config(options: argparse.Namespace) -> int:
    print(to_toml(_preset(options)))
    return 0


def _training_settings(options: argparse.Namespace) -> tuple[Preset, int]:
    """Preset and number of workers."""
    preset = _preset(options)
    return preset, options.workers or (1 if preset.lora_rank else 2)  # a large model fills the machine alone


def _lab(options: argparse.Namespace) -> int:
    from spa_lab.paths import notebooks_folder

    command = [sys.executable, "-m", "jupyterlab", "--ServerApp.root_dir", str(notebooks_folder())]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # a container's only user; the server keeps its token
    os.execv(sys.executable, [*command, *options.unknown])


def _fidelity(options: argparse.Namespace) -> int:
    from spa_lab.pipeline.fidelity import fidelity

    counts = {name: getattr(options, name) for name in ("trajectories", "branches", "workers")}
    print(fidelity(run=options.run, sources=options.source, server=server_of(options), **counts))
    return 0


def _gradient(options: argparse.Namespace) -> int:
    from spa_lab.pipeline.gradient_fidelity import gradient_fidelity
    from spa_lab.view.tables.gradient_fidelity import render_gradient

    counts = {name: getattr(options, name) for name in ("tasks", "group", "branches", "workers")}
    table = gradient_fidelity(
        options.run, advantages=options.advantage, policy=options.policy, server=server_of(options), **counts
    )
    print(render_gradient(table))
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
