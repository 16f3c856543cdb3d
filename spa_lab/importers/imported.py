"""What an import gives: trajectories, what the log says of their steps, and the ledger."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row
from spa_lab.types import Credit, Labels, TokenNumbers, Trajectory, ValueTruth


class Imported(NamedTuple):
    """Content of a log."""

    trajectories: list[Trajectory]
    credits: list[Credit]
    notes: list[str]
    """What was assumed or is unknown, a sentence each."""
    ledger: Ledger
    """Account of what came in and what did not."""
    meta: Mapping[str, Row] = MappingProxyType({})
    """Trajectory id -> fields of the log that have no place in a trajectory."""
    truths: tuple[ValueTruth, ...] = ()
    labels: tuple[Labels, ...] = ()
    tokens: tuple[TokenNumbers, ...] = ()
