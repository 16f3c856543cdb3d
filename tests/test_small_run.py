"""The run of a pretrained model that ships: its files are complete and name no machine."""

import json

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


def test_it_holds_adapters_on_a_model_that_is_fetched_apart() -> None:
    for name in ("cloned", "estimator"):
        folder = data_folder() / "small" / "models" / name
        check_source(folder)
        config = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
        assert config["base_model_name_or_path"] == "fetched:smollm2"
        assert not (folder / "tokenizer.json").exists()  # the base brings it
