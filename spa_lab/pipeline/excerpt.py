r"""A small part of a finished run, to be shown where the whole run is too large: what ships in data/gamed.

    spa-lab run --env household --method spa --seed 100 --out RUN --reward.beta 0.5 \
        --reward.grounding_form bonus --reward.residual kept --reward.clip false
    python -m spa_lab.pipeline.excerpt RUN data/gamed/published

An excerpt holds the curves of training, and the episodes of every policy on some tasks of the main panel: the
first by name, chosen by nothing else. Each step has the estimator's contribution and the reward that the
run's settings pay for it. With `--measured` it holds the episodes that `spa-lab fidelity` measured instead,
with both measurements, the credit of every source and the scoreboard.
"""

import argparse
from pathlib import Path

from spa_lab import rewards
from spa_lab.configs.reward import RewardConfig
from spa_lab.pipeline.experiment import Experiment
from spa_lab.store import Run
from spa_lab.types import Credit, Trajectory

N_TASKS = 24
"""Tasks whose episodes are kept."""
PAID = "reward as paid"
"""Source of the credit whose contributions are the rewards that a policy was trained on."""


def paid_reward(trajectory: Trajectory, credit: Credit, config: RewardConfig) -> Credit:
    """The fused reward of each step (`rewards.fuse`) as a credit, so that views can show it.

    Contributions are not clipped, even if `config.clip` is set: the range that the explorations showed is not
    part of a run's evaluation.

    Args:
        trajectory: T steps.
        credit: what the estimator gives them.
        config: of the training run.

    Returns:
        Contributions (T,), outcome units; they need not sum to R.

    Raises:
        ValueError: the credit belongs to another trajectory.
    """
    return Credit(trajectory.id, PAID, rewards.fuse(trajectory, credit, config))


def make_excerpt(source: Run | Path, out: Path, *, n_tasks: int = N_TASKS, estimator: str = "spa") -> Run:
    """Copy the curves, and the episodes of some tasks, to another run folder.

    Args:
        source: a run with evaluated policies.
        out: folder of the excerpt; missing, empty, or an excerpt of the same run.
        n_tasks: tasks of the main panel whose episodes are copied; 0 keeps the curves alone.
        estimator: credit source of the evaluated episodes that their reward is computed from.

    Raises:
        ValueError: the run has no evaluated policy, or `out` holds another run.
        StoreError: the disk refused.
    """
    experiment = Experiment.open(source)
    run, panel, reward = experiment.run, experiment.main_panel, experiment.preset.reward
    played = experiment.evaluations.get(panel)
    if not played:
        raise ValueError(f"{run.path}: no policy was evaluated on {panel!r}")
    tasks = [record for name, record in sorted(run.tasks().items()) if record.split == panel][:n_tasks]
    given = run.credits("evaluation").get(estimator, {})
    excerpt = Run.create(out, run.provenance["config"], seed=run.provenance["seed"])
    if tasks:
        excerpt.save_tasks(panel, tasks)
    chosen = {task.id for task in tasks}
    for policy, trajectories in played.items() if tasks else ():
        name = f"eval-{policy}-{panel}"
        kept = [trajectory for trajectory in trajectories if trajectory.task_id in chosen]
        excerpt.save_trajectories(name, kept, role="evaluation", policy=policy, panel=panel)
        credited = [trajectory for trajectory in kept if trajectory.id in given]
        if credited:
            credits = [given[trajectory.id] for trajectory in credited]
            paid = [paid_reward(each, given[each.id], reward) for each in credited]
            excerpt.save_credits(name, credits, role="evaluation")
            excerpt.save_credits(f"paid-{policy}-{panel}", paid)
    for curve in run.curves():
        if curve.method:
            excerpt.save_metrics(curve.name, curve.rows, stage=curve.stage, method=curve.method)
    excerpt.note(n=len(tasks), n_seeds=1, methods=run.methods)
    return excerpt


def make_measured_excerpt(source: Run | Path, out: Path) -> Run:
    """Copy the episodes whose values were measured, with both measurements, their credits and the scores.

    Args:
        source: a run that `spa-lab fidelity` measured.
        out: folder of the excerpt; missing, empty, or an excerpt of the same run.

    Raises:
        ValueError: nothing was measured, or `out` holds another run.
        StoreError: the disk refused.
    """
    run = source if isinstance(source, Run) else Run.open(source)
    truth, second = run.truth(), run.second_truth()
    if not truth:
        raise ValueError(f"{run.path}: no value was measured")
    measured = [t for entry in run.trajectory_sets() for t in entry.load() if t.id in truth]
    excerpt = Run.create(out, run.provenance["config"], seed=run.provenance["seed"])
    played = {trajectory.task_id for trajectory in measured}
    excerpt.save_tasks("train", [record for name, record in sorted(run.tasks().items()) if name in played])
    excerpt.save_trajectories("measured", measured, role="explored", policy="cloned", panel="train")
    excerpt.save_truths("monte-carlo", [truth[t.id] for t in measured])
    excerpt.save_truths(
        "monte-carlo-again", [second[t.id] for t in measured if t.id in second], measurement="second"
    )
    for credits in run.credit_sets():
        kept = [credit for credit in credits.load() if credit.trajectory_id in truth]
        if kept:
            excerpt.save_credits(credits.name, kept, role=credits.role)
    if board := run.results("scoreboard"):
        excerpt.save_results("fidelity", board)
    excerpt.note(n=len(measured), n_seeds=1)
    return excerpt


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Keep a small part of a finished run.")
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tasks", type=int, default=N_TASKS, help="whose episodes are kept (%(default)s)")
    parser.add_argument("--measured", action="store_true", help="keep what `spa-lab fidelity` measured")
    options = parser.parse_args()
    if options.measured:
        make_measured_excerpt(options.run, options.out)
    else:
        make_excerpt(options.run, options.out, n_tasks=options.tasks)
