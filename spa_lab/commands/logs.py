"""Options of the commands about logs, for the command line; what they do is imported when they run."""

import argparse
from collections.abc import Callable
from pathlib import Path

Add = Callable[..., argparse.ArgumentParser]
"""`cli._add`, bound to the parser's commands: name, function of the options to an exit code, summary."""


def add_log_commands(add: Add) -> None:
    """Add the commands `import`, `export`, `annotate` and `labels`."""
    _add_import(add)
    _add_export(add)
    annotated = add("annotate", _annotate, "add scores or labels of steps, such as a judge's, to a run")
    annotated.add_argument("run", type=Path, metavar="RUN", help="run folder; the numbers are saved there")
    annotated.add_argument(
        "file", type=Path, metavar="FILE", help='records such as {"trajectory_id": "a", "scores": [0.1, -1]}'
    )
    annotated.add_argument("--source", metavar="NAME", help="who gave them (default: what the file says)")
    annotated.add_argument("--labels", action="store_true", help="labels: below 0 harmful, above 0 helpful")
    labelled = add("labels", _labels, "score the credit in a run against the labels of its steps")
    labelled.add_argument("run", type=Path, metavar="RUN", help="run folder that holds labels (annotate)")
    labelled.add_argument("--seed", type=int, default=0, help="of the bootstrap (%(default)s)")


def _add_import(add: Add) -> None:
    imported = add("import", _import, "read logs of other agents into a run folder")
    imported.add_argument("files", nargs="+", metavar="FILE", help="files, folders or - (standard input)")
    imported.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="run folder, made if missing"
    )
    imported.add_argument(
        "--format", metavar="NAME",
        help="of the table in docs/logs.md, or package.module:attribute (default: found from the content)",
    )  # fmt: skip
    imported.add_argument("--strict", action="store_true", help="losses and assumptions are errors")
    imported.add_argument(
        "--map", action="append", default=[], metavar="FIELD=PATH",
        help="a field of a row or, after step., of a step is at this dotted path of the log; repeatable",
    )  # fmt: skip
    imported.add_argument("--action", metavar="REGEX", help="the action in a step's text, its first group")
    imported.add_argument("--outcome", metavar="FIELD", help="of the log, dotted: the outcome")
    imported.add_argument("--scale", type=float, nargs=2, metavar=("LOW", "HIGH"), help="range of outcomes")


def _add_export(add: Add) -> None:
    exported = add("export", _export, "write the episodes of a run, with credit, for other tools")
    exported.add_argument("run", type=Path, metavar="RUN", help="run folder whose episodes are written")
    exported.add_argument(
        "--to", required=True, choices=("openai", "sharegpt", "atif", "parquet", "hf", "tokens")
    )
    exported.add_argument("--out", type=Path, required=True, metavar="PATH", help="file; folder for atif, hf")
    exported.add_argument(
        "--trajectories", nargs="+", default=[], metavar="NAME", help="files of trajectories (default: all)"
    )
    exported.add_argument("--gamma", type=float, default=1.0, help="discount per step (%(default)s)")
    exported.add_argument("--lam", type=float, default=1.0, help="GAE's trace decay per step (%(default)s)")
    exported.add_argument("--model", metavar="NAME", help="tokens: model of the run, or a tokenizer's folder")
    exported.add_argument("--source", metavar="NAME", help="tokens: credit source of the advantages")


def _import(options: argparse.Namespace) -> int:
    from spa_lab.importers.command import run_import

    print(run_import(options))
    return 0


def _annotate(options: argparse.Namespace) -> int:
    from spa_lab.pipeline.labels import annotate

    print(annotate(options.run, options.file, source=options.source, as_labels=options.labels))
    return 0


def _labels(options: argparse.Namespace) -> int:
    from spa_lab.pipeline.labels import labels

    print(labels(options.run, seed=options.seed))
    return 0


def _export(options: argparse.Namespace) -> int:
    from spa_lab.pipeline.export import export_run

    said = export_run(
        options.run, options.to, options.out, names=tuple(options.trajectories), gamma=options.gamma,
        lam=options.lam, model=options.model, source=options.source,
    )  # fmt: skip
    print(said)
    return 0
