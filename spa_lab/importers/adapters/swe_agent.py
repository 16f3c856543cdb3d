"""SWE-agent: `trajectory` of thought, action and observation, or the messages of `history`."""

from collections.abc import Mapping
from typing import Any

from spa_lab.importers.adapter import NoEpisode, objects, record_adapter, rest
from spa_lab.importers.chat import add_fields
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.messages import episode_of
from spa_lab.importers.rows import Row


def why_not(record: Mapping[str, Any]) -> str:
    """Steps with a thought, or a history whose messages name their agent."""
    steps = objects(record.get("trajectory"))
    history = objects(record.get("history"))
    # an environment's log may have both, too, but no text of the model
    told = [step for step in steps if "thought" in step or "response" in step]
    if told and all("action" in step and "observation" in step for step in steps):
        return ""
    marked = history and any("message_type" in message or "agent" in message for message in history)
    return "" if marked else "neither 'trajectory' of actions nor 'history' with 'agent'"


def episode(record: Row, ledger: Ledger) -> Row:
    """The steps; `history` then only gives the opening."""
    steps, history = objects(record.get("trajectory")), objects(record.get("history"))
    row: Row = {"steps": []}
    if history:
        opening = Ledger() if steps else ledger
        row = episode_of(history, opening)
        ledger.system_prompts += opening.system_prompts if steps else 0
    if steps:
        ledger.drop("history", "tells the steps of 'trajectory' again", bool(history))
        ledger.drop("query", "the messages before a step, told again at every step",
                    sum("query" in step for step in steps))  # fmt: skip
        row["steps"] = [_step(step, ledger) for step in steps]
    if not row["steps"]:
        raise NoEpisode("no step of the agent")
    return add_fields(row, rest(record, "trajectory", "history"), ledger)


def _step(given: Row, ledger: Ledger) -> Row:
    step = {"thought": str(given.get("thought") or "").strip(), "action": str(given["action"] or "").strip()}
    text = {"text": given["response"]} if isinstance(given.get("response"), str) and given["response"] else {}
    used = ("thought", "action", "observation", "query", *(["response"] if text else []))
    meta = ledger.carry(rest(given, *used), "step.")
    return text | step | {"observation": str(given["observation"] or ""), "meta": meta}


ADAPTER = record_adapter("SWE-agent", why_not, episode)
