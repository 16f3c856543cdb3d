"""A pipeline small enough to be run whole: a base model made on the spot, and a run that nobody disturbs."""

import importlib
import io
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from spa_lab.agent.models import save_policy
from spa_lab.agent.rollout import Policy
from spa_lab.envs.demonstrations import demonstrate
from spa_lab.envs.worlds import make_environment
from spa_lab.pipeline import train as train_module
from spa_lab.pretrain.train import RECIPES
from spa_lab.store import Run
from spa_lab.store import folder as run_module

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
def data(tmp_path_factory: pytest.TempPathFactory, make_policy: Callable[..., Policy]) -> Path:
    """A data folder whose base models know words and nothing else."""
    folder = tmp_path_factory.mktemp("data")
    for env, recipe in RECIPES.items():
        world, rng = make_environment(env), random.Random(0)
        n = 40 if env == "household" else 10
        played = [demonstrate(world, task, mistakes=0.0, rng=rng) for task in world.tasks("train", n)]
        steps = [step for one in played for step in one.trajectory.steps]
        texts = [text for step in steps for text in (step.text, step.observation)]
        # it writes broken words at first, which take many more tokens to read than to write
        policy = make_policy(*texts, names=recipe.names(), hidden=32, layers=2, context=8192)
        save_policy(policy, folder / ("base" if env == "household" else f"base_{env}"))
    return folder


def _commit() -> str:
    """Somebody may commit between a run and its resumption, which a run writes down."""
    return "0" * 40


@pytest.fixture(autouse=True)
def _data_of_this_run(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPA_LAB_DATA", str(data))
    monkeypatch.setattr(run_module, "git_commit", _commit)
    monkeypatch.delenv("SPA_LAB_DEBUG", raising=False)


@pytest.fixture(scope="session")
def undisturbed(data: Path, micro: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    before: dict[str, Path] = {}
    do = train_module._do

    def copy_and_do(stage: str, run: Run, *others: object) -> None:
        before[stage] = shutil.copytree(run.path, folder / f"before-{stage}")
        do(stage, run, *others)

    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(io.StringIO()) as out,
        redirect_stderr(io.StringIO()) as err,
    ):
        patch.setenv("SPA_LAB_DATA", str(data))
        patch.setattr(run_module, "git_commit", _commit)
        patch.setattr(train_module, "_do", copy_and_do)
        code = micro.main(["demo", "--out", str(folder / "run"), "--workers", "2"])
    assert code == 0, err.getvalue()
    return Undisturbed(folder / "run", before, out.getvalue(), err.getvalue())
