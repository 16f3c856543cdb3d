"""Data objects and tiny models, small enough to check by hand; the order of slow tests."""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from spa_lab import react
from spa_lab.types import Credit, Step, Trajectory

if TYPE_CHECKING:
    from spa_lab.agent.rollout import Policy

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: tiny models, and a test process per core

# a slow machine must not fail a test, and a failure must be reproducible
settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")

_SLOW = (("browser",), ("pipeline", "test_extension.py", "test_notebooks.py"))
"""In `tests/`: two groups of about equal duration, each of which shares fixtures."""
_FIRST = ("test_the_stages_run_in_order", "test_run_in_the_other_worlds")
"""The longest tests of their groups."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests first, so that pytest-xdist's workers can share what is left at the end.

    `--dist worksteal` gives each worker an equal part of the list: the second worker's begins with the second
    group of slow tests.
    """
    root = Path(__file__).resolve().parent
    slow: list[list[pytest.Item]] = [[] for _ in _SLOW]
    fast = []
    for item in items:
        part = item.path.relative_to(root).parts[0]
        group = next((group for names, group in zip(_SLOW, slow, strict=True) if part in names), fast)
        group.append(item)
    for group in slow:
        group.sort(key=lambda item: item.name.split("[")[0] not in _FIRST)
    share = len(items) // max(2, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 2)))
    before = max(0, share - len(slow[0]))
    items[:] = [*slow[0], *fast[:before], *slow[1], *fast[before:]]


def _step(action: str, observation: str = "ok", grounded: bool = True, thought: str = "") -> Step:
    return Step(react.write(thought, action), thought, action, observation, grounded)


def _trajectory(
    outcome: float = 1.0,
    grounded: Sequence[bool] = (True, False, True),
    *,
    id: str = "t1",
    task_id: str = "task",
    observations: Sequence[str] | None = None,
) -> Trajectory:
    replies = observations or [f"reply {t}" for t in range(len(grounded))]
    steps = [_step(f"act {t}", replies[t], g, f"think {t}") for t, g in enumerate(grounded)]
    return Trajectory(
        id=id,
        task_id=task_id,
        env="toy",
        split="train",
        instruction="do it",
        initial_observation="You see a door.",
        steps=tuple(steps),
        outcome=outcome,
        success=outcome == 1.0,
        ended="done",
        policy="scripted",
        seed=7,
    )


@pytest.fixture(scope="session")
def make_step() -> Callable[..., Step]:
    """(action, observation, grounded, thought) -> Step."""
    return _step


@pytest.fixture(scope="session")
def make_trajectory() -> Callable[..., Trajectory]:
    """(outcome, grounded, id, task_id, observations) -> Trajectory of len(grounded) steps."""
    return _trajectory


@pytest.fixture(scope="session")
def trajectory() -> Trajectory:
    """Three steps, the middle one refused, outcome 1."""
    return _trajectory()


@pytest.fixture(scope="session")
def credit(trajectory: Trajectory) -> Credit:
    """A credit of `trajectory` that predicts its outcome: 0.25 + 0.5 - 0.25 + 0.5 = 1."""
    return Credit(trajectory.id, "by hand", [0.5, -0.25, 0.5], base_value=0.25)


def _tiny_policy(
    *texts: str,
    names: Sequence[str] = ("mug",),
    hidden: int = 16,
    layers: int = 1,
    context: int = 512,
    seed: int = 0,
    spread: float = 0.1,
) -> "Policy":
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from spa_lab.agent.codec import Codec
    from spa_lab.agent.rollout import Policy
    from spa_lab.agent.tokenizer import build_tokenizer

    tokenizer = build_tokenizer(texts, names, at_least=1)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=context,
        initializer_range=spread,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Policy("tiny", LlamaForCausalLM(config).eval(), Codec(tokenizer))


@pytest.fixture(scope="session")
def make_policy() -> "Callable[..., Policy]":
    """(*texts, names, hidden, layers, context, seed, spread) -> Policy whose tokens are phrases of `texts`.

    `spread` is the standard deviation of its weights: the larger, the more next tokens depend on the text.
    """
    return _tiny_policy


@pytest.fixture(autouse=True)
def _no_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests in a browser leave an event loop marked as running; other tests must not see it."""
    if "browser" in request.path.parts:
        yield
        return
    left = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(left)
