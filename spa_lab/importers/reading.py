"""A log of any known format as trajectories, credits, meta and a ledger."""

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from spa_lab.importers import styles
from spa_lab.importers.adapter import MALFORMED, Adapter, Found
from spa_lab.importers.adapters import ADAPTERS, adapter_named
from spa_lab.importers.annotations import Annotations, keep_incomplete
from spa_lab.importers.documents import Document, documents
from spa_lab.importers.identities import settle_ids
from spa_lab.importers.imported import Imported
from spa_lab.importers.ledger import Ledger, counted
from spa_lab.importers.logged_numbers import take_numbers
from spa_lab.importers.mapping import mapped
from spa_lab.importers.nesting import inner_documents
from spa_lab.importers.outcomes import outcome_hints, settle_outcomes
from spa_lab.importers.rows import Row, trajectory_of, unknown_notes
from spa_lab.importers.verdicts import add_verdict
from spa_lab.plugins import is_object_path

_OWN = frozenset({"steps", "spa-lab"})
"""Formats of this package: no step is left out. Asked for by name they are read strictly: an outcome outside
of [0, 1] and a repeated id are errors."""

MAPPING = """\
Names of fields make it fit: --map steps=PATH --map step.action=FIELD --map step.observation=FIELD \
--map outcome=PATH
Or a function of your own. In a file my_log.py in this folder:
    def episode(record):
        turns = record["turns"]
        steps = [{"text": turn["agent"], "observation": turn["reply"]} for turn in turns]
        return {"id": record["id"], "outcome": record["reward"], "steps": steps}
then: spa-lab import FILE --format my_log:episode --out DIR   (fields of a row: spa_lab/importers/steps.py)"""


class UnknownFormat(ValueError):
    """No format fits; the message has several lines."""

    has_lines = True
    """For the command line, whose other errors are one line."""


@dataclass(frozen=True)
class ImportOptions:
    """How a log is read."""

    format: str | None = None
    """Key of `ADAPTERS` or "module:function"; detected from the content if None."""
    strict: bool = False
    """Whether a loss or an assumption is an error."""
    action: str | None = None
    """Regular expression of the action in a step's text; the style is detected if None."""
    outcome: str | None = None
    """Field of the log that holds the outcome, dotted as in `meta`; the adapter's choice if None."""
    scale: tuple[float, float] | None = None
    """Range of the outcomes in the log, mapped to [0, 1]; found from the outcomes if None."""
    map: Mapping[str, str] = field(default_factory=dict)
    """Field of a row or, after "step.", of a step -> dotted path in the log, see `importers.mapping`."""


def read_log(what: Any, options: ImportOptions = ImportOptions()) -> Imported:
    """Read a log: a path, several, a folder, or rows in memory.

    Args:
        what: see `importers.documents.documents`.
        options: how to read it.

    Raises:
        UnknownFormat: no format fits.
        LossError: `options.strict`, and something would be lost or assumed.
        StoreError: a file is missing or cannot be read.
        ValueError: a file is broken, a row is bad (names file and line), or nothing holds a trajectory.
    """
    with _paused_collector():
        return _read(what, options)


@contextmanager
def _paused_collector() -> Iterator[None]:
    """Without the garbage collector of cycles, which would walk through millions of objects without one."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _read(what: Any, options: ImportOptions) -> Imported:
    ledger = Ledger()
    found, failures = _found(what, ledger, options)
    # of several files some may hold no trajectory; a file that is named alone may not
    if not found or (failures and isinstance(what, str) and what == "-"):
        raise failures[0] if len(failures) == 1 else ValueError(_all_failed(failures))
    ledger.skipped += [" ".join(str(error).splitlines()[0].split()) for error in failures]
    imported = _finish(found, ledger, options)
    if options.strict:
        ledger.check_strict()
    return imported


def _found(what: Any, ledger: Ledger, options: ImportOptions) -> tuple[list[Found], list[ValueError]]:
    """The rows of all files, and why others have none; the records themselves can be freed after this."""
    found: list[Found] = []
    failures: list[ValueError] = []
    for document in documents(what):
        try:
            if isinstance(document, ValueError):
                raise document
            part = Ledger()  # a file that fails leaves no counts
            found += _read_document(document, part, options)
            ledger.add(part)
        except ValueError as error:
            failures.append(error)
    return found, failures


def _all_failed(failures: Sequence[ValueError]) -> str:
    if not failures:
        return "there is nothing to read"
    return f"none of {len(failures)} files holds a trajectory: " + "; ".join(
        str(error).splitlines()[0] for error in failures[:5]
    )


def _read_document(document: Document, ledger: Ledger, options: ImportOptions) -> list[Found]:
    """The rows of a document, with thought and action read from their texts."""
    name, adapter, document, around = _adapter_for(document, options)
    notes = [*document.notes, *document.remarks]
    for cut in document.notes:
        ledger.drop("line", cut)
    try:
        rows = list(adapter.episodes(document, ledger))
    except MALFORMED as error:
        raise ValueError(f"{document.name}: not as in a log of this format: {error!r:.200}") from error
    if not rows:
        lost = counted(ledger.dropped)
        raise ValueError(f"{document.name}: {adapter.title}, holds no trajectory: {lost}")
    add_verdict([row for _, row in rows], document, ledger)
    if around:
        rows[0][1]["meta"] = rows[0][1].get("meta", {}) | {"file": ledger.carry(around, "file.")}
    if name not in _OWN:
        n_openings = sum(_drop_acknowledgement(row) for _, row in rows)
        if n_openings:
            why = "an acknowledgement of the manual, no step; its credit is a base value"
            ledger.drop("first turn 'OK'", why, n_openings)
    take_numbers([row for _, row in rows], ledger)
    notes += _read_actions([row for _, row in rows], options.action, document.name)
    entry = {"name": document.name, "form": document.form, "format": name, "title": adapter.title}
    ledger.files.append(entry | {"episodes": len(rows), "notes": notes})
    return [Found(where, row, options.format in _OWN) for where, row in rows]


def _adapter_for(document: Document, options: ImportOptions) -> tuple[str, Adapter, Document, Row]:
    """The adapter that was asked for, or the first that fits, what it fits, and the fields around that."""
    wanted, tried = options.format, []
    for level, around in _levels(document, options.map):
        if wanted is None:
            for name, adapter in ADAPTERS.items():
                if not _why_not(adapter, level):
                    return name, adapter, level, around
            tried.append(level)
            continue
        adapter = adapter_named(wanted)
        if is_object_path(wanted) or not _why_not(adapter, level):
            return wanted, adapter, level, around
        tried.append(level)
    if wanted is None:
        raise _unknown(tried[0])
    reason = _why_not(adapter_named(wanted), tried[0])
    raise ValueError(f"{document.name}: not of the format {wanted}: {reason}")


def _levels(document: Document, maps: Mapping[str, str]) -> Iterator[tuple[Document, Row]]:
    """The document, then what it holds one level deeper; with a mapping those levels that it fits."""
    if not maps:
        yield document, {}
        yield from inner_documents(document)
        return
    failure: ValueError | None = None
    n_fitting = 0
    for level, around in _levels(document, {}):
        try:
            yield mapped(level, maps), around
            n_fitting += 1
        except ValueError as error:
            failure = failure or error
    if failure and not n_fitting:
        raise failure


def _unknown(document: Document) -> UnknownFormat:
    """What was found, what was tried, and what to do."""
    tried = [f"  {name:<20} {_why_not(adapter, document)}" for name, adapter in ADAPTERS.items()]
    found = f"{document.name}: {document.form} of {len(document.records)} records"
    fields = document.records[0] if document.records else None
    if isinstance(fields, dict):
        found += f", the first with the fields {', '.join(map(str, fields))}"[:400]
    return UnknownFormat("\n".join([f"no known format fits {found}", "tried:", *tried, MAPPING]))


def _why_not(adapter: Adapter, document: Document) -> str:
    try:
        return adapter.why_not(document)
    except MALFORMED as error:  # a field of a type that no log of this format has
        return f"{error!r:.80}"


def _drop_acknowledgement(row: Row) -> bool:
    """Leave out a first turn "OK", as in the prompts of ETO and SPA-RL; whether there was one.

    What its reply says is the first observation. Credits that have a number for it keep it as base value.
    """
    steps = row["steps"]
    if len(steps) < 2 or str(steps[0].get("text", "")).strip().rstrip(".!").lower() != "ok":
        return False
    first = steps.pop(0)
    opening = (row.get("initial_observation", ""), first.get("observation", ""))
    row["initial_observation"] = "\n".join(filter(None, opening))
    for source, values in row.get("credits", {}).items():
        if len(values) == len(steps) + 1:
            row["credits"][source] = values[1:]
            row.setdefault("base_values", {})[source] = values[0]
    for values in row.get("labels", {}).values():
        if len(values) == len(steps) + 1:
            del values[0]
    return True


def _read_actions(rows: Sequence[Row], pattern: str | None, name: str) -> list[str]:
    """Fill thought and action of the steps that have only text; the note says in which style."""
    written = [step for row in rows for step in row["steps"] if "text" in step]
    for step in written:
        thinking, _ = styles.without_thinking(str(step["text"]))
        if "action" in step and thinking:
            step.setdefault("thought", thinking)
    steps = [step for step in written if "action" not in step]
    if not steps:
        return []
    texts = [str(step["text"]) for step in steps]
    if pattern is None:
        style, parser, n_fits = styles.detect(texts)
        said = f"read by {style}"
    else:
        parser = styles.by_pattern(pattern)
        n_fits = sum(parser(styles.without_thinking(text)[1]) is not None for text in texts)
        said = f"read by the pattern {pattern}"
    for step, text in zip(steps, texts, strict=True):
        thought, action = styles.parse(text, parser)
        step["thought"], step["action"] = step.get("thought", thought), action
    name = name.rpartition("/")[2]
    if not n_fits:
        return [f"{name}: no action found in {len(texts)} plain texts (--action REGEX finds one)"]
    return [f"{name}: actions of plain texts {said} ({n_fits} of {len(texts)} texts)"]


def _finish(found: list[Found], ledger: Ledger, options: ImportOptions) -> Imported:
    """Checked trajectories and credits of all rows."""
    settle_outcomes(found, ledger, options.outcome, options.scale)
    settle_ids(found, ledger)
    trajectories, said, meta = [], Annotations(), {}
    for where, row, _ in found:
        keep_incomplete(row, ledger)
        extra = row.pop("meta", {})
        inner = {str(t): step.pop("meta") for t, step in enumerate(row["steps"]) if "meta" in step}
        try:
            trajectory = trajectory_of(row, where)
            said.add(row, trajectory, ledger)
        except ValueError as error:
            raise ValueError(f"{where}: {str(error)[:1000]}") from error  # ids of a log may be of any length
        trajectories.append(trajectory)
        if extra or inner:
            meta[trajectory.id] = extra | ({"steps": inner} if inner else {})
    steps = [step for trajectory in trajectories for step in trajectory.steps]
    ledger.episodes, ledger.steps = len(trajectories), len(steps)
    ledger.empty_actions = sum(not step.action for step in steps)
    ledger.thoughts = sum(bool(step.thought) for step in steps)
    ledger.notes += unknown_notes(trajectories) + outcome_hints(trajectories, meta)
    return said.imported(trajectories, ledger.all_notes(), ledger, meta)
