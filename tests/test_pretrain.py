"""The embedded base model: its corpus, and that a folder comes out that can be played with."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from spa_lab.agent.models import load_policy
from spa_lab.agent.rollout import Policy
from spa_lab.envs.household import environment
from spa_lab.learn.cloning import clone_loss
from spa_lab.pretrain import corpus, names_of_things, pretrain

N = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    threads = torch.get_num_threads()
    folder = tmp_path_factory.mktemp("base")
    pretrain(folder, n_episodes=N, seed=0)
    yield folder
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def base(folder: Path) -> Policy:
    return load_policy(folder, name="base")


def test_the_corpus_is_drawn_from_its_seed() -> None:
    one, same, other = (list(corpus(6, seed=seed)) for seed in (0, 0, 1))
    assert one == same
    assert [played.trajectory.steps for played in one] != [played.trajectory.steps for played in other]
    assert len({played.trajectory.id for played in one}) == 6


def test_wishes_are_done_and_tasks_are_not() -> None:
    walks = [one.trajectory for one in corpus(24, seed=0)]
    wishes = [walk for walk in walks if f"You would like to: {walk.instruction}." in walk.initial_observation]
    tasks = [walk for walk in walks if f"Your task is to: {walk.instruction}." in walk.initial_observation]
    assert len(wishes) > 4 and len(tasks) > 4 and len(wishes) + len(tasks) == len(walks)
    assert all(walk.steps[0].thought.startswith(f"I am to {walk.instruction}.") for walk in wishes)
    assert not any(walk.steps[0].thought.startswith(f"I am to {walk.instruction}.") for walk in tasks)


def test_names_are_those_the_world_says() -> None:
    names = names_of_things()
    assert names == sorted(set(names))
    (task,) = environment().tasks("train", 1)
    opening = environment().make_world().reset(task)
    said = opening.split("Looking quickly around you, you see ")[1].split(".")[0]
    seen = [word.removeprefix("and ").removeprefix("a ").rpartition(" ")[0] for word in said.split(", ")]
    assert set(seen) <= set(names)


def test_a_base_model_can_be_loaded_and_reads_its_world(base: Policy) -> None:
    walk = next(corpus(1, seed=0)).trajectory
    batch = base.codec.encode([walk], limit=base.context)
    supervised = batch.attention.clone()
    supervised[:, 0] = False
    with torch.no_grad():
        loss = float(clone_loss(base.model, batch, supervised).loss)
    uniform = float(torch.tensor(float(len(base.codec.tokenizer))).log())
    assert loss < uniform - 0.1
    assert len(base.codec.text_ids("Nothing happens.")) == 1
    assert next(base.model.parameters()).dtype == torch.float32


def test_stored_in_half_the_room_without_pickles(folder: Path, base: Policy) -> None:
    n_weights = sum(parameter.numel() for parameter in base.model.parameters())
    assert (folder / "model.safetensors").stat().st_size < 2.2 * n_weights
    assert {path.suffix for path in folder.iterdir()} <= {".json", ".jinja", ".safetensors"}


def test_the_same_seed_gives_the_same_files(folder: Path, tmp_path: Path) -> None:
    pretrain(tmp_path, n_episodes=N, seed=0)
    for path in folder.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name
