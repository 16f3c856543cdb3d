"""Trackio: one of its runs for a run folder, resumed by a name that the folder keeps."""

import secrets

import trackio

from spa_lab.configs.settings import flattened
from spa_lab.pipeline.metrics_feed import MetricsRow
from spa_lab.pipeline.trackers import PROJECT
from spa_lab.pipeline.trackers.naming import prefix_of
from spa_lab.store import Run
from spa_lab.store.deliveries import tracker_id


class Tracker:
    """Logs `STAGE/METHOD/METRIC` at step `iteration`, and the settings of the run.

    Trackio tells runs apart by their names, so the name has a part that is drawn once for the folder.

    Args:
        run: gives name and settings.
    """

    def __init__(self, run: Run) -> None:
        name = tracker_id(run.path, "trackio", lambda: f"{run.path.resolve().name}-{secrets.token_hex(4)}")
        config = flattened(run.config | {"seed": run.seed})
        self._run = trackio.init(PROJECT, name=name, config=config, resume="allow", embed=False)

    def __call__(self, row: MetricsRow) -> None:
        """Log the numbers of a row."""
        prefix = prefix_of(row)
        numbers = {f"{prefix}/{name}": value for name, value in row.numbers.items()}
        self._run.log(numbers, step=row.iteration)

    def close(self) -> None:
        """Send what is left."""
        self._run.finish()
