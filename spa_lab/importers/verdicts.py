"""Outcomes that lie beside a log: the reward of a Harbor trial, the result in the folder of an episode."""

import json
from pathlib import Path

from spa_lab.importers.documents import SUFFIXES, Document
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.outcomes import number, outcome_in
from spa_lab.importers.rows import Row
from spa_lab.store.files import disk

_NAMES = ("reward.txt", "reward.json", "result.json")


def add_verdict(rows: list[Row], document: Document, ledger: Ledger) -> None:
    """Give the only row of a file, if it has no outcome, that of the folder that it lies in; in place."""
    if len(rows) != 1 or rows[0].get("outcome") is not None:
        return
    verdict = verdict_beside(document.path)
    if verdict:
        ledger.notes.append(f"{document.name}: the outcome is {verdict[0]} of the trial")
        rows[0]["outcome"] = verdict[1]


def verdict_beside(path: Path | None) -> tuple[str, float] | None:
    """Name of the file and reward for TRIAL/agent/trajectory.json or EPISODE/messages.json, or None.

    The verifier writes one number into TRIAL/verifier/reward.txt, or named numbers into reward.json. The same
    names, and result.json, count beside the log itself where the folder holds no other log.
    """
    if path is None:
        return None
    folder = path.absolute().parent
    places = [folder.parent / "verifier" / name for name in _NAMES[:2]]
    beside = [folder / name for name in _NAMES if name != path.name and (folder / name).is_file()]
    places += beside if beside and _is_alone(path) else []
    for file in places:
        try:
            text = file.read_text(encoding="utf-8")
            found = json.loads(text) if file.suffix == ".json" else text.strip()
        except (OSError, ValueError, RecursionError):
            continue
        reward = outcome_in(found)[1] if isinstance(found, dict) else number(found)
        if reward is not None:
            return f"{file.parent.name}/{file.name}", reward
    return None


def _is_alone(path: Path) -> bool:
    """Whether the folder of a log holds no other log."""
    with disk(path.parent, "read"):
        logs = (one for one in path.absolute().parent.iterdir() if one.suffix in SUFFIXES)
        return all(one.name in (path.name, *_NAMES) for one in logs)
