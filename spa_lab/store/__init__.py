"""Run folders: trajectories, credits, truths, metrics, models, provenance; never half written."""

from spa_lab.store.files import StoreError, replacing
from spa_lab.store.lock import InUseError, writing
from spa_lab.store.records import TaskRecord
from spa_lab.store.run import Run

__all__ = ["InUseError", "Run", "StoreError", "TaskRecord", "replacing", "writing"]
