"""Scores and labels of steps from a file of their own, such as the numbers of an LLM judge.

    {"trajectory_id": "a", "scores": [0.1, -0.3, 0.5]}            a record a trajectory
    {"trajectory_id": "a", "step": 0, "score": 0.1}               or a record a step

`id` stands for `trajectory_id`; `source` names who gave the numbers. JSON, JSON lines, parquet, ...
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spa_lab.importers.documents import documents
from spa_lab.importers.outcomes import TRUTHS, number
from spa_lab.types import Credit, FloatArray, Labels

_LISTS = ("scores", "contributions", "credits", "labels", "rewards", "values")
_NUMBERS = ("score", "contribution", "credit", "label", "reward", "value")
"""Fields that hold the numbers of all steps, and of one; the first that is there counts."""


class Scores(NamedTuple):
    """What a file says of the steps of one trajectory."""

    trajectory_id: str
    source: str
    values: FloatArray
    """(T,) float64; NaN where a step has no number."""

    def credit(self) -> Credit:
        """The numbers as contributions.

        Raises:
            ValueError: a step has none.
        """
        missing = np.flatnonzero(np.isnan(self.values))
        if len(missing):
            raise ValueError(
                f"scores of {self.trajectory_id!r} by {self.source!r}: step {missing[0]} of "
                f"{len(self.values)} has none"
            )
        return Credit(self.trajectory_id, self.source, self.values)

    def labels(self) -> Labels:
        """The numbers as labels; a step without one is not labelled."""
        return Labels(self.trajectory_id, self.source, self.values)


def read_scores(path: Path, lengths: Mapping[str, int], source: str | None = None) -> list[Scores]:
    """The scores in a file, in the order of the trajectories.

    Args:
        path: the file.
        lengths: trajectory id -> T, of the trajectories that are scored; the file may name others.
        source: who scored; overrides what the records say. Where neither says it, the file's name.

    Raises:
        StoreError: the file is missing or cannot be read.
        ValueError: naming file and line: no id, no numbers, a step twice or beyond the last, another number
            of steps than the trajectory has, a last line that is cut off; or no record is of any of the
            trajectories.
    """
    found: dict[tuple[str, str], FloatArray] = {}
    n_records = 0
    for document in documents(path):
        if isinstance(document, ValueError):
            raise document
        if document.notes:  # scores that are missing would be missed nowhere else
            raise ValueError(f"{document.name}: {'; '.join(document.notes)}")
        for index, record in enumerate(document.records):
            n_records += 1
            try:
                _add(found, record, lengths, source or Path(path).name.partition(".")[0], source)
            except ValueError as error:
                raise ValueError(f"{document.where(index)}: {error}") from None
    if not found:
        raise ValueError(
            f"{path}: none of {n_records} records is of one of the {len(lengths)} trajectories, "
            f"such as {next(iter(lengths), '')!r}"
        )
    order = {name: position for position, name in enumerate(lengths)}
    keys = sorted(found, key=lambda key: order[key[1]])
    return [Scores(name, who, found[who, name]) for who, name in keys]


def _add(
    found: dict[tuple[str, str], FloatArray],
    record: Any,
    lengths: Mapping[str, int],
    default: str,
    source: str | None,
) -> None:
    if not isinstance(record, dict):
        raise ValueError(f"expected a JSON object, got {type(record).__name__}")
    identity = record.get("trajectory_id", record.get("id"))
    if identity is None:
        raise ValueError(f"no 'trajectory_id'; fields: {', '.join(map(str, record))}"[:300])
    name, who = str(identity), source or str(record.get("source") or default)
    if name not in lengths:
        return
    n_steps = lengths[name]
    if "step" in record:
        values = found.setdefault((who, name), np.full(n_steps, np.nan))
        step = _step(record["step"])
        if not 0 <= step < n_steps:
            raise ValueError(f"step {step} of {name!r}, which has {n_steps} steps")
        if not np.isnan(values[step]):
            raise ValueError(f"step {step} of {name!r} twice")
        values[step] = _value(next((record[key] for key in _NUMBERS if key in record), None))
        return
    given = next((record[key] for key in _LISTS if isinstance(record.get(key), list)), None)
    if given is None:
        raise ValueError(f"neither a list under {', '.join(_LISTS)} nor a 'step' with a number")
    if len(given) != n_steps:
        raise ValueError(f"{len(given)} scores of {name!r}, which has {n_steps} steps")
    if (who, name) in found:
        raise ValueError(f"scores of {name!r} by {who!r} twice")
    found[who, name] = np.array([np.nan if one is None else _value(one) for one in given])


def _step(given: Any) -> int:
    """A number of a step; as text, in a table, or as a float, where others of its column are missing."""
    found = None if isinstance(given, bool) else number(given)
    if found is None or not found.is_integer():
        raise ValueError(f"expected a whole number as 'step', got {given!r:.20}")
    return int(found)


def _value(given: Any) -> float:
    if isinstance(given, bool) or str(given).lower() in TRUTHS:
        raise ValueError(f"{given!r} has no size: write numbers, of labels below 0 for a harmful step")
    value = number(given)
    if value is None:
        raise ValueError(f"expected a number, got {given!r:.60}")
    return value
