"""`run.json`: the settings that a run was started with, its provenance, and what is finished."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from spa_lab.store import lines, schema1
from spa_lab.store.files import StoreError, read_text, write_text
from spa_lab.store.lines import SCHEMA, Record

_FIELDS = {"config": dict, "seed": int, "stages": dict}
"""Required in every run.json."""
_SINCE_LATER = "config.method_facts."
"""Settings that runs of earlier versions do not name; theirs are taken as they are."""


def start(path: Path, asked: Record, source: Record) -> None:
    """Write the run.json of a new run.

    Args:
        path: the file.
        asked: `config` and `seed`.
        source: `git_commit` and `versions`.

    Raises:
        StoreError: the folder holds something else, or the disk refused.
    """
    if others := sorted(entry.name for entry in path.parent.glob("*") if not entry.name.startswith(".")):
        raise StoreError(path.parent, f"holds {', '.join(others[:3])} but no run.json; choose another folder")
    begun = {"begun": datetime.now(UTC).isoformat(timespec="seconds")}
    facts = {"device": None, "n": None, "n_seeds": 1} | begun | source
    write(path, {"schema": SCHEMA} | asked | facts | {"methods": {}, "stages": {}})


def resume(path: Path, asked: Record, source: Record) -> None:
    """Check that an existing run has the same settings, and note other versions or another commit in it.

    Raises:
        ValueError: other settings (names each key and both values), a run of schema 1, or a broken file.
        StoreError: the disk refused.
    """
    facts = read(path)
    if facts["schema"] != SCHEMA:
        raise ValueError(
            f"{path}: a run of schema {facts['schema']} can be inspected, drawn and scored, but not "
            "continued; choose another folder"
        )
    known, wanted = _settings(facts), _settings(asked)
    if not any(key.startswith(_SINCE_LATER) for key in known):
        wanted = {key: value for key, value in wanted.items() if not key.startswith(_SINCE_LATER)}
    if differ := differences(known, wanted):
        raise ValueError(f"{path}: started with other settings: {'; '.join(differ)}")
    sources = [{key: facts.get(key) for key in source}, *facts.get("resumed_with", [])]
    if source != sources[-1]:
        write(path, facts | {"resumed_with": [*sources[1:], source]})


def read(path: Path) -> Record:
    """All facts of run.json, of this schema or the previous one.

    Raises:
        StoreError: it cannot be read.
        ValueError: broken JSON, an unknown schema, or a required field is missing or of a wrong type.
    """
    facts = lines.parse(read_text(path), str(path))
    lines.check_schema(facts, str(path), (SCHEMA, schema1.SCHEMA))
    for name, kind in _FIELDS.items():
        if not isinstance(facts.get(name), kind):
            raise ValueError(f"{path}: {name!r} must be a {kind.__name__}, found {facts.get(name)!r:.60}")
    return facts


def write(path: Path, facts: Record) -> None:
    """Replace run.json; raises StoreError if the disk refuses."""
    write_text(path, lines.dump(facts, indent=2) + "\n")


def differences(stored: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """Dotted keys whose values differ as JSON, in which tuples are lists; each with both values in words."""
    known, wanted = (_flat(lines.parse(lines.dump(each), "settings")) for each in (stored, asked))
    return [
        f"{key} is {_shown(known, key)}, asked {_shown(wanted, key)}"
        for key in known | wanted
        if key not in known or key not in wanted or known[key] != wanted[key]
    ]


def as_json(record: Mapping[str, Any]) -> Record:
    """The settings as they read back from run.json; raises ValueError naming what has no JSON form."""
    for key, value in _settings(record).items():
        try:
            lines.dump({key: value})
        except ValueError as error:
            raise ValueError(f"{key} = {value!r:.60}: {error}") from None
    return lines.parse(lines.dump(record), "settings")


def _settings(record: Mapping[str, Any]) -> Record:
    """What must not change when a run is resumed, by dotted key."""
    return _flat({"seed": record["seed"], "config": record["config"]})


def _flat(nested: Mapping[str, Any], prefix: str = "") -> Record:
    flat: Record = {}
    for key, value in nested.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _shown(settings: Record, key: str) -> str:
    return repr(settings[key]) if key in settings else "absent"
