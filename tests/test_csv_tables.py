"""Saved tables: what is refused, and that the message names the file."""

from pathlib import Path

import pandas as pd
import pytest

from spa_lab.store import StoreError
from spa_lab.store.csv_tables import read_table


def test_a_table_with_more_columns_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("n,name,more\n1,x,\n", encoding="utf-8")
    table = read_table(file, ("name", "n"), dtype={"n": "Int64"})
    assert table["n"].dtype == "Int64" and table["name"].tolist() == ["x"]


def test_text_is_read_as_it_is_written(tmp_path: Path) -> None:
    names = ["null", "None", "NA", "0.10", ""]
    file = tmp_path / "a.csv"
    pd.DataFrame({"name": names, "n": [1.5, None, 2, 3, 4]}).to_csv(file, index=False)
    table = read_table(file, ("name", "n"), text=("name",))
    assert table["name"].tolist() == names
    assert table["n"].isna().tolist() == [False, True, False, False, False] and table["n"].dtype == "float64"
    file.write_text("name,n\n0.10,nan\n0.20,1\n", encoding="utf-8")
    table = read_table(file, ("name", "n"), text=("name",))
    assert table["name"].tolist() == ["0.10", "0.20"] and table["n"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    "content, said",
    [
        (b"n,more\n1,2\n", "lacks the columns name"),
        (b"", "not a table: No columns to parse"),
        (b"n,name\n1,2\n1,2,3\n", "not a table: .*Expected 2 fields in line 3, saw 3"),
        (b"n,name\n1,\xff\xfe\n", "not a table: 'utf-8' codec"),
    ],
)
def test_a_broken_table_is_named(content: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.csv: {said}"):
        read_table(file, ("n", "name"))


def test_a_file_cut_short_or_missing_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.csv.gz"
    pd.DataFrame({"n": range(5000)}).to_csv(file, index=False)
    file.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(ValueError, match=r"a\.csv\.gz: not a table"):
        read_table(file, ("n",))
    file.write_bytes(file.read_bytes()[:1000] + b"broken" + file.read_bytes()[1006:])
    with pytest.raises(ValueError, match=r"a\.csv\.gz: not a table"):
        read_table(file, ("n",))
    with pytest.raises(StoreError, match=r"b\.csv: cannot read: .*No such file"):
        read_table(tmp_path / "b.csv", ("n",))
