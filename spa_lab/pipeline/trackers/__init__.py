"""Trackers of experiments by name: where `spa-lab run --log NAME` sends metrics; importing needs no torch.

A tracker is one entry of `TRACKERS`. One from outside the package is a function of a `Run` that returns an
`OnMetrics`, in any module: "package.module:attribute". Only TensorBoard's files are certain to stay on this
machine; the others do what their own settings say.
"""

import importlib
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from spa_lab.plugins import is_object_path, load_object, unknown_name

if TYPE_CHECKING:
    from spa_lab.pipeline.metrics_feed import MetricsRow, OnMetrics
    from spa_lab.store import Run

    OpenTracker = Callable[[Run], OnMetrics]

_LOG = logging.getLogger(__name__)
PROJECT = "spa-lab"
"""Project or experiment under which trackers list the runs."""


@dataclass(frozen=True)
class TrackerEntry:
    """Facts about a tracker, available without importing it."""

    factory: str
    """`package.module:attribute` of a function of a `Run` that returns an `OnMetrics`."""
    package: str
    """What must be installed; its name to import and on the package index."""
    summary: str
    """One line for `--help`."""


def _entry(name: str, package: str, summary: str) -> TrackerEntry:
    return TrackerEntry(f"{__name__}.{name}:Tracker", package, summary)


TRACKERS: Mapping[str, TrackerEntry] = MappingProxyType(
    {
        "tensorboard": _entry("tensorboard", "tensorboardX", "event files in RUN/tensorboard"),
        "wandb": _entry("wandb", "wandb", "Weights & Biases, as its own settings say"),
        "mlflow": _entry("mlflow", "mlflow", "MLflow, at MLFLOW_TRACKING_URI"),
        "trackio": _entry("trackio", "trackio", "Trackio, on this machine unless its settings say otherwise"),
    }
)


def find_tracker(name: str) -> "OpenTracker":
    """The function that opens a tracker for a run.

    Args:
        name: one in `TRACKERS`, or "package.module:attribute".

    Raises:
        ValueError: there is no such tracker, or it cannot be imported.
        ImportError: its package is not installed; says how to install it.
    """
    if name in TRACKERS:
        package = TRACKERS[name].package
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise ImportError(f"--log {name} needs {package} ({error}): pip install {package}") from error
    elif not is_object_path(name):
        raise unknown_name("tracker", name, list(TRACKERS))
    opened: Any = load_object(TRACKERS[name].factory if name in TRACKERS else name, "tracker")
    if not callable(opened):
        raise ValueError(f"tracker {name!r}: expected a function of a run, got {type(opened).__name__}")
    found: OpenTracker = opened
    return found


class LazyTracker:
    """A tracker that is opened when the first row arrives: only then the run folder is certain to exist.

    Args:
        name: of the tracker; what it has received is noted under it.
        folder: of the run.

    Raises:
        ValueError, ImportError: as in `find_tracker`.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self._open = find_tracker(name)
        self._tracker: OnMetrics | None = None

    def __call__(self, row: "MetricsRow") -> None:
        """Hand a row to the tracker."""
        from spa_lab.store import Run

        if self._tracker is None:
            self._tracker = self._open(Run.open(self.folder))
        self._tracker(row)

    def close(self) -> None:
        """Let the tracker finish its files, if it was opened and has a method `close`.

        What that raises is logged: the training is done, and a server may be gone.
        """
        close = getattr(self._tracker, "close", None)
        if close is None:
            return
        try:
            close()
        except Exception as error:  # noqa: BLE001  whatever it is, the results are in the run folder
            _LOG.debug("what closing %s raised:", self.name, exc_info=True)
            _LOG.warning("closing %s raised %s: %s", self.name, type(error).__name__, error)


@contextmanager
def tracking(name: str | None, folder: Path) -> Iterator["OnMetrics | None"]:
    """The tracker of that name while the block runs; None without a name.

    Raises:
        ValueError, ImportError: as in `find_tracker`, before the block.
    """
    if name is None:
        yield None
        return
    tracker = LazyTracker(name, folder)
    try:
        yield tracker
    finally:
        tracker.close()
