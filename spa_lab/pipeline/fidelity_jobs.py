"""The long parts of `spa-lab fidelity`, each a job for a worker process that leaves its result in the run."""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from types import MappingProxyType

from spa_lab.configs.presets import Preset
from spa_lab.credit import methods
from spa_lab.credit.methods import Cost, CreditMethod, measure
from spa_lab.envs.worlds import make_environment
from spa_lab.learn.estimator import fit_estimator
from spa_lab.learn.return_predictor import PredictorConfig, ReturnPredictor, fit_predictor
from spa_lab.pipeline.parallel import Report
from spa_lab.pipeline.stages import (
    explore_tasks,
    fitted_critic,
    saved_estimator,
    saved_policy,
    split_by_task,
)
from spa_lab.store import Run
from spa_lab.truth.monte_carlo import branch_outcomes
from spa_lab.truth.outcomes import BranchOutcomes
from spa_lab.types import Trajectory

MAX_IN_FLIGHT = 256
"""Continuations in flight."""


def branch_job(
    folder: Path, env: str, preset: Preset, name: str, ids: Sequence[str], branches: int, *, report: Report
) -> None:
    """Plays `branches` continuations from every step of these trajectories → `metrics/<name>`, by step."""
    start = perf_counter()
    run, environment = Run.open(folder), make_environment(env)
    known = {one.id: one for one in run.load_trajectories("explore")}
    rows: list[dict[str, str | int | float]] = []
    done = 0

    def note(found: BranchOutcomes) -> None:
        nonlocal done
        done += 1
        rows.extend(
            {"trajectory_id": found.trajectory_id, "step": t, "outcomes": json.dumps(own.tolist())}
            for t, own in enumerate(found.outcomes)
        )
        report(done / len(ids), {})

    branch_outcomes(
        saved_policy(run, "cloned", preset, environment), environment, [known[one] for one in ids],
        explore_tasks(environment, preset), replace(preset.explore_rollout, parallel=MAX_IN_FLIGHT),
        branches=branches, rng=random.Random(f"{run.seed}/{name}"), on_trajectory=note,
    )  # fmt: skip
    seconds = (perf_counter() - start) / len(rows)
    run.save_metrics(name, [row | {"seconds": seconds} for row in rows])


def reader_job(
    folder: Path, env: str, preset: Preset, model: str, ids: Sequence[str], *, report: Report
) -> None:
    """Makes one model of `READERS`; every source that reads with it gives credit, see `save_measured`.

    `metrics/fidelity-read-<model>` says for how many trajectories that is done.
    """
    run = Run.open(folder)
    known = {one.id: one for one in run.load_trajectories("explore")}
    for method in READERS[model](run, env, preset, report):
        save_measured(run, method, [known[one] for one in ids])
    run.save_metrics(f"fidelity-read-{model}", [{"n": len(ids)}])


def save_measured(
    run: Run, method: CreditMethod, trajectories: Sequence[Trajectory], *, played_seconds: float = 0.0
) -> None:
    """Give credit by the clock → `credits/fidelity-<source>` and `metrics/fidelity-cost-<source>`.

    `played_seconds` is the wall time of continuations that were played before.
    """
    credits, cost = measure(method, trajectories)
    run.save_credits(f"fidelity-{method.source}", credits)
    row = {
        "source": method.source,
        "origin": method.origin,
        "seconds": cost.seconds + played_seconds,
        "rollouts": cost.rollouts,
        "fit_seconds": method.fitting.seconds,
        "fit_rollouts": method.fitting.rollouts,
        "n": len(trajectories),
    }
    run.save_metrics(f"fidelity-cost-{method.source}", [row])


def _spa(run: Run, env: str, preset: Preset, report: Report) -> list[CreditMethod]:
    """The estimator that the run trained its agent with."""
    fitted, _ = split_by_task(run.load_trajectories("explore"), preset.held_out_fraction)
    seconds = run.provenance["stages"].get("estimate", {}).get("seconds", 0.0)
    estimator = saved_estimator(run, preset, make_environment(env))
    return [methods.estimator_credit(estimator, source="spa", fitting=Cost(seconds, len(fitted)))]


def _released(run: Run, env: str, preset: Preset, report: Report) -> list[CreditMethod]:
    """The same with the released code's head."""
    fitted, _ = split_by_task(run.load_trajectories("explore"), preset.held_out_fraction)
    policy = saved_policy(run, "cloned", preset, make_environment(env))
    start = perf_counter()
    estimator = fit_estimator(
        policy, fitted, replace(preset.estimator, head="vocabulary"),
        rng=random.Random(f"{run.seed}/fidelity-released"), on_update=_reporting(report),
    )  # fmt: skip
    cost = Cost(perf_counter() - start, len(fitted))
    origin = "released SPA-RL code, prm/train_our_progress_model.py:47"
    return [methods.estimator_credit(estimator, source="spa_released_head", origin=origin, fitting=cost)]


def _critic(run: Run, env: str, preset: Preset, report: Report) -> list[CreditMethod]:
    reader, cost = _fitted(run, env, preset, PredictorConfig(input="history"), report)
    return [
        methods.critic_td(reader.values, fitting=cost),
        methods.critic_gae(reader.values, fitting=cost),
    ]


def _rudder(run: Run, env: str, preset: Preset, report: Report) -> list[CreditMethod]:
    reader, cost = _fitted(run, env, preset, PredictorConfig(input="step"), report)
    return [
        methods.prediction_difference(reader.values, fitting=cost),
        methods.occlusion(reader.predict, fitting=cost),
    ]


def _prefix(run: Run, env: str, preset: Preset, report: Report) -> list[CreditMethod]:
    """SPA's increments, fitted to every prefix: the variant whose split is identified."""
    reader, cost = _fitted(run, env, preset, PredictorConfig(input="step", output="increment"), report)
    return [methods.prediction_difference(reader.values, fitting=cost, source="spa_prefix", close=False)]


def _heads(run: Run, env: str, preset: Preset, report: Report) -> list[CreditMethod]:
    """A critic on the frozen policy's features: seconds instead of minutes."""
    fitted, _ = split_by_task(run.load_trajectories("explore"), preset.held_out_fraction)
    policy = saved_policy(run, "cloned", preset, make_environment(env))
    start = perf_counter()
    heads = fitted_critic(run, policy, fitted, _reporting(report))
    cost = Cost(perf_counter() - start, len(fitted))
    return [methods.critic_td(heads.values, fitting=cost, source="critic")]


READERS: Mapping[str, Callable[[Run, str, Preset, Report], list[CreditMethod]]] = MappingProxyType(
    {
        "spa": _spa,
        "released": _released,
        "critic": _critic,
        "rudder": _rudder,
        "prefix": _prefix,
        "heads": _heads,
    }
)
"""Models that read, and the methods that need them."""


def _fitted(
    run: Run, env: str, preset: Preset, config: PredictorConfig, report: Report
) -> tuple[ReturnPredictor, Cost]:
    """A reader with the estimator's head, budget and data, so that only the loss and the places differ."""
    own = preset.estimator
    config = replace(
        config, width=own.width, train_backbone=own.train_backbone, epochs=own.epochs, lr=own.lr,
        batch_tokens=own.batch_tokens,
    )  # fmt: skip
    fitted, _ = split_by_task(run.load_trajectories("explore"), preset.held_out_fraction)
    policy = saved_policy(run, "cloned", preset, make_environment(env))
    start = perf_counter()
    rng = random.Random(f"{run.seed}/fidelity-{config.input}-{config.output}")
    reader = fit_predictor(policy, fitted, config, rng=rng, on_update=_reporting(report))
    return reader, Cost(perf_counter() - start, len(fitted))


def _reporting(report: Report) -> Callable[[dict[str, float]], object]:
    return lambda metrics: report(metrics["progress"], {"loss": metrics["loss"]})
