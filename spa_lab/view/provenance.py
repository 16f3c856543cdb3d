"""Provenance of figures: n, seeds, rollouts, settings, commit; for their metadata and their captions."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from spa_lab.store import Run
from spa_lab.store.provenance import git_commit, versions

UNKNOWN = "unknown"
"""In the place of a commit that was not noted."""


def provenance_of(runs: Sequence[Run]) -> dict[str, Any]:
    """Provenance of figures of these runs: plain JSON values; lists have one entry per run.

    Except "git_commit": each commit once, those that resumed a run included.
    """
    known = [run.provenance for run in runs]
    preset = known[0]["config"].get("preset")
    return {
        "config": known[0]["config"],
        "runs": [run.path.name for run in runs],
        "seeds": [run.seed for run in runs],
        "n": known[0].get("n"),
        "n_seeds": len({run.seed for run in runs}),
        "rollouts": preset.get("rollouts_per_task") if isinstance(preset, dict) else None,
        "device": [facts.get("device") for facts in known],
        "git_commit": commits_known(commits_of(runs)),
        "versions": known[0].get("versions", {}),
    }


def described(facts: Mapping[str, Any], *, seeds: Sequence[int], n: int) -> dict[str, Any]:
    """Provenance of figures of what is no run: a report, or curves of controls.

    Args:
        facts: what is known; under "git_commit" the commits of its runs, a list, where these are known.
        seeds: of its runs.
        n: tasks.
    """
    known = {"config": {}, "n": n, "n_seeds": len(seeds), "seeds": list(seeds), "rollouts": None}
    # the commit of the drawing says nothing of the runs, and has a place of its own
    drawn = {"git_commit": git_commit(), "versions": versions()}
    return {"git_commit": [], **facts, **known, "drawn_with": drawn}


def commits_of(runs: Iterable[Run]) -> set[str | None]:
    """Commits of the code that made runs, those that resumed them included; None where one is not known."""
    facts = [run.provenance for run in runs]
    return {source.get("git_commit") for one in facts for source in (one, *one.get("resumed_with", []))}


def commits_known(commits: Iterable[str | None]) -> list[str]:
    """Commits of several runs, each once; `UNKNOWN` among them where some are not known; [] where none is."""
    distinct = {commit or UNKNOWN for commit in commits}
    return sorted(distinct) if distinct - {UNKNOWN} else []


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
    # "-dirty" stays: the commit alone does not reproduce these numbers
    commits = {commit[:10] + commit[40:] for commit in commits_known(known["git_commit"])}
    return "; ".join([*parts, f"commit {', '.join(sorted(commits)) or UNKNOWN}"]) + "."
