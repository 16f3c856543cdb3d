"""Settings on the command line: one flag for every field, "--ppo.lr 3e-5"."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from spa_lab.configs.checks import SettingError
from spa_lab.configs.files import updated_from_file
from spa_lab.configs.settings import flat, list_settings, setting_docs, updated

T = TypeVar("T")

_PREFIX = "setting "
"""Before the key in argparse's namespace, so that settings cannot collide with other options."""


def add_setting_flags(
    parser: argparse.ArgumentParser, defaults: object, *, shown: str, with_docs: bool
) -> None:
    """Add `--config`, `--print-config` and a flag for every field of a settings object.

    Args:
        parser: of a command.
        defaults: settings object whose values the help shows.
        shown: what `defaults` is, in words.
        with_docs: read the help texts from the source; needed only where help is printed.
    """
    order = f"applied in this order: preset, file, flags; values in parentheses are those of {shown}"
    group = parser.add_argument_group("settings", order)
    group.add_argument("--config", type=Path, metavar="FILE", help="TOML or YAML file of settings")
    group.add_argument(
        "--print-config", action="store_true", help="print all settings as TOML and exit; runs nothing"
    )
    values = flat(defaults)
    docs = setting_docs(type(defaults)) if with_docs else {}
    for setting in list_settings(type(defaults)):
        value = values[setting.key]
        default = str(value).lower() if value is None or isinstance(value, bool) else value
        said = f"{docs.get(setting.key, '')} Value: {setting.allowed} ({default})"
        group.add_argument(
            f"--{setting.key}",
            dest=_PREFIX + setting.key,
            default=argparse.SUPPRESS,
            metavar="VALUE",
            help=said.replace("%", "%%"),
        )


def updated_from_flags(settings: T, options: argparse.Namespace) -> T:
    """A settings object changed by the file of `--config`, then by the setting flags.

    Raises:
        ValueError: one line that names the file or flag, the key and what is allowed.
        OSError: the file cannot be read.
    """
    if options.config is not None:
        settings = updated_from_file(settings, options.config)
    given = {
        name.removeprefix(_PREFIX): value for name, value in vars(options).items() if name.startswith(_PREFIX)
    }
    try:
        return updated(settings, given, as_text=True)
    except SettingError as error:
        raise ValueError(f"--{error}") from None


def refuse_unknown_flags(settings: object | None, arguments: Sequence[str]) -> None:
    """Raise the error for arguments that argparse did not know.

    Args:
        settings: that the command takes; None if it takes none.
        arguments: at least one.

    Raises:
        ValueError: names the first one; for "--ppo.x", lists the settings of `ppo`.
    """
    flag, _, value = arguments[0].partition("=")
    if flag.startswith("--") and "." in flag:
        if settings is None:
            raise ValueError(f"this command takes no settings: {flag}")
        try:
            updated(settings, {flag.removeprefix("--"): value or "".join(arguments[1:2])})
        except SettingError as error:
            raise ValueError(f"--{error}") from None
    raise ValueError(f"unrecognized arguments: {' '.join(arguments)}")
