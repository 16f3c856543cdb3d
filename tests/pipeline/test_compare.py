"""`spa-lab compare` with real stages: arms share them, nothing is repeated, and a failure is told."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from spa_lab.configs import presets
from spa_lab.pipeline.comparison import Comparison
from spa_lab.pipeline.grid.comparison import arm_runs
from spa_lab.pipeline.grid.execute import LEDGER
from spa_lab.pipeline.grid.ledger import Ledger
from spa_lab.store import Run

if TYPE_CHECKING:
    from tests.pipeline.conftest import Undisturbed

FIRST = 'worlds = ["household"]\nseeds = [0]\nmethods = ["terminal"]\n'
SECOND = FIRST.replace('["terminal"]', '["terminal", "sft", "grid_methods:UNLUCKY"]')


def _attempts(out: Path) -> dict[str, list[str]]:
    records = [Ledger(out / LEDGER).read(str(path.parent.relative_to(out / LEDGER))) for path in
               sorted((out / LEDGER).rglob("cell.json"))]  # fmt: skip
    return {record.id: [attempt.begun for attempt in record.attempts] for record in records}


def test_arms_share_stages_and_are_runs_like_any_other(
    micro: ModuleType,
    importable: Callable[[str], ModuleType],
    undisturbed: "Undisturbed",
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(presets, "PRESETS", {"tiny": micro.MICRO})
    spec, out = tmp_path / "spec.toml", tmp_path / "grid"
    importable("grid_methods")
    spec.write_text(FIRST)
    report = ["compare", str(spec), "--out", str(out), "--report"]
    command = [*report[:-1], "--jobs", "1"]
    assert micro.main([*command, "--dry-run"]) == 0
    assert "2 cells, 0 done; time left unknown" in capsys.readouterr().out and not out.exists()
    assert micro.main(report) == 1 and "2 waiting of 2 cells" in capsys.readouterr().out
    assert micro.main(command) == 0
    printed = capsys.readouterr()
    assert "| terminal reward |" in printed.out and "2 done of 2 cells" in printed.out
    assert "2/2 cells" in printed.err

    (arm,) = arm_runs(spec, out, "terminal reward")
    alone = Run.open(undisturbed.path)  # the same preset and seed, without a grid
    for name in ("eval-base-unseen", "eval-cloned-unseen", "eval-terminal-unseen"):
        assert arm.load_trajectories(name) == alone.load_trajectories(name)
    for model in ("cloned", "terminal"):
        ours, theirs = (run.model(model) / "model.safetensors" for run in (arm, alone))
        assert ours.read_bytes() == theirs.read_bytes()
    assert arm.methods == {"terminal": "terminal reward"} and (arm.path / "summary.json").exists()

    before = _attempts(out)
    spec.write_text(SECOND)
    assert micro.main(command) == 1  # a cell has failed
    printed = capsys.readouterr()
    assert "failed: runs/household/unlucky-" in printed.out and "no luck in household" in printed.out
    after = _attempts(out)
    assert {cell: after[cell] for cell in before} == before and len(after) == 4
    (clone,) = (out / "shared/household").iterdir()
    (sft,) = arm_runs(spec, out, "cloned")
    weights = "models/cloned/model.safetensors"
    assert (clone / weights).stat().st_ino == (sft.path / weights).stat().st_ino  # no second copy

    made = Comparison.read(out / "report")
    assert made.facts["git_commit"] == list(filter(None, [arm.provenance["git_commit"]]))
    table = made.tables["household"].set_index("policy")
    assert list(table.index) == ["base", "terminal reward", "cloned"]
    assert table.loc["terminal reward", "success"] == table.loc["terminal reward", "k"] / 4
    costs = made.costs["household"].set_index("policy")
    assert costs.loc["terminal reward", "episodes"] == 2 * 4 and costs.loc["cloned", "episodes"] == 0
    assert costs.loc["terminal reward", "cpu_seconds"] > 0.1 and costs.loc["cloned", "peak_mb"] > 1
    assert micro.main([*command, "--dry-run"]) == 0
    listed = capsys.readouterr().out
    assert listed.count("done ") == 3 and "failed" in listed and "4 cells, 3 done; about" in listed

    shutil.rmtree(out / "shared")  # of a grid whose arms are done
    assert micro.main(report) == 1  # a cell has failed
    commits = {arm.provenance["git_commit"], "unknown"} - {None}
    assert Comparison.read(out / "report").facts["git_commit"] == (
        sorted(commits) if len(commits) > 1 else []
    )


def test_a_wrong_spec_writes_nothing(
    micro: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text(FIRST.replace("terminal", "terminl"))
    assert micro.main(["compare", str(spec), "--out", str(tmp_path / "grid")]) == 2
    error = capsys.readouterr().err
    assert (
        error.startswith(f"spa-lab: error: {spec}: no training method 'terminl'") and error.count("\n") == 1
    )
    assert not (tmp_path / "grid").exists()
