"""What the notebooks of the browser tests look at: made up, and the same every time."""

import itertools
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from spa_lab.store import Run
from spa_lab.types import Credit, Step, Trajectory, ValueTruth
from spa_lab.view.tables.collection import Collection

HOSTILE = (
    "<script>window.owned = 1</script>",
    "<img src=x onerror='window.owned = 1'><svg onload='window.owned = 1'>",
    "</td></table><h1>not a heading</h1>",
    "x" * 100_000,
    "שלום עולם, مرحبا بالعالم \u202e turned round",
    "👩\u200d🚀 🏳️\u200d🌈 e\u0301 \x00 \ud800",
    "",
)
PLACES = ("cabinet", "drawer", "countertop", "fridge", "shelf", "sinkbasin")


def episode(index: int, n_steps: int, success: bool) -> Trajectory:
    """A household-like episode; every fifth step is refused."""
    steps = []
    for t in range(n_steps):
        target, refused = f"{PLACES[(t + index) % len(PLACES)]} {t % 4 + 1}", t % 5 == 4
        reply = (
            "Nothing happens."
            if refused
            else f"You arrive at {target}. On the {target}, you see a mug {t + 1}."
        )
        thought = f"I need a mug. It may be on the {target}."
        steps.append(Step(f"{thought} {target}", thought, f"go to {target}", reply, not refused))
    instruction = ("put a clean mug in cabinet", "heat a mug and put it on the shelf")[index % 2]
    return Trajectory(
        f"eval/{index:05d}", f"task-{index % 40}", "household", "unseen", instruction,
        "You are in the middle of a room. Looking around you, you see a cabinet 1 and a drawer 1.",
        tuple(steps), float(success), success, "done" if success else "step_limit",
        ("spa", "ppo")[index % 2], 0,
    )  # fmt: skip


def collection() -> Collection:
    """A measured collection: first 50 steps, then many lengths; last an unmeasured one with hostile texts."""
    measured = [episode(0, 50, True), *(episode(i, 4 + 3 * i, i % 3 > 0) for i in range(1, 12))]
    rng = np.random.default_rng(0)
    credits, truths = [], []
    for trajectory in measured:
        values = np.clip(0.5 + np.cumsum(rng.normal(0, 0.07, len(trajectory) + 1)), 0.03, 0.97)
        values[-1] = trajectory.outcome
        truths.append(ValueTruth(trajectory.id, values, np.sqrt(values * (1 - values) / 64), 64, "clone", 60))
        noise = rng.normal(0, 0.04, len(trajectory))
        credits.append(
            Credit(
                trajectory.id,
                "history value",
                np.diff(values) * 0.7 + noise,
                0.2,
                np.full(len(trajectory), 0.03),
            )
        )
        credits.append(
            Credit(
                trajectory.id,
                "spa",
                np.full(len(trajectory), trajectory.outcome / len(trajectory)) + noise / 9,
            )
        )
    strange = replace(
        episode(99, len(HOSTILE), True),
        id="<i>strange</i>",
        instruction="<b onclick='window.owned = 1'>strange</b> task",
        steps=tuple(Step(text, text, text, text, True) for text in HOSTILE),
    )
    credits.append(Credit(strange.id, "spa", np.linspace(-1, 1, len(HOSTILE))))
    return Collection.of([*measured, strange], credits, truths, name="made up")


def grow(trajectory: Trajectory, step: int, n: int) -> list[float]:
    """Outcomes that take some time and rise with the step."""
    time.sleep(0.05)
    rng = np.random.default_rng([step, n, len(trajectory)])
    return (rng.random(n) < 0.3 + 0.5 * step / len(trajectory)).astype(float).tolist()


def what_if(trajectory: Trajectory, step: int, action: str) -> Trajectory:
    """The same episode with another action, that fails."""
    other = replace(trajectory.steps[step], action=action, grounded=False)
    steps = (*trajectory.steps[:step], other, *trajectory.steps[step + 1 : step + 9])
    return replace(trajectory, id=f"{trajectory.id}/other", steps=steps, outcome=0.0, success=False)


def lengths() -> pd.DataFrame:
    """Of `trajectories_frame`: two policies."""
    from spa_lab.view.tables.frames import trajectories_frame

    played = [episode(i, 3 + i % 33, (i * 7) % 10 > i % 9) for i in range(240)]
    return trajectories_frame(played, expert_length={f"task-{i}": 3 + i * 2 % 33 for i in range(40)})


def board() -> pd.DataFrame:
    """A scoreboard of five sources."""
    rng = np.random.default_rng(1)
    sources = ["history value", "spa", "critic", "mean", "second measurement"]
    metrics = {"spearman": ("Spearman ρ, within", 0.0), "pair_accuracy": ("pairs in order", 0.5)}
    metrics |= {"harm_auc": ("AUC of harmful steps", 0.5), "rmse": ("RMSE, centred", np.nan)}
    rows = []
    for source, outcome, metric in itertools.product(sources, ("success", "failure", "both"), metrics):
        value, half = rng.uniform(0.3, 0.85), rng.uniform(0.04, 0.1)
        rows.append(
            {"source": source, "outcome": outcome, "metric": metric, "value": value, "low": value - half,
             "high": value + half, "n_tasks": 30, "n_trajectories": 60, "ceiling": 0.9,
             "title": metrics[metric][0], "best": 1.0, "chance": metrics[metric][1]}
        )  # fmt: skip
    return pd.DataFrame(rows)


def update(trajectory: Trajectory) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Tables of steps and tokens as `credit.gradient` makes them, and the words of the tokens."""
    rng = np.random.default_rng(2)
    words = sorted({word for step in trajectory.steps for word in step.text.split()})
    rows = [
        {"trajectory_id": trajectory.id, "step": t, "position": i, "token": words.index(word), "reward": 0.0,
         "value": 0.4, "advantage": rng.normal(0, 0.2), "push": rng.normal(), "kl": rng.normal(0, 0.1),
         "kl_push": rng.normal(0, 0.05)}
        for t, step in enumerate(trajectory.steps)
        for i, word in enumerate(step.text.split())
    ]  # fmt: skip
    tokens = pd.DataFrame(rows)
    numbers = ["reward", "advantage", "push", "kl", "kl_push"]
    steps = tokens.groupby(["trajectory_id", "step"], as_index=False)[numbers].mean()
    return steps.assign(n_tokens=10, grounded=trajectory.grounded, success=trajectory.success), tokens, words


def run(path: str) -> Run:
    """A run with metrics of two stages."""
    made = Run.create(
        Path(path), {"env": "household", "methods": ["spa"], "preset": {"name": "tiny"}}, seed=0
    )
    rng = np.random.default_rng(3)
    falling = 0.2 + np.exp(-np.arange(300) / 60) + rng.normal(0, 0.03, 300)
    made.save_metrics("clone", [{"loss": value, "accuracy": 1 - value / 3} for value in falling])
    made.save_metrics("ppo-spa", [{"success": 0.2 + i / 40, "kl": 0.1 / (i + 1)} for i in range(12)])
    made.save_trajectories("eval", [episode(i, 5 + i, True) for i in range(6)])
    return made
