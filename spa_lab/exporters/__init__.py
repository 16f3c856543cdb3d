"""Run folders as files of other tools: chat messages, ShareGPT, ATIF, parquet, Hugging Face datasets.

Every record has the fields that its format knows, a number of every credit source for every step, and under
`spa_lab` whatever else the run holds of the episode: `spa_lab.importers` reads it back without a loss.
"""

from spa_lab.exporters.episodes import Episode, episodes_of
from spa_lab.exporters.formats import FORMATS, export, export_dataset

__all__ = ["FORMATS", "Episode", "episodes_of", "export", "export_dataset"]
