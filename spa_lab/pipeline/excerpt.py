r"""A small part of a finished run, to be shown where the whole run is too large: what ships in data/gamed.

    spa-lab run --env household --method spa --seed 100 --out RUN --reward.beta 0.5 \
        --reward.grounding_form bonus --reward.residual kept --reward.clip false
    python -m spa_lab.pipeline.excerpt RUN data/gamed/published

An excerpt holds the curves of training, and the episodes of every policy on some tasks of the main panel: the
first by name, chosen by nothing else. Each step has the estimator's contribution and the reward that the
run's settings pay for it.
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
        n_tasks: tasks of the main panel whose episodes are copied, >= 1.
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
    excerpt.save_tasks(panel, tasks)
    chosen = {task.id for task in tasks}
    for policy, trajectories in played.items():
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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Keep a small part of a finished run.")
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    make_excerpt(options.run, options.out)
