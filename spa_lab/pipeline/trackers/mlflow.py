"""MLflow: one of its runs for a run folder, resumed by the id that MLflow gave it."""

import os

import mlflow

from spa_lab.configs.settings import flattened
from spa_lab.pipeline.metrics_feed import MetricsRow
from spa_lab.pipeline.trackers import PROJECT
from spa_lab.pipeline.trackers.naming import prefix_of
from spa_lab.store import Run
from spa_lab.store.deliveries import tracker_id


class Tracker:
    """Logs `STAGE/METHOD/METRIC` at step `iteration`, and the settings of the run as parameters.

    Where it goes is said by MLFLOW_TRACKING_URI, and under which experiment by MLFLOW_EXPERIMENT_NAME.

    Args:
        run: gives name, settings and id.
    """

    def __init__(self, run: Run) -> None:
        self._client = mlflow.MlflowClient()
        self.id = tracker_id(run.path, "mlflow", lambda: self._create(run))

    def __call__(self, row: MetricsRow) -> None:
        """Log the numbers of a row."""
        prefix = prefix_of(row)
        for name, value in row.numbers.items():
            self._client.log_metric(self.id, f"{prefix}/{name}", value, step=row.iteration)

    def close(self) -> None:
        """Mark the run as finished; a run that is resumed logs to it again."""
        self._client.set_terminated(self.id)

    def _create(self, run: Run) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        experiment = self._client.get_experiment_by_name(name)
        experiment_id = experiment.experiment_id if experiment else self._client.create_experiment(name)
        created = self._client.create_run(experiment_id, run_name=run.path.resolve().name)
        for key, value in flattened(run.config | {"seed": run.seed}).items():
            self._client.log_param(created.info.run_id, key, value)
        return str(created.info.run_id)
