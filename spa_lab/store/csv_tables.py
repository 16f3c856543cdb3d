"""Tables that were saved as CSV."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd


def read_table(file: Path, columns: Sequence[str], *, dtype: Mapping[str, str] | None = None) -> pd.DataFrame:
    """A table with at least these columns.

    Args:
        file: CSV; compressed if its name says so.
        columns: that it must have.
        dtype: of some columns, as for `pandas.read_csv`.

    Raises:
        ValueError: it lacks a column.
        OSError: it cannot be read.
    """
    table = pd.read_csv(file, dtype=dict(dtype or {}))
    missing = [name for name in columns if name not in table]
    if missing:
        raise ValueError(f"{file}: lacks the columns {', '.join(missing)}")
    return table
