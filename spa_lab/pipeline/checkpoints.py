"""Checkpoints with tensors: a learner's state and the metrics so far, saved together or not at all."""

from time import perf_counter
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from spa_lab.agent.models import disk_refusals
from spa_lab.agent.processes import processes
from spa_lab.learn.checkpoint import LearnerState
from spa_lab.store.checkpoint import Checkpoint
from spa_lab.store.records import encode_metrics

_TENSORS = "state.safetensors"


class TrainingCheckpoint:
    """Where a long stage keeps its progress; a `learn.checkpoint.Checkpoint`.

    Args:
        checkpoint: of the run.
        history: metrics of every update so far, appended to by the caller; replaced by the saved ones when a
            state is loaded, so that a resumed stage leaves the same curve.
    """

    def __init__(self, checkpoint: Checkpoint, history: list[dict[str, Any]]) -> None:
        self.checkpoint, self.history = checkpoint, history
        self.earlier_seconds = 0.0
        """Wall time of interrupted attempts, up to the checkpoint that was loaded."""
        self._start = perf_counter()

    def load(self) -> LearnerState | None:
        """The saved state, or None.

        Raises:
            StoreError: it cannot be read.
            ValueError: it is no such checkpoint (names the file).
        """
        facts, folder = self.checkpoint.facts(), self.checkpoint.folder
        if facts is None or folder is None:
            return None
        path = folder / _TENSORS
        try:
            tensors = load_file(path)
            state = LearnerState(tensors, facts["state"])
            self.history[:] = facts["history"]
            self.earlier_seconds = float(facts.get("seconds", 0.0))  # earlier versions did not note them
        except (OSError, SafetensorError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: no checkpoint of a training stage: {error!r}") from error
        return state

    def save(self, state: LearnerState) -> None:
        """Replace the saved state; raises StoreError if the disk refuses.

        Processes that work together all have it; the main one saves it.
        """
        if not processes().is_main:
            return
        facts = {
            "state": dict(state.facts),
            "history": [encode_metrics(row) for row in self.history],
            "seconds": self.earlier_seconds + perf_counter() - self._start,
        }
        with self.checkpoint.saving(facts) as folder, disk_refusals():
            save_file(dict(state.tensors), folder / _TENSORS)

    def remove(self) -> None:
        """Delete the checkpoint: the stage is finished."""
        if not processes().is_main:
            return
        self.checkpoint.remove()
