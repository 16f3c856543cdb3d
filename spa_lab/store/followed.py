"""A run folder that another process writes."""

from collections.abc import Iterable
from dataclasses import dataclass

from spa_lab.store.folder import Kind
from spa_lab.store.lines import Record
from spa_lab.store.run import Run


@dataclass(frozen=True)
class FollowedRun(Run):
    """A run of which this process computes the same results as the main one, which alone saves them."""

    def _save(self, kind: Kind, name: str, header: Record, items: Iterable[Record]) -> None:
        """Save nothing."""
