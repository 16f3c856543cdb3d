"""The map of when credit helps: what is trained, resuming, the command."""

from pathlib import Path
from typing import NoReturn

import pytest

from spa_lab.envs.control_probes import WALKS
from spa_lab.pipeline import credit_map as module
from spa_lab.pipeline.control_arms import Arm
from spa_lab.pipeline.control_start import ControlStart
from spa_lab.pipeline.credit_map import EPISODES, METHODS, TOKENS, MapCell, credit_map, main, map_cells
from spa_lab.store.csv_tables import read_table
from spa_lab.view.tables.credit_map import COLUMNS

SEED = 100
Values = tuple[list[dict[str, float]], list[dict[str, object]]]


def _made(start: ControlStart, arm: str, *, every: int, trained: Arm) -> Values:
    gain = {"terminal": 0.1, "exact": 0.3}.get(arm, 0.2)
    return [], [{"task": task, "iteration": i, "value": gain * i / 6} for task in "ab" for i in (0, 6)]


def test_every_arm_is_trained_under_every_setting_and_exact_credit_once() -> None:
    cells = map_cells()
    assert len({cell.name for cell in cells}) == len(cells)
    per_setting = 1 + len(METHODS) * len(TOKENS)
    assert len(cells) == len(WALKS) * len(EPISODES) * per_setting
    assert [cell.episodes for cell in cells] == sorted(cell.episodes for cell in cells)


def test_a_step_of_n_tokens_fades_a_reward_n_times() -> None:
    settings = MapCell("progress", 8, 16, 5).trained.settings
    assert settings["ppo.gamma"] == pytest.approx(0.99**5)
    assert settings["ppo.lam"] == settings["progress.lam"] == pytest.approx(0.95**5)
    assert settings["ppo.episodes"] == 16
    assert "ppo.gamma" not in MapCell("exact", 8, 16, 0).trained.settings


def test_one_cell_trains_what_it_says() -> None:
    start = ControlStart(WALKS[4].name, SEED)
    learner = start.learner("progress", MapCell("progress", 4, 16, 25).trained)
    metrics = learner.iterate(start.tasks)
    assert metrics["length"] == 4.0
    config = learner.inputs.preset  # type: ignore[attr-defined]
    assert (config.ppo.episodes, config.progress.lam) == (16, pytest.approx(0.95**25))


def test_a_finished_cell_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: object, **options: object) -> NoReturn:
        raise AssertionError(args)

    cells = map_cells(lengths=[4], episodes=[16], tokens=[1])
    monkeypatch.setattr(module, "train_arm", _made)
    first = credit_map(tmp_path, cells=cells, seeds=[SEED])
    assert list(first.columns) == list(COLUMNS) and len(first) == 4 * len(cells)
    monkeypatch.setattr(module, "train_arm", never)
    assert credit_map(tmp_path, cells=cells, seeds=[SEED]).equals(first)
    with pytest.raises(AssertionError, match="terminal"):
        credit_map(tmp_path, cells=map_cells(lengths=[8], episodes=[16], tokens=[1])[1:], seeds=[SEED])
    monkeypatch.setattr(module, "GAMMA", 0.5)
    with pytest.raises(ValueError, match=r"made with other settings: ppo\.gamma is 0\.99, asked 0\.5"):
        credit_map(tmp_path, cells=cells, seeds=[SEED])
    with pytest.raises(ValueError, match="no walk of 5 steps; there are: 4, 8, 12"):
        credit_map(tmp_path / "new", cells=[MapCell("exact", 5, 16, 0)])
    assert not (tmp_path / "new").exists()


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "train_arm", _made)
    assert main(["--out", str(tmp_path), "--seed", "100", "--episodes", "16"]) == 0
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) == 2 + len(WALKS) * len(TOKENS)
    assert "SPA-RL, progress, 16 episodes" in (tmp_path / "map.html").read_text(encoding="utf-8")
    assert main([str(tmp_path / "map.csv.gz")]) == 0
    assert capsys.readouterr().out == printed
    assert main(["--out", str(tmp_path), "--seed", "7", "--episodes", "32"]) == 0
    table = read_table(tmp_path / "map.csv.gz", COLUMNS)
    assert table.groupby("seed")["episodes"].unique().explode().to_dict() == {7: 32, 100: 16}
    capsys.readouterr()
    assert main([]) == 2 and "name a folder with --out" in capsys.readouterr().err
