"""Provenance of a result: package versions and the commit of the code."""

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
"""Distributions whose version can change a result or a figure."""


def versions() -> dict[str, str]:
    """Versions of Python and of the installed `PACKAGES`, by name; imports none of them."""
    installed = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return installed


def git_commit() -> str | None:
    """Commit of the running code, 40 hex digits, followed by "-dirty" if tracked files were changed.

    None without git or outside of a checkout; also if the package is untracked in another repository (a
    virtual environment), whose commit says nothing about this code.
    """
    if _git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None
    return _git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def _git(*arguments: str) -> str | None:
    """Output of git in this folder, or None if it fails in any way."""
    try:
        finished = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return finished.stdout.strip() or None
