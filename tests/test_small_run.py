"""The run of a pretrained model that ships: its files are complete and name no machine."""

import json

import numpy as np
import pytest

from spa_lab.agent.lora import ADAPTER_CONFIG
from spa_lab.agent.models import check_source
from spa_lab.paths import data_folder
from spa_lab.store import Run


def test_it_continues_where_exploration_ended() -> None:
    run = Run.open(data_folder() / "small")
    assert run.config["preset"]["base"] == "fetched:smollm2"
    (explored,) = [entry for entry in run.trajectory_sets() if entry.role == "explored"]
    episodes = explored.load()
    assert len(episodes) == 64 and len({episode.task_id for episode in episodes}) == 16
    assert 0 < sum(bool(episode.success) for episode in episodes) < 64
    assert {"clone", "explore"} <= run.provenance["stages"].keys()


def test_two_episodes_that_part_are_measured() -> None:
    """What docs/results.md says of them, from the outcomes of all continuations."""
    run = Run.open(data_folder() / "small")
    won, lost = sorted(run.truth().values(), key=lambda truth: -truth.values[-1])
    assert (len(won.progress), len(lost.progress), won.branches, lost.branches) == (19, 40, 4, 4)
    both = np.concatenate([won.values[:14], lost.values[:14]])
    continued = (both, won.values[14:-1], lost.values[14:-1])
    assert [(round(4 * part.sum()), 4 * len(part)) for part in continued] == [(34, 112), (14, 20), (2, 104)]
    spa = run.credits()["spa"]
    for truth in (won, lost):
        assert spa[truth.trajectory_id].contributions[:13].sum() == pytest.approx(0.43, abs=0.005)
        assert abs(spa[truth.trajectory_id].contributions[13]) < 0.015


def test_it_holds_adapters_on_a_model_that_is_fetched_apart() -> None:
    for name in ("cloned", "estimator"):
        folder = data_folder() / "small" / "models" / name
        check_source(folder)
        config = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
        assert config["base_model_name_or_path"] == "fetched:smollm2"
        assert not (folder / "tokenizer.json").exists()  # the base brings it
