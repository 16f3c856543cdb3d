"""A row per episode of a collection, and the words that a search looks through; steps are not decoded."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from spa_lab.store.lines import Record
from spa_lab.types import Trajectory
from spa_lab.view.tables.frames import known_share, trajectories_frame


def index_of(trajectories: Sequence[Trajectory]) -> pd.DataFrame:
    """`frames.trajectories_frame`, whose `instruction` is the first observation where there is none."""
    sentences = [one.instruction or one.initial_observation for one in trajectories]
    index = trajectories_frame(trajectories, expert_length=None)
    return index.assign(instruction=pd.Series(sentences, dtype="object"))


def index_of_records(records: Sequence[Record]) -> pd.DataFrame:
    """The same of stored trajectories."""

    def column(name: str, dtype: str) -> pd.Series:
        return pd.Series([record[name] for record in records], dtype=dtype)

    def per_record(function: Callable[[list[Any]], float], dtype: str) -> pd.Series:
        return pd.Series([function(record["steps"]) for record in records], dtype=dtype)

    sentences = [record["instruction"] or record["initial_observation"] for record in records]
    return pd.DataFrame(
        {
            "trajectory_id": column("id", "str"),
            "task_id": column("task_id", "str"),
            "instruction": pd.Series(sentences, dtype="object"),
            "policy": column("policy", "str"),
            "n_steps": per_record(len, "int64"),
            "outcome": column("outcome", "float64"),
            "success": column("success", "boolean"),
            "ended": column("ended", "str"),
            "grounding": per_record(
                lambda steps: known_share([step["grounded"] for step in steps])[0], "float64"
            ),
        }
    )


def words(trajectory: Trajectory) -> str:
    """All texts of a trajectory."""
    steps = (f"{step.text}\n{step.action}\n{step.observation}" for step in trajectory.steps)
    return "\n".join([trajectory.id, trajectory.instruction, trajectory.initial_observation, *steps])


def record_words(record: Record) -> str:
    """All texts of a stored trajectory."""
    steps = (
        f"{step.get('text')}\n{step.get('action')}\n{step.get('observation')}" for step in record["steps"]
    )
    return "\n".join([record["id"], record["instruction"], record["initial_observation"], *steps])
