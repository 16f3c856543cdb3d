"""Weights & Biases: one of its runs for a run folder, resumed by the id that the folder keeps."""

import os
import secrets

import wandb

from spa_lab.pipeline.metrics_feed import MetricsRow
from spa_lab.pipeline.trackers import PROJECT
from spa_lab.pipeline.trackers.naming import prefix_of
from spa_lab.store import Run
from spa_lab.store.deliveries import tracker_id


class Tracker:
    """Logs `STAGE/METHOD/METRIC` over `STAGE/METHOD/iteration`, and the settings of the run.

    Where it goes is said by the variables of W&B, such as WANDB_MODE=offline and WANDB_PROJECT.

    Args:
        run: gives name, settings and id.
    """

    def __init__(self, run: Run) -> None:
        known = tracker_id(run.path, "wandb", lambda: secrets.token_hex(4))
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            id=known,
            name=run.path.resolve().name,
            config=run.config | {"seed": run.seed},
            resume="allow",
        )
        self._defined: set[str] = set()

    def __call__(self, row: MetricsRow) -> None:
        """Log the numbers of a row."""
        prefix = prefix_of(row)
        if prefix not in self._defined:  # the curves of a run have steps of their own
            self._run.define_metric(f"{prefix}/*", step_metric=f"{prefix}/iteration")
            self._defined.add(prefix)
        numbers = row.numbers | {"iteration": row.iteration}
        self._run.log({f"{prefix}/{name}": value for name, value in numbers.items()})

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()
