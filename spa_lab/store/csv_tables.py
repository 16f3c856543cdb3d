"""Tables that were saved as CSV."""

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from spa_lab.store.files import disk

_MISSING = ("", "NA", "NaN", "nan", "<NA>")
"""What stands for a missing value, except in a column of text."""


def read_table(
    file: Path, columns: Sequence[str], *, text: Sequence[str] = (), dtype: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """A table with at least these columns.

    Args:
        file: CSV; compressed if its name says so.
        columns: that it must have.
        text: those of `columns` that are read as they are written: "null", "NA" and "0.10" are names like any
            other, and an empty cell is "".
        dtype: of other columns, as for `pandas.read_csv`.

    Raises:
        ValueError: it is no table, or lacks a column; the message names the file.
        StoreError: it cannot be opened.
    """
    try:
        with disk(file, "read"):
            table = pd.read_csv(
                file,
                dtype={**(dtype or {}), **dict.fromkeys(text, str)},
                keep_default_na=False,
                na_values={name: list(_MISSING) for name in columns if name not in text},
            )
    except (EOFError, zlib.error, ValueError) as error:  # pandas raises ValueErrors of several classes
        raise ValueError(f"{file}: not a table: {error}") from error
    missing = [name for name in columns if name not in table]
    if missing:
        raise ValueError(f"{file}: lacks the columns {', '.join(missing)}")
    return table
