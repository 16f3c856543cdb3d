"""Outcomes that lie beside a log: the verifier's reward in the folder of a Harbor trial."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from spa_lab.importers.adapter import Adapter, Located
from spa_lab.importers.documents import Document
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.outcomes import number, outcome_in


def with_verdict(adapter: Adapter) -> Adapter:
    """The adapter; a row without an outcome gets that of the trial whose folder the file lies in."""

    def episodes(document: Document, ledger: Ledger) -> Iterator[Located]:
        verdict = verdict_beside(document.path)
        for where, row in adapter.episodes(document, ledger):
            if row.get("outcome") is None and verdict:
                ledger.notes.append(f"{document.name}: the outcome is {verdict[0]} of the trial")
                row["outcome"] = verdict[1]
            yield where, row

    return replace(adapter, episodes=episodes)


def verdict_beside(path: Path | None) -> tuple[str, float] | None:
    """Name of the file and reward for TRIAL/agent/trajectory.json, or None.

    The verifier writes one number into TRIAL/verifier/reward.txt, or named numbers into reward.json.
    """
    if path is None:
        return None
    for name in ("reward.txt", "reward.json"):
        file = path.absolute().parent.parent / "verifier" / name
        try:
            text = file.read_text(encoding="utf-8")
            found = json.loads(text) if name.endswith("json") else text.strip()
        except (OSError, ValueError, RecursionError):
            continue
        reward = outcome_in(found)[1] if isinstance(found, dict) else number(found)
        if reward is not None:
            return f"verifier/{name}", reward
    return None
