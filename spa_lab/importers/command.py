"""The command `spa-lab import`: reads logs, prints the ledger."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from spa_lab.importers import import_log
from spa_lab.importers.adapters import ADAPTERS, ALIASES
from spa_lab.importers.mapping import parse_maps


def run_import(options: argparse.Namespace) -> str:
    """Import what the command line names; what to print.

    Raises:
        ValueError: as `import_log`.
        StoreError: as `import_log`.
    """
    kind, files = _split(options.format, options.files)
    scale = tuple(options.scale) if options.scale else None
    run, imported = import_log(
        kind, files, options.out, strict=options.strict, action=options.action, outcome=options.outcome,
        scale=scale, map=parse_maps(options.map),
    )  # fmt: skip
    n_successes = sum(trajectory.success is True for trajectory in imported.trajectories)
    sources = ", ".join(dict.fromkeys(credit.source for credit in imported.credits)) or "none"
    total = f"{len(imported.trajectories)} trajectories, {n_successes} successes, credit sources: {sources}"
    return "\n".join([total, imported.ledger.render(), f'inspect it: spa_lab.inspect("{run.path}")'])


def _split(kind: str | None, files: Sequence[str]) -> tuple[str | None, list[str]]:
    """Format and files; as the first word, before a file, the name of a format is still understood."""
    named = kind is None and len(files) > 1 and (files[0] in ADAPTERS or files[0] in ALIASES)
    if named and not Path(files[0]).exists():
        return files[0], list(files[1:])
    return kind, list(files)
