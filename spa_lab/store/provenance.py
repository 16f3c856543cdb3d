"""Where a result comes from: package versions and the commit of the code."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path

PACKAGES = (
    "spa-lab",
    "numpy",
    "pandas",
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "peft",
    "plotly",
    "matplotlib",
    "ipywidgets",
    "anywidget",
    "jupyterlab",
)
"""Distributions whose version can change a result or its picture."""


def versions() -> dict[str, str]:
    """Version of Python and of every one of `PACKAGES` that is installed, by name; imports none of them."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_commit() -> str | None:
    """Commit of the code that runs, 40 hex digits, with "-dirty" behind if tracked files were changed.

    None without git or outside a checkout; also where the package lies in somebody else's repository
    (an untracked virtual environment), whose commit would say nothing about this code.
    """
    if _git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None
    return _git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def _git(*arguments: str) -> str | None:
    """Output of git in this folder, or None if it fails in any way."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
