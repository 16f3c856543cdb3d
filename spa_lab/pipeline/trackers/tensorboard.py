"""TensorBoard: event files in the run folder, one folder a method, so that methods lie over one another."""

from pathlib import Path

from tensorboardX import SummaryWriter

from spa_lab.pipeline.metrics_feed import MetricsRow
from spa_lab.store import Run

FOLDER, SHARED = "tensorboard", "shared"
"""Folder of the event files in the run folder; its folder of what all methods share."""


class Tracker:
    """Writes `STAGE/METRIC` at step `iteration` to RUN/tensorboard/METHOD.

    A run that is resumed adds a file; TensorBoard shows all files of a folder as one curve.

    Args:
        run: gives the folder.
    """

    def __init__(self, run: Run) -> None:
        self.folder: Path = run.path / FOLDER
        self._writers: dict[str, SummaryWriter] = {}

    def __call__(self, row: MetricsRow) -> None:
        """Write the numbers of a row."""
        method = row.method or SHARED
        if method not in self._writers:
            folder = self.folder / method
            # its own names tell files of one second apart by nothing
            suffix = f".{len(list(folder.glob('*')))}"
            self._writers[method] = SummaryWriter(str(folder), filename_suffix=suffix)
        for name, value in row.numbers.items():
            self._writers[method].add_scalar(f"{row.stage}/{name}", value, row.iteration)
        self._writers[method].flush()

    def close(self) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()
