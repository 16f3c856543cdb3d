"""Logs of Inspect (AISI): JSON with `samples`, or an `.eval` archive; a sample an episode."""

from collections.abc import Mapping
from typing import Any

from spa_lab.importers.adapter import NoEpisode, missing, objects, record_adapter, rest
from spa_lab.importers.attachments import with_attachments
from spa_lab.importers.chat import add_fields
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.messages import episode_of
from spa_lab.importers.outcomes import number
from spa_lab.importers.rows import Row

GRADES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
"""Inspect's letters: correct, partial, incorrect, no answer."""


def why_not(record: Mapping[str, Any]) -> str:
    """What was evaluated, and samples with messages."""
    if said := missing(record, eval=dict, samples=list):
        return said
    return "" if objects(record["samples"]) else "'samples' holds no samples"


def episode(record: Row, ledger: Ledger) -> list[Row]:
    """The first score of a sample is its outcome; epochs of a sample share its id, so that is the task's."""
    rows = []
    shared = ledger.carry(rest(record, "samples"), "header.")
    model = record["eval"].get("model")
    for sample in record["samples"]:
        try:
            row = _sample(sample, ledger)
        except NoEpisode as error:
            ledger.drop("sample", str(error))
            continue
        row["meta"] = row.get("meta", {}) | {"header": shared}
        rows.append(row | ({"policy": model} if isinstance(model, str) else {}))
    return rows


def _sample(sample: Row, ledger: Ledger) -> Row:
    attached = sample.get("attachments") or {}
    sample = with_attachments(sample, attached) if isinstance(attached, dict) else sample
    plain = rest(sample, "messages", "id", "events", "attachments", "message_pool")
    if sample.get("message_pool"):
        ledger.drop("message_pool", "holds the messages again", len(sample["message_pool"]))
    if sample.get("events"):
        ledger.drop("events", "tell the messages again, with what happened inside", len(sample["events"]))
    if isinstance(sample.get("input"), str):
        plain["instruction"] = plain.pop("input")
    scores = sample.get("scores") or {}
    for score in scores.values():
        value = score.get("value") if isinstance(score, dict) else None
        plain["outcome"] = GRADES.get(value, number(value)) if isinstance(value, str) else number(value)
        break
    task = str(sample.get("id", ""))
    plain |= {"id": f"{task}/epoch-{sample['epoch']}" if "epoch" in sample else task, "task_id": task}
    if sample.get("limit"):
        plain["is_truncated"] = True
    return add_fields(episode_of(sample.get("messages") or [], ledger), plain, ledger)


ADAPTER = record_adapter("Inspect evaluation log", why_not, episode)
