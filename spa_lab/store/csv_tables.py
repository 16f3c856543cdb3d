"""Tables that were saved as CSV."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from spa_lab.store.files import disk


def read_table(file: Path, columns: Sequence[str], *, dtype: Mapping[str, str] | None = None) -> pd.DataFrame:
    """A table with at least these columns.

    Args:
        file: CSV; compressed if its name says so.
        columns: that it must have.
        dtype: of some columns, as for `pandas.read_csv`.

    Raises:
        ValueError: it is no table, or lacks a column; the message names the file.
        StoreError: it cannot be opened.
    """
    try:
        with disk(file, "read"):
            table = pd.read_csv(file, dtype=dict(dtype or {}))
    except (EOFError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"{file}: not a table: {error}") from error
    missing = [name for name in columns if name not in table]
    if missing:
        raise ValueError(f"{file}: lacks the columns {', '.join(missing)}")
    return table
