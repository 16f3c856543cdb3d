"""The embedded base models: their corpora, and a saved folder that can be loaded."""

import hashlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from spa_lab.agent.models import load_policy
from spa_lab.agent.rollout import Policy
from spa_lab.envs.household import environment
from spa_lab.envs.webshop.generator import generated_shop
from spa_lab.envs.webshop.panels import split_of
from spa_lab.envs.webshop.parsed_instruction import read_instruction
from spa_lab.learn.cloning import clone_loss
from spa_lab.pretrain import __main__ as command
from spa_lab.pretrain.household import object_names
from spa_lab.pretrain.train import RECIPES, pretrain
from spa_lab.types import Trajectory

N = 5
HEADS = {
    "household": ("Your task is to: {}.", "You would like to: {}."),
    "webshop": ("Instruction: [SEP] {} [SEP]", "Your wish: [SEP] {} [SEP]"),
    "virtualhome": ("The task is {}.", "You would like to: {}."),
}
"""World -> how openings word a task and a request."""
WORLDS = tuple(HEADS)


@pytest.fixture(scope="module", params=WORLDS)
def env(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def walks(env: str) -> list[Trajectory]:
    return [played.trajectory for played in RECIPES[env].corpus(24, seed=0)]


@pytest.fixture(scope="module")
def folder(env: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    threads = torch.get_num_threads()
    folder = tmp_path_factory.mktemp("base")
    pretrain(folder, env, n_episodes=N, seed=0)
    yield folder
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def base(folder: Path) -> Policy:
    return load_policy(folder, name="base")


def test_the_household_corpus_is_that_of_the_shipped_base() -> None:
    """A change of this text requires pretraining the shipped base again."""
    played = list(RECIPES["household"].corpus(24, seed=0))
    assert hashlib.sha256(repr(played).encode()).hexdigest() == (
        "3c2d02ed53a7ebabb53a1d5285ee65df9def48806f4a0b087891ed40b3fc7896"
    )


def test_a_corpus_is_drawn_from_its_seed(env: str) -> None:
    corpus = RECIPES[env].corpus
    first, same, other = (list(corpus(6, seed=seed)) for seed in (0, 0, 1))
    assert first == same
    assert [played.trajectory.steps for played in first] != [played.trajectory.steps for played in other]
    assert len({played.trajectory.id for played in first}) == 6


def _states_the_opening(env: str, walk: Trajectory) -> bool:
    """Whether the first thought states what the opening asks for."""
    thought = walk.steps[0].thought
    if env == "webshop":
        wanted = read_instruction(walk.instruction)
        phrases = [wanted.kind.noun, *wanted.attributes, *wanted.options, f"{wanted.limit:.2f}"]
        return all(re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", thought) for phrase in phrases)
    sentence = walk.instruction if env == "household" else walk.instruction.partition("(")[2][:-1]
    return thought.startswith(f"I am to {sentence[0].lower()}{sentence[1:]}.")


def test_requests_are_carried_out_and_tasks_are_not(env: str, walks: list[Trajectory]) -> None:
    task_head, request_head = HEADS[env]
    requests = [walk for walk in walks if request_head.format(walk.instruction) in walk.initial_observation]
    tasks = [walk for walk in walks if task_head.format(walk.instruction) in walk.initial_observation]
    assert len(requests) > 4 and len(tasks) > 4 and len(requests) + len(tasks) == len(walks)
    assert all(_states_the_opening(env, walk) for walk in requests)
    assert not any(_states_the_opening(env, walk) for walk in tasks)


def test_every_page_shows_the_reworded_instruction(walks: list[Trajectory], env: str) -> None:
    if env != "webshop":
        pytest.skip("only pages of the web shop repeat the instruction")
    for walk in walks:
        head = walk.initial_observation.split(" [SEP] ")[1]
        pages = [step.observation for step in walk.steps if not step.observation.startswith("Thank you")]
        assert all(f"{head} [SEP] {walk.instruction} [SEP] " in page for page in pages)


def test_the_shop_of_the_tasks_is_not_in_the_corpus(walks: list[Trajectory], env: str) -> None:
    """Neither its products nor goals of other splits."""
    if env != "webshop":
        pytest.skip("the web shop's corpus")
    products = generated_shop().products
    listed = [
        piece
        for walk in walks
        for step in walk.steps
        for piece in re.findall(r"(B\d+) \[SEP\] ([a-z -]+, [a-z ]+) \[SEP\]", step.observation)
    ]
    assert {asin for asin, _ in listed} <= set(products)
    assert sum(products[asin].title == title for asin, title in listed) < 0.1 * len(listed)
    for walk in walks:
        wanted = read_instruction(walk.instruction)
        assert split_of(wanted.kind, wanted.attributes, wanted.options) == "train"


def test_object_names_cover_the_openings() -> None:
    names = object_names()
    assert names == sorted(set(names))
    (task,) = environment().tasks("train", 1)
    opening = environment().make_world().reset(task)
    listed = opening.split("Looking quickly around you, you see ")[1].split(".")[0]
    seen = [word.removeprefix("and ").removeprefix("a ").rpartition(" ")[0] for word in listed.split(", ")]
    assert set(seen) <= set(names)


def test_a_base_model_can_be_loaded_and_reads_its_world(
    env: str, base: Policy, walks: list[Trajectory]
) -> None:
    batch = base.codec.encode(walks[:1], limit=base.context)
    supervised = batch.attention.clone()
    supervised[:, 0] = False
    with torch.no_grad():
        loss = float(clone_loss(base.model, batch, supervised).loss)
    uniform = float(torch.tensor(float(len(base.codec.tokenizer))).log())
    assert loss < uniform - 0.02
    assert next(base.model.parameters()).dtype == torch.float32


def test_stored_in_bfloat16_without_pickles(folder: Path, base: Policy) -> None:
    n_weights = sum(parameter.numel() for parameter in base.model.parameters())
    assert (folder / "model.safetensors").stat().st_size < 2.2 * n_weights
    assert {path.suffix for path in folder.iterdir()} <= {".json", ".jinja", ".safetensors"}


def test_the_same_seed_gives_the_same_files(env: str, folder: Path, tmp_path: Path) -> None:
    pretrain(tmp_path, env, n_episodes=N, seed=0)
    for path in folder.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_world_without_a_recipe(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="world 'chess' has no pretraining recipe; there are: household, "):
        pretrain(tmp_path / "base", "chess", n_episodes=1, seed=0)
    assert not (tmp_path / "base").exists()


def test_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys) -> None:
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr(command, "pretrain", lambda *given, **more: calls.append((*given, *more.values())))
    monkeypatch.setenv("SPA_LAB_DATA", str(tmp_path))
    for argv in (
        [],
        ["--env", "webshop"],
        ["--env", "virtualhome", "--out", "x", "--episodes", "3", "--seed", "1"],
    ):
        monkeypatch.setattr(sys, "argv", ["pretrain", *argv])
        command.main()
    assert calls == [
        (tmp_path / "base", "household", RECIPES["household"].episodes, 0),
        (tmp_path / "base_webshop", "webshop", RECIPES["webshop"].episodes, 0),
        (Path("x"), "virtualhome", 3, 1),
    ]
    monkeypatch.setattr(sys, "argv", ["pretrain", "--env", "chess"])
    with pytest.raises(SystemExit):
        command.main()
    assert "invalid choice: 'chess'" in capsys.readouterr().err


def test_shipped_bases_are_small() -> None:
    shipped = sorted((Path(__file__).parent.parent / "data").glob("base*/model.safetensors"))
    assert shipped
    assert all(weights.stat().st_size < 2_000_000 for weights in shipped)
