"""Exports of this package: chats, ShareGPT or ATIF with all else under `spa_lab`, read without a loss."""

import json
from collections.abc import Mapping
from typing import Any

from spa_lab.importers.adapter import objects, record_adapter
from spa_lab.importers.adapters.steps import row_of
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row


def why_not(record: Mapping[str, Any]) -> str:
    """A part `spa_lab` with the steps, in the record or in its `extra`."""
    if "spa_lab" not in record and not isinstance(record.get("extra"), dict):
        return "no 'spa_lab'"
    return "" if _extension(record) else "no 'spa_lab' with a version and steps"


def episode(record: Row, ledger: Ledger) -> Row:
    """The texts are those of the chat, everything else is in the extension."""
    row = dict(_extension(record))
    if row.pop("version") != 1:
        raise ValueError("'spa_lab' of another version, expected 1")
    opening, turns = _told(record)
    if len(turns) != len(row["steps"]):
        raise ValueError(f"'spa_lab' has {len(row['steps'])} steps, the chat {len(turns)} turns of the agent")
    row.setdefault("initial_observation", opening)
    both = zip(row["steps"], turns, strict=True)
    row["steps"] = [step | {"text": text, "observation": reply} for step, (text, reply) in both]
    ledger.system_prompts += "system_prompt" in row.get("meta", {})
    unknown = {"outcome"} - row.keys() | {name for name in ("success",) if row.get(name, "") is None}
    return row_of(row, ledger) | dict.fromkeys(unknown)


def _extension(record: Mapping[str, Any]) -> Row:
    """The part of this package; empty without one."""
    found = record.get("spa_lab", (record.get("extra") or {}).get("spa_lab"))
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except (ValueError, RecursionError):
            return {}
    good = isinstance(found, dict) and "version" in found and objects(found.get("steps"))
    return found if good else {}


def _told(record: Row) -> tuple[str, list[tuple[str, str]]]:
    """The opening, and text and reply of every turn of the agent."""
    if "messages" in record:
        said = [(message["role"], message["content"]) for message in record["messages"]]
    elif "conversations" in record:
        names = {"human": "user", "gpt": "assistant", "system": "system"}
        said = [(names[turn["from"]], turn["value"]) for turn in record["conversations"]]
    else:
        first, *steps = (step for step in record["steps"] if step["source"] != "system")
        none = {"results": [{"content": ""}]}
        replies = [step.get("observation", none)["results"][0]["content"] for step in steps]
        texts = [step["message"] for step in steps]
        return first["message"], list(zip(texts, replies, strict=True))
    said = [(role, text) for role, text in said if role != "system"]
    texts = [text for role, text in said if role == "assistant"]
    others = [text for role, text in said if role != "assistant"] + [""]
    return others[0], list(zip(texts, others[1:], strict=False))


ADAPTER = record_adapter("export of spa_lab", why_not, episode)
