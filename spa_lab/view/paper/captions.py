"""Phrases that the captions of several figures share."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from spa_lab.types import Trajectory, ValueTruth
from spa_lab.view.tables.evaluation import intervals_in_words
from spa_lab.view.text import one_line, truth_label, verdict


def episode(trajectory: Trajectory) -> str:
    """E.g. "success of 12 steps (task: put a mug on the desk)", to follow "one"."""
    kind = "episode" if trajectory.success is None else verdict(trajectory.success)
    steps = "1 step" if len(trajectory) == 1 else f"{len(trajectory)} steps"
    task = one_line(trajectory.instruction)
    return f"{kind} of {steps}" + (f" (task: {task})" if task else "")


def measured(truth: ValueTruth | None) -> str:
    """What the diamonds are; "" without a truth."""
    if truth is None:
        return ""
    errors = ", with standard errors" if truth.standard_error.any() else ""
    return f" Diamonds: measured values, {truth_label(truth)}{errors}."


def enumeration(names: Sequence[str]) -> str:
    """E.g. "a, b and c"; "a, linear; b; and c" where a name holds a comma."""
    *most, last = lines = list(map(one_line, names))
    if not most:
        return last
    if any("," in line for line in lines):
        return f"{'; '.join(most)}; and {last}"
    return f"{', '.join(most)} and {last}"


def episode_facts(trajectory: Trajectory, truth: ValueTruth | None) -> dict[str, Any]:
    """Provenance of a figure of one trajectory."""
    facts: dict[str, Any] = {"n": 1, "trajectory": trajectory.id, "policy": trajectory.policy}
    return facts | ({"branches": truth.branches} if truth else {})


def intervals(table: pd.DataFrame) -> str:
    """`evaluation.intervals_in_words`, and which intervals are no bootstrap's where others are."""
    known = table[table["n"] > 0]
    alike = known["success"].isin((0.0, 1.0)) | (known["n_seeds"] == 1)
    other = alike.any() and known["n_seeds"].max() > 1
    return intervals_in_words(table) + (", Wilson's of one seed or where all end alike" if other else "")


def rates(table: pd.DataFrame) -> str:
    """What a figure of success rates shows, as a sentence."""
    if not table["n"].any():
        return "Strict success in per cent, which is known of no episode."
    return f"Strict success in per cent with {intervals(table)}."


def sample_size(counts: Sequence[int]) -> str:
    """E.g. "n = 24", or "n = 12 to 24" where the counts of what is compared differ."""
    least, most = int(min(counts)), int(max(counts))
    return f"n = {least}" if least == most else f"n = {least} to {most}"


def policy_facts(table: pd.DataFrame) -> dict[str, Any]:
    """Provenance of a figure of policies: n of the policy with the most trajectories, and the seeds."""
    per_policy = table.groupby("policy", sort=False)["n"].sum()
    return {"n": int(per_policy.max()), "n_seeds": int(table["n_seeds"].max())}


def titled(name: str, titles: Mapping[str, str]) -> str:
    """The title of a source or policy; the name itself where none is known."""
    return titles.get(name, name)
