"""Paths of `data/` and `notebooks/`, which are in the checkout beside the package, and of the user's cache.

The first two are parts of the project but not of the Python package, so an installation from a wheel has
neither.
"""

import os
from pathlib import Path

DATA_VARIABLE = "SPA_LAB_DATA"
"""Environment variable that names another data folder."""

_CHECKOUT = Path(__file__).resolve().parent.parent


def data_folder() -> Path:
    """The folder of the project's data: the value of `SPA_LAB_DATA`, else `data/` of the checkout.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    configured = os.environ.get(DATA_VARIABLE)
    if not configured:
        return _in_checkout("data", f"or set {DATA_VARIABLE} to a copy of its data/")
    folder = Path(configured).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"{DATA_VARIABLE} is {configured!r}, which is not a folder")
    return folder.resolve()


def base_folder(env: str) -> Path:
    """The folder of the base model that was pretrained on a world's texts; it may be missing.

    Raises:
        FileNotFoundError: there is no data folder.
    """
    return _of_world("base", env)


def tour_folder(env: str) -> Path:
    """The folder of the small measured run in a world that the notebooks show; it may be missing.

    Raises:
        FileNotFoundError: there is no data folder.
    """
    return _of_world("tour", env)


def notebooks_folder() -> Path:
    """`notebooks/` of the checkout.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    return _in_checkout("notebooks", "and open it from there")


def cache_folder() -> Path:
    """The folder of what was downloaded and converted, by the XDG base directory rules; it may be missing."""
    configured = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # the rules ignore a relative path
    return (configured if configured.is_absolute() else Path.home() / ".cache") / "spa-lab"


def _of_world(name: str, env: str) -> Path:
    return data_folder() / (name if env == "household" else f"{name}_{env}")


def _in_checkout(name: str, otherwise: str) -> Path:
    folder = _CHECKOUT / name
    # site-packages may hold a "data" folder of another package; only a checkout has pyproject.toml beside it
    if not (_CHECKOUT / "pyproject.toml").is_file() or not folder.is_dir():
        package = _CHECKOUT / "spa_lab"
        raise FileNotFoundError(
            f"no {name}/ beside {package}: install from a checkout (pip install -e .), {otherwise}"
        )
    return folder
