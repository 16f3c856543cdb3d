"""Figures of training: metrics while a stage trains, one figure for each kind of training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from spa_lab.pipeline.figures.asked import Asked, LeftOut, Made
from spa_lab.pipeline.figures.evaluations import all_titles
from spa_lab.store import Run
from spa_lab.view import paper
from spa_lab.view.tables.training import is_number, training_table


@dataclass(frozen=True)
class Curves:
    """A stage whose curves are drawn."""

    stage: str
    titles: Mapping[str, str]
    """Metric -> what it is, with its unit."""


CURVES: Mapping[str, Curves] = MappingProxyType(
    {
        "training-clone": Curves(
            "clone", {"loss": "loss (nats per token)", "accuracy": "tokens predicted (share)"}
        ),
        "training-estimator": Curves(
            "estimate",
            {
                "loss": "squared error of R",
                "bias": "mean of predicted R − R",
                "share_on_last_step": "share of |ĉ| on the last step",
            },
        ),
        "training-ppo": Curves(
            "ppo",
            {
                "success": "success rate",
                "grounding": "executed steps (share)",
                "length": "steps of an episode",
                "reward": "reward of an episode",
                "value": "loss of the critic",
                "kl": "KL to the clone (nats per token)",
            },
        ),
    }
)
"""Figure -> what it shows."""


def of_training(runs: Sequence[Run], asked: Asked) -> Made:
    """Metrics while training, one figure for each stage; over episodes where the metrics say how many."""
    titles = all_titles(runs)
    order = {title: i for i, title in enumerate(titles.values())}
    for name, shown in CURVES.items():
        curves: dict[str, dict[int, list[dict[str, Any]]]] = {}
        for run in runs:
            for curve in run.curves():
                if curve.stage == shown.stage:
                    title = titles.get(curve.method, curve.method) if curve.method else shown.stage
                    curves.setdefault(title, {}).setdefault(run.seed, curve.rows)
        ordered = dict(sorted(curves.items(), key=lambda entry: order.get(entry[0], len(order))))
        table = training_table(ordered, list(shown.titles))
        if table.empty:
            yield LeftOut(name, "no run was trained in this way (metrics/)")
            continue
        yield paper.training_figure(
            table,
            name=name,
            columns=asked.page,
            titles=shown.titles,
            episodes=_episodes(curves),
            beside=tuple(titles.values()),
        )


def _episodes(curves: Mapping[str, Mapping[int, Sequence[Mapping[str, Any]]]]) -> float | None:
    """Episodes of every update; None unless all updates have the same number, and say so."""
    every = {row.get("episodes") for seeds in curves.values() for rows in seeds.values() for row in rows}
    (number,) = every if len(every) == 1 else (None,)
    return float(number) if number is not None and is_number(number) else None
