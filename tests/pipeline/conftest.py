"""A pipeline small enough to run completely: a base model made here, and an uninterrupted run."""

import importlib
import io
import shutil
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from spa_lab.agent.rollout import Policy
from spa_lab.pipeline.train import STAGES
from spa_lab.store import Run
from spa_lab.store import folder as run_module
from tests.made_once import made_once

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Undisturbed:
    """A finished run with two workers, and its folder as it was before each stage."""

    path: Path
    before: dict[str, Path]
    printed: str
    """On stdout."""
    bars: str
    """On stderr."""


@pytest.fixture(scope="session")
def importable() -> Iterator[Callable[[str], ModuleType]]:
    """Imports a file of this folder under a name that worker processes can import, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(HERE)
        yield importlib.import_module


@pytest.fixture(scope="session")
def micro(importable: Callable[[str], ModuleType]) -> ModuleType:
    return importable("micro")


@pytest.fixture(scope="session")
def data(
    tmp_path_factory: pytest.TempPathFactory,
    make_policy: Callable[..., Policy],
    importable: Callable[[str], ModuleType],
) -> Path:
    """A data folder with untrained base models."""
    make = partial(importable("base_models").make_data, make_policy=make_policy)
    return made_once(tmp_path_factory, "data", make)


def _commit() -> str:
    """A constant: runs record the commit, and one may be made between a run and its resumption."""
    return "0" * 40


@pytest.fixture(autouse=True)
def _data_of_this_run(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPA_LAB_DATA", str(data))
    monkeypatch.setattr(run_module, "git_commit", _commit)
    monkeypatch.delenv("SPA_LAB_DEBUG", raising=False)


@pytest.fixture(scope="session")
def undisturbed(data: Path, micro: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    shared = made_once(tmp_path_factory, "undisturbed", partial(_run_undisturbed, data=data, micro=micro))
    folder = shutil.copytree(shared, tmp_path_factory.mktemp("copy") / shared.name)
    before = {stage: folder / f"before-{stage}" for stage in (*STAGES, "end")}
    printed, bars = ((folder / name).read_text(encoding="utf-8") for name in ("stdout", "stderr"))
    return Undisturbed(folder / "run", before, printed.replace(str(shared), str(folder)), bars)


def _run_undisturbed(folder: Path, data: Path, micro: ModuleType) -> None:
    """`run`, `before-` and the name of a stage, and what was printed."""
    create, finish = Run.create, Run.finish

    def copy_new(*arguments: Any, **named: Any) -> Run:
        run = create(*arguments, **named)
        shutil.copytree(run.path, folder / "before-clone")
        return run

    def copy_and_finish(run: Run, stage: str) -> None:
        finish(run, stage)
        following = [*STAGES, "end"][STAGES.index(stage) + 1]
        shutil.copytree(run.path, folder / f"before-{following}")

    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(io.StringIO()) as out,
        redirect_stderr(io.StringIO()) as err,
    ):
        patch.setenv("SPA_LAB_DATA", str(data))
        patch.setattr(run_module, "git_commit", _commit)
        patch.setattr(Run, "create", copy_new)
        patch.setattr(Run, "finish", copy_and_finish)
        code = micro.main([*micro.RUN, "--out", str(folder / "run"), "--workers", "2"])
    assert code == 0, err.getvalue()
    (folder / "stdout").write_text(out.getvalue(), encoding="utf-8")
    (folder / "stderr").write_text(err.getvalue(), encoding="utf-8")
