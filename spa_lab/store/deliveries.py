"""What receivers outside of a run have got of its metrics: `deliveries.json` of the run folder.

A receiver is a function that training hands its metrics to, or a tracker such as TensorBoard. Kept so that a
run that is resumed hands over each row once.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from spa_lab.store.files import read_text, write_text
from spa_lab.store.lines import SCHEMA, Record, dump, load

_FILE = "deliveries.json"


def delivered_rows(run: Path, receiver: str) -> dict[str, int]:
    """Curve -> number of its first rows that the receiver has got.

    Args:
        run: the folder.
        receiver: its name.

    Raises:
        StoreError: the file cannot be read.
        ValueError: it is broken (names the file).
    """
    return dict(_read(run).get(receiver, {}).get("rows", {}))


def note_delivered(run: Path, receiver: str, rows: Mapping[str, int]) -> None:
    """Replace what the receiver has got; raises StoreError if the disk refuses."""
    receivers = _read(run)
    receivers.setdefault(receiver, {})["rows"] = dict(rows)
    _write(run, receivers)


def tracker_id(run: Path, receiver: str, make: Callable[[], str]) -> str:
    """The id by which the receiver knows this run; made once, and the same when the run is resumed.

    Args:
        run: the folder.
        receiver: its name.
        make: gives a new id.
    """
    receivers = _read(run)
    known = receivers.setdefault(receiver, {}).get("id")
    if known is None:
        known = receivers[receiver]["id"] = make()
        _write(run, receivers)
    return str(known)


def _read(run: Path) -> Record:
    file = run / _FILE
    if not file.exists():
        return {}
    receivers = load(read_text(file), str(file)).get("receivers")
    if not isinstance(receivers, dict) or not all(isinstance(one, dict) for one in receivers.values()):
        raise ValueError(f"{file}: 'receivers' must be a JSON object of objects, found {receivers!r:.60}")
    return receivers


def _write(run: Path, receivers: Record) -> None:
    write_text(run / _FILE, dump({"schema": SCHEMA, "holds": "deliveries", "receivers": receivers}) + "\n")
