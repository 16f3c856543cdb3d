"""`spa-lab figures`: all figures for a paper that finished runs allow; runs of several seeds are pooled."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spa_lab.pipeline.paper_figures import MAKERS, Asked, LeftOut
from spa_lab.store import Run
from spa_lab.view.provenance import in_words, provenance_of


def figures(*, runs: Sequence[Path], out: Path, asked: Asked | None = None, in_caption: bool = False) -> str:
    """Write all figures and tables that the runs allow.

    Args:
        runs: folders of finished runs of one setting; those that differ in their seed alone are pooled.
        out: folder for the files; made if missing.
        asked: what to draw.
        in_caption: close every caption with n, seeds, rollouts, preset and commit.

    Returns:
        What was written, and what was left out and why.

    Raises:
        ValueError: no run, runs of different settings, or a trajectory or source that no run has.
        StoreError: a folder is no run, or the disk refused.
    """
    opened = [Run.open(path) for path in runs]
    _check_alike(opened)
    asked = asked or Asked()
    provenance = provenance_of(opened)
    lines, missing = [], []
    for make in MAKERS:
        for found in make(opened, asked):
            if isinstance(found, LeftOut):
                missing.append(f"left out: {found.name}: {found.why}")
                continue
            sentence = in_words(provenance | dict(found.facts)) if in_caption else ""
            files = found.save(out, provenance, in_caption=sentence)
            lines.append(
                f"{found.name:<24} {', '.join(path.name.removeprefix(found.name) for path in files)}"
            )
    head = f"{len(lines)} figures in {out}, {'one column' if asked.columns == 1 else 'two columns'} wide"
    return "\n".join([head, "", *lines, *([""] if missing else []), *missing])


def _check_alike(runs: Sequence[Run]) -> None:
    """Runs whose settings differ are different methods, not different seeds of one."""
    if not runs:
        raise ValueError("figures: needs at least 1 run, got 0")
    first = runs[0]
    for run in runs[1:]:
        for key in ("env", "preset"):
            there, here = first.config.get(key), run.config.get(key)
            if there != here:
                raise ValueError(
                    f"{run.path}: {_difference(key, here, there)} in {first.path}; "
                    "only runs of one setting are drawn together"
                )


def _difference(key: str, here: Any, there: Any) -> str:
    """The first setting that differs: `preset.ppo.lr is 0.1, but 0.2`."""
    if isinstance(here, dict) and isinstance(there, dict):
        name = next(name for name in here | there if here.get(name) != there.get(name))
        return _difference(f"{key}.{name}", here.get(name), there.get(name))
    return f"{key} is {json.dumps(here):.40}, but {json.dumps(there):.40}"
