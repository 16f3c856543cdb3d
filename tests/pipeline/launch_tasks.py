"""What two processes of a launch do in tests; in a file of its own, because they import it."""

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from spa_lab.agent.lora import add_lora
from spa_lab.agent.models import load_policy
from spa_lab.agent.processes import join, processes, together
from spa_lab.agent.rollout import Policy
from spa_lab.configs.cloning import CloneConfig
from spa_lab.configs.estimator import EstimatorConfig
from spa_lab.configs.ppo import PPOConfig
from spa_lab.configs.presets import TINY
from spa_lab.configs.reward import RewardConfig
from spa_lab.envs.base import Demonstration, Environment, Task
from spa_lab.envs.worlds import make_environment
from spa_lab.learn.cloning import clone
from spa_lab.learn.estimator import fit_estimator
from spa_lab.learn.method import TrainingInputs
from spa_lab.learn.methods import find_method
from spa_lab.pipeline.train import train
from spa_lab.store import checkpoint, files, folder, lines
from spa_lab.truth.monte_carlo import branch_outcomes
from tests.envs.quiz import Quiz
from tests.pipeline.micro import NANO

QUIZ = Environment(name="quiz", make_world=Quiz, tasks=lambda split, n: [], step_limit=3)
TASKS = [Task(f"q{i}", "quiz", "train", "", "win it", 1, None) for i in range(6)]


def start(index: int, port: int, target: Callable[..., Any], arguments: Sequence[Any]) -> None:
    """As process `index` of two, which a launcher has started."""
    os.environ |= {
        "RANK": str(index), "LOCAL_RANK": str(index), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "ACCELERATE_USE_CPU": "true",
        "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    torch.set_num_threads(1)
    target(*arguments)


def learn_together(base: Path, demonstrations: Sequence[Demonstration], out: Path) -> None:
    """`learn` in two processes; each leaves its weights and numbers."""
    team = join(cpu=True)
    with together(team):
        assert (processes().size, processes().index) == (2, int(os.environ["RANK"]))
        tensors = learn(base, demonstrations)
    save_file(tensors, out / f"{team.index}.safetensors")


def learn(base: Path, demonstrations: Sequence[Demonstration]) -> dict[str, torch.Tensor]:
    """Cloning, an estimator and PPO, with all weights and with adapters: weights and curves."""
    found: dict[str, torch.Tensor] = {}
    for rank in (None, 2):
        policy = load_policy(base, name="x")
        if rank is not None:
            add_lora(policy.model, rank=rank, seed=0)
        label = "full" if rank is None else "lora"
        for name, curve in _stages(policy, demonstrations):
            found |= {
                f"{label}/{name}/{key}": weight.detach().clone()
                for key, weight in policy.model.named_parameters()
                if weight.requires_grad
            }
            found[f"{label}/{name} curve"] = torch.tensor(curve, dtype=torch.float64)
    return found


def _stages(policy: Policy, demonstrations: Sequence[Demonstration]) -> Any:
    curve: list[float] = []

    def log(metrics: dict[str, float]) -> None:
        curve.extend(metrics.values())

    # batches of 3, 1, 1 rows of which one process reads 2, 1, 1 in parts, and the other 1, 0, 0
    config = CloneConfig(epochs=1, lr=1e-2, muon_lr=None, batch_tokens=240, micro_tokens=100)
    clone(policy, demonstrations, config, rng=random.Random(0), on_update=log)
    yield "clone", curve
    trajectories = [demonstration.trajectory for demonstration in demonstrations]
    fitting = EstimatorConfig(width=8, epochs=1, lr=1e-2, batch_tokens=300)
    curve = []
    estimator = fit_estimator(policy, trajectories, fitting, rng=random.Random(0), on_update=log)
    curve += [float(c) for credit in estimator.credit(trajectories) for c in credit.contributions]
    yield "estimator", curve
    ppo = PPOConfig(iterations=2, episodes=5, epochs=2, lr=1e-2, batch_tokens=400, micro_tokens=150)
    preset = replace(
        TINY, ppo=replace(ppo, kl_coef=0.1), reward=RewardConfig(beta=0.1),
        explore_rollout=replace(TINY.explore_rollout, max_new_tokens=4, parallel=2),
    )  # fmt: skip
    learner = find_method("terminal").make(TrainingInputs(policy, QUIZ, preset, random.Random(0)))
    rows = [learner.iterate(TASKS) for _ in range(ppo.iterations)]
    yield "ppo", [number for row in rows for number in row.values()]
    sampled = replace(preset.explore_rollout, temperature=1.0)
    outcomes = branch_outcomes(
        policy, QUIZ, trajectories[:3], TASKS, sampled, branches=2, rng=random.Random(0)
    )
    yield "values", [value for one in outcomes for value in one.values.tolist()]


def short_household() -> Environment:
    """Episodes of two steps."""
    return replace(make_environment("household"), step_limit=2)


def train_together(out: Path, base: Path) -> None:
    """A whole run of short episodes; only the main process may write."""
    if os.environ["RANK"] != "0":

        def refuse(*_: Any) -> None:
            raise AssertionError("only the main process writes")

        for name in ("replacing", "write_text", "remove"):
            setattr(files, name, refuse)
        lines.write_text = checkpoint.replacing = folder.replacing = refuse
    preset = replace(
        NANO, base=str(base), demonstrations=3, clone=replace(NANO.clone, epochs=1), explore_tasks=3,
        rollouts_per_task=2, keep_tokens=True, evaluation_tasks=5, by_length_tasks=0,
    )  # fmt: skip
    train(out, f"{__name__}:short_household", ["spa"], preset, seed=0, workers=1)
