"""Where a figure comes from: n, seeds, rollouts, config, commit; for its metadata and for its caption."""

from collections.abc import Mapping, Sequence
from typing import Any

from spa_lab.store import Run


def provenance_of(runs: Sequence[Run]) -> dict[str, Any]:
    """Where the figures of these runs come from: plain JSON values; lists have an entry per run."""
    known = [run.provenance for run in runs]
    preset = known[0]["config"].get("preset")
    return {
        "config": known[0]["config"],
        "runs": [run.path.name for run in runs],
        "seeds": [run.seed for run in runs],
        "n": known[0]["n"],
        "n_seeds": len({run.seed for run in runs}),
        "rollouts": preset.get("rollouts_per_task") if isinstance(preset, dict) else None,
        "device": [one["device"] for one in known],
        "git_commit": [one["git_commit"] for one in known],
        "versions": known[0]["versions"],
    }


def in_words(known: Mapping[str, Any]) -> str:
    """Provenance as a sentence for a caption."""
    preset = known["config"].get("preset")
    name = preset["name"] if isinstance(preset, dict) else preset
    seeds = sorted(set(known["seeds"]))
    parts = [f"n = {known['n']}", f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"]
    if known["rollouts"]:
        parts.append(f"{known['rollouts']} rollouts per task")
    if known.get("branches"):
        parts.append(f"{known['branches']} branches per value")
    parts.append(f"preset {name or 'none'}")
    # "-dirty" stays: the commit alone would not give these numbers again
    commits = sorted({commit[:10] + commit[40:] for commit in known["git_commit"] if commit})
    return "; ".join([*parts, f"commit {', '.join(commits) or 'unknown'}"]) + "."
