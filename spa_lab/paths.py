"""Where the files that live beside the package are: `data/` and `notebooks/` of the checkout.

Both are parts of the project but not of the Python package, so an installation from a wheel has
neither. Knows nothing of what the files in them mean.
"""

import os
from pathlib import Path

DATA_VARIABLE = "SPA_LAB_DATA"
"""Environment variable that names another data folder."""

_CHECKOUT = Path(__file__).resolve().parent.parent


def data_folder() -> Path:
    """The folder of the project's data: the one `SPA_LAB_DATA` names, else `data/` of the checkout.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    chosen = os.environ.get(DATA_VARIABLE)
    if not chosen:
        return _in_checkout("data", f"or let {DATA_VARIABLE} name a copy of its data/")
    folder = Path(chosen).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"{DATA_VARIABLE} names {chosen!r}, which is not a folder")
    return folder.resolve()


def base_folder(env: str) -> Path:
    """The folder of the embedded base model that has read a world's texts; it need not be there.

    Raises:
        FileNotFoundError: If there is no data folder.
    """
    return _of_world("base", env)


def tour_folder(env: str) -> Path:
    """The folder of the small measured run in a world that notebooks look at; it need not be there.

    Raises:
        FileNotFoundError: If there is no data folder.
    """
    return _of_world("tour", env)


def notebooks_folder() -> Path:
    """`notebooks/` of the checkout.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    return _in_checkout("notebooks", "and open it from there")


def _of_world(name: str, env: str) -> Path:
    return data_folder() / (name if env == "household" else f"{name}_{env}")


def _in_checkout(name: str, otherwise: str) -> Path:
    folder = _CHECKOUT / name
    # site-packages may well hold somebody else's "data"; only a checkout has this file beside it
    if not (_CHECKOUT / "pyproject.toml").is_file() or not folder.is_dir():
        package = _CHECKOUT / "spa_lab"
        raise FileNotFoundError(
            f"no {name}/ beside {package}: install from a checkout (pip install -e .), {otherwise}"
        )
    return folder
