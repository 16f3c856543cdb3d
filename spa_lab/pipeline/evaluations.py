"""What the evaluations of a finished run hold, for reports and figures."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from spa_lab.envs.worlds import make_environment
from spa_lab.store import Run
from spa_lab.types import Trajectory

if TYPE_CHECKING:
    import pandas as pd

NAMES = {
    "base": "base",
    "cloned": "cloned (SFT)",
    "ppo": "PPO, terminal reward",
    "spa": "PPO, SPA-RL",
    "critic": "PPO, critic's credit",
    "mean": "PPO, mean credit",
    "random": "PPO, random credit",
}
COMPARISONS = (
    *((method, "cloned") for method in ("spa", "ppo", "critic", "mean", "random")),
    ("spa", "ppo"),
)


def evaluations(run: Run) -> dict[str, dict[str, list[Trajectory]]]:
    """Panel → policy → trajectories in the panel's order."""
    played: dict[str, dict[str, list[Trajectory]]] = {}
    sets = [one for one in run.trajectory_sets() if one.role == "evaluation"]
    order = {policy: place for place, policy in enumerate(["base", "cloned", *run.config["methods"]])}
    for one in sorted(sets, key=lambda one: order.get(one.policy or "", len(order))):
        played.setdefault(str(one.panel), {})[str(one.policy)] = one.load()
    return played


def longest_panel(played: Mapping[str, object]) -> str:
    """The panel for success by length: the one made for it, where it was played."""
    return "unseen_by_length" if "unseen_by_length" in played else "unseen"


def long_ones(trajectories: Sequence[Trajectory]) -> dict[str, Trajectory]:
    """The longest "success" and the "failure" nearest to it in length, as far as there are any.

    Of equals the first id is taken; a failure alone is the longest.
    """
    found: dict[str, Trajectory] = {}
    for kind in ("success", "failure"):
        own = [one for one in trajectories if one.success == (kind == "success")]
        if own:
            goal = len(found["success"]) if found else max(len(one) for one in own)
            found[kind] = min(own, key=lambda one: (abs(len(one) - goal), one.id))
    return found


def panel_frame(
    played: Mapping[str, Sequence[Trajectory]], expert_length: Mapping[str, int] | None = None
) -> "pd.DataFrame":
    """`frames.trajectories_frame` of one panel, under the names by which the run calls its policies."""
    import pandas as pd

    from spa_lab.view.tables.frames import trajectories_frame

    frames = [
        trajectories_frame(own, expert_length=expert_length).assign(policy=policy)
        for policy, own in played.items()
    ]
    return pd.concat(frames, ignore_index=True)


def expert_lengths(run: Run) -> dict[str, int]:
    """Task id → steps of the expert, for all evaluated tasks."""
    environment = make_environment(run.config["env"])
    preset = run.config["preset"]
    panels = (("unseen", preset["evaluation_tasks"]), ("unseen_by_length", preset["by_length_tasks"]))
    return {task.id: task.expert_length for panel, n in panels for task in environment.tasks(panel, n)}
