"""The paper's numbers: what they resolve, and ours beside them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spa_lab.paths import data_folder
from spa_lab.pipeline.results import read_results
from spa_lab.view.tables.published import beside_table, published_table, read_published


def test_what_134_games_resolve() -> None:
    """79.1 % are 106 games, 73.9 % are 99; they differ by z = 1.0, SPA-RL and its ablations by 0.3."""
    table = published_table(read_published(), "ALFWorld unseen").set_index("method")
    assert (table.loc["SPA-RL", "k"], table.loc["PPO", "k"]) == (106, 99)
    assert table.loc["SPA-RL", "low"] == pytest.approx(0.715, abs=5e-4)
    assert table.loc["SPA-RL", "high"] == pytest.approx(0.851, abs=5e-4)
    assert table["z"].abs().max() < 1.96 and np.isnan(table.loc["SPA-RL", "z"])
    assert table.loc["PPO", "z"] == pytest.approx(1.01, abs=5e-3)
    assert table.loc["Monte Carlo values", "z"] == pytest.approx(0.30, abs=5e-3)


def test_percentages_that_no_count_gives() -> None:
    """62.1 and 64.1 % are no rates of 200 tasks, 62.0 and 63.0 are."""
    table = published_table(read_published(), "WebShop").set_index("method")
    assert table.index[table["k"].isna()].tolist() == ["PPO", "SPA-RL"]
    assert table["z"].isna().all(), "nothing is compared with a number that is no count"


def test_every_number_has_a_source() -> None:
    assert read_published()["source"].notna().all()


def test_ours_stand_beside(tmp_path: Path) -> None:
    frame = read_results(data_folder() / "results" / "household" / "episodes.csv.gz")
    unseen = frame[frame["panel"] == "unseen"]
    names = {"SFT": "cloned", "PPO": "PPO, terminal reward", "GRPO": "not trained"}
    rng = np.random.default_rng(0)
    table = beside_table(read_published(), "ALFWorld unseen", unseen, rng=rng, names=names)
    table = table.set_index("method")
    cloned = unseen[unseen["policy"] == "cloned"]
    assert np.isnan(table.loc["SFT", "paper"]), "not found"
    assert table.loc["SFT", "here"] == pytest.approx(100 * cloned["success"].mean())
    assert (table.loc["SFT", "n"], table.loc["SFT", "n_seeds"]) == (len(cloned), cloned["run_seed"].nunique())
    assert table.loc["PPO", "paper"] == 73.9 and table.loc["PPO", "low"] < table.loc["PPO", "here"]
    assert pd.isna(table.loc["GRPO", "here"]) and pd.isna(table.loc["StepAgent", "n"])


def test_bad_input(tmp_path: Path) -> None:
    file = tmp_path / "paper.csv"
    file.write_text("world,method\nALFWorld unseen,PPO\n")
    with pytest.raises(ValueError, match=r"paper\.csv: lacks the columns quantity, percent, n, source"):
        read_published(file)
    with pytest.raises(ValueError, match="no success of 'SPA-RL' in 'Chess'"):
        published_table(read_published(), "Chess")
