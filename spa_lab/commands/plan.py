"""The command `spa-lab plan`: hours, memory, tokens and disk of a run, before it is started."""

import argparse
from typing import TYPE_CHECKING

from spa_lab.configs import presets
from spa_lab.configs.files import to_toml
from spa_lab.configs.flags import add_setting_flags, updated_from_flags

if TYPE_CHECKING:
    from spa_lab.envs.base import Environment

SUMMARY = "calculate hours, memory, tokens and disk of every stage of a run; runs nothing"


def configure(parser: argparse.ArgumentParser, *, with_docs: bool) -> None:
    """Add the options of the command; `with_docs` as in `configs.flags.add_setting_flags`."""
    parser.add_argument("--env", default="household", metavar="WORLD", help="(%(default)s)")
    parser.add_argument("--preset", default=presets.PAPER.name, metavar="NAME", help="(%(default)s)")
    parser.add_argument("--methods", type=int, default=1, metavar="N", help="training methods (%(default)s)")
    parser.add_argument(
        "--success", type=float, default=0.5, metavar="SHARE",
        help="of episodes that succeed; others last to the step limit (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--devices", type=int, default=1, metavar="N", help="processes of accelerate launch (%(default)s)"
    )
    parser.add_argument(
        "--served", action="store_true", help="a server plays; --write is its speed, and --devices learn only"
    )
    parser.add_argument(
        "--memory", type=float, default=80.0, metavar="GIB", help="memory of one device, GiB (%(default)g)"
    )
    speeds = {
        "train": "required; tokens/s of one device in training",
        "read": "tokens/s without gradient (twice --train)",
        "write": "required; tokens/s written by all episodes side by side",
    }
    for name, meaning in speeds.items():
        parser.add_argument(f"--{name}", type=float, metavar="TOKENS", help=meaning)
    shown = f"the preset {presets.PAPER.name}"
    add_setting_flags(parser, presets.PAPER, shown=shown, with_docs=with_docs)


def run(options: argparse.Namespace) -> int:
    """Print the table, or with `--print-config` the settings.

    Raises:
        ValueError: a speed is missing, or a value is out of its range.
    """
    from spa_lab.envs.worlds import make_environment

    environment = make_environment(options.env)
    named = presets.preset_named(options.preset, environment.name, environment.base)
    preset = updated_from_flags(named, options)
    print(to_toml(preset) if options.print_config else _table(environment, preset, options))
    return 0


def _table(environment: "Environment", preset: presets.Preset, options: argparse.Namespace) -> str:
    from spa_lab.configs.checks import check_counts, check_positive
    from spa_lab.pipeline.budget import Speed, budget, measure_episodes, render_budget

    for name in ("train", "write"):
        if getattr(options, name) is None:
            raise ValueError(f"plan: --{name} is missing")
    read = 2 * options.train if options.read is None else options.read
    check_positive(train=options.train, read=read, write=options.write, memory=options.memory)
    check_counts(methods=options.methods, devices=options.devices)
    if not 0 <= options.success <= 1:
        raise ValueError(f"--success: expected a share in [0, 1], got {options.success}")
    tokens = measure_episodes(environment, preset)
    stages = budget(environment, preset, tokens, methods=options.methods, success=options.success)
    speed = Speed(options.train, read, options.write)
    lines = (
        f"{environment.name}, preset {preset.name}: opening {tokens.opening:.0f} tokens, a step "
        f"{tokens.written:.0f} written and {tokens.reply:.0f} read, "
        f"expert {tokens.steps:.1f} of {tokens.limit} steps",
        render_budget(stages, speed, devices=options.devices, memory=options.memory, served=options.served),
        "calculated; 'on N' as if N processes of accelerate launch lost nothing to one another",
    )
    return "\n".join(lines)
