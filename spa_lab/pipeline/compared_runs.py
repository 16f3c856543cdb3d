"""Runs of any settings as a comparison: every method of every setting is an arm, seeds are pooled.

For runs that were not made as a grid (`pipeline.grid`); the tables and figures are the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple

import pandas as pd

from spa_lab.pipeline.comparison import CELLS, COSTS, CURVES, Comparison, Outcomes
from spa_lab.pipeline.evaluations import BASELINE, TITLES, policy_titles
from spa_lab.pipeline.iterations import training_iterations
from spa_lab.pipeline.results import COLUMNS, episode_results
from spa_lab.store import Run
from spa_lab.view.provenance import commits_known, commits_of

MOST_NAMED = 2
"""Settings that a label names."""
LATER = ("reward", "ppo", "progress", "hindsight", "estimator")
"""Parts of a preset that the cloned policy does not depend on."""


class Setting(NamedTuple):
    """Runs that differ in their seed alone."""

    label: str
    """What differs from the first setting, "beta 0.5"; "" for the first."""
    runs: list[Run]
    clones: bool
    """Its cloned policy is one of its own."""


def settings_of(runs: Sequence[Run]) -> list[Setting]:
    """The runs by their worlds and settings, in the order of their first runs.

    Raises:
        ValueError: no run, or one that is given twice.
    """
    if not runs:
        raise ValueError("figures: needs at least 1 run, got 0")
    folders = [run.path.resolve() for run in runs]
    for folder in folders:
        if folders.count(folder) > 1:
            raise ValueError(f"{folder}: this run is given twice")
    groups: list[list[Run]] = []
    for run in runs:
        for group in groups:
            if _world(group[0]) == _world(run) and not _differences(group[0], run):
                group.append(run)
                break
        else:
            groups.append([run])
    settings: list[Setting] = []
    for group in groups:
        differ = _differences(_first_of(groups, group[0]), group[0])
        clones = any(name.partition(".")[0] not in LATER for name in differ)
        used = {setting.label for setting in settings if _world(setting.runs[0]) == _world(group[0])}
        label = next(label for label in _labels(differ) if label not in used)
        settings.append(Setting(label, group, clones))
    return settings


def _first_of(groups: Sequence[Sequence[Run]], run: Run) -> Run:
    """The first run in the same world: worlds have settings of their own, and are not compared."""
    return next(group[0] for group in groups if _world(group[0]) == _world(run))


def _world(run: Run) -> Any:
    return run.config.get("env")


def _differences(first: Run, second: Run) -> dict[str, Any]:
    """Setting -> value in the second run, of those that differ; the world and the methods do not count."""
    ours, theirs = _flat(first.config.get("preset")), _flat(second.config.get("preset"))
    names = dict.fromkeys([*ours, *theirs])
    return {name: theirs.get(name) for name in names if ours.get(name) != theirs.get(name)}


def _flat(preset: Any, prefix: str = "") -> dict[str, Any]:
    """The settings of a preset by their full names, "ppo.lr"; a preset that is a mere name has one."""
    if not isinstance(preset, Mapping):
        return {prefix or "preset": preset}
    flat: dict[str, Any] = {}
    for name, value in preset.items():
        flat |= _flat(value, f"{prefix}.{name}" if prefix else str(name))
    return flat


def _labels(differ: Mapping[str, Any]) -> Iterator[str]:
    """The label of a setting, then longer ones for where it is taken: "lr 0.1" of another part."""
    named = {name: value for name, value in differ.items() if name != "name"}
    short = [f"{name.rpartition('.')[2].replace('_', ' ')} {value}" for name, value in named.items()]
    more = [f"{len(short) - MOST_NAMED} more"] if len(short) > MOST_NAMED else []
    yield ", ".join([*short[:MOST_NAMED], *more])
    yield ", ".join(short)
    full = ", ".join(f"{name} {value}" for name, value in named.items())
    yield full
    yield from (f"{full} ({n})" for n in count(2))


def compared_runs(runs: Sequence[Run]) -> Comparison:
    """The comparison of finished runs.

    Where two runs have the same policy, world and seed, such as the clone that runs share, the first counts.

    Raises:
        ValueError: no run.
    """
    settings = settings_of(runs)
    episodes, costs, curves = [], [], []
    for setting in settings:
        for run in setting.runs:
            labels = _policy_labels(run, setting)
            results = episode_results([run])
            episodes.append(
                results.assign(policy=results["policy"].map(lambda name, to=labels: to.get(name, name)))
            )
            costs += _costs(run, labels)
            curves += _curves(run, labels)
    frame = pd.concat(episodes, ignore_index=True)[list(COLUMNS)]
    frame = frame.drop_duplicates(["env", "run_seed", "panel", "policy", "task_id"])
    policies = [name for name in dict.fromkeys(frame["policy"]) if name != TITLES["base"]]
    titles = [title for run in runs for name, title in policy_titles(run).items() if name == BASELINE]
    candidates = [name for name in [*titles, TITLES["cloned"], *policies] if name in policies]
    facts = {
        "worlds": list(frame["env"].unique()), "seeds": sorted({run.seed for run in runs}),
        "reference": candidates[0] if candidates else "", "policies": policies,
        "git_commit": commits_known(commits_of(runs)),
    }  # fmt: skip
    outcomes = Outcomes(
        frame,
        pd.DataFrame(costs, columns=list(COSTS)).drop_duplicates(["env", "policy", "run_seed"]),
        pd.DataFrame(curves, columns=list(CURVES)).drop_duplicates(
            ["env", "policy", "run_seed", "iteration"]
        ),
        pd.DataFrame(columns=list(CELLS)),
    )
    return Comparison(facts, outcomes)


def _policy_labels(run: Run, setting: Setting) -> dict[str, str]:
    """Policy -> its title, with what is different about its setting."""
    labels = {}
    for policy, title in policy_titles(run).items():
        own = policy not in TITLES or (setting.clones and policy != "base")
        labels[policy] = f"{title}, {setting.label}" if setting.label and own else title
    return labels


def _curves(run: Run, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """A row per iteration of training whose metrics say how many episodes were played."""
    rows = []
    for method, i, episodes, metrics in training_iterations(run, unrecorded=float("nan")):
        policy = labels.get(method, method)
        values = (run.config.get("env"), policy, run.seed, i, episodes, metrics.get("success"))
        rows.append(dict(zip(CURVES, values, strict=True)))
    return rows


def _costs(run: Run, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """Wall seconds of every method's own training; what else a grid knows of its arms is not recorded."""
    tasks = run.provenance["stages"].get("ppo", {}).get("tasks", {})
    rows = []
    for method, label in labels.items():
        if f"ppo: {method}" in tasks:
            known = {"env": run.config.get("env"), "policy": label, "run_seed": run.seed}
            rows.append(dict.fromkeys(COSTS, float("nan")) | known | {"seconds": tasks[f"ppo: {method}"]})
    return rows
