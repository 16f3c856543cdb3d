"""How trackers that hold all curves of a run in one place name them."""

from spa_lab.pipeline.metrics_feed import MetricsRow


def prefix_of(row: MetricsRow) -> str:
    """`ppo/spa` for a stage of a method, `clone` for one that all methods share."""
    return f"{row.stage}/{row.method}" if row.method else row.stage
