"""ATIF, the Agent Trajectory Interchange Format of Harbor (1.0 to 1.7): one trajectory a record."""

from collections.abc import Mapping
from typing import Any

from spa_lab.importers.adapter import missing, objects, record_adapter, rest
from spa_lab.importers.chat import add_fields
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.messages import episode_of
from spa_lab.importers.rows import Row

_SOURCES = frozenset({"user", "agent", "system"})
_STEP = ("source", "message", "reasoning_content", "tool_calls", "observation")


def why_not(record: Mapping[str, Any]) -> str:
    """Steps with a source; the version may be "ATIF-v1.7" or "1.4"."""
    if said := missing(record, steps=list):
        return said
    if "schema_version" not in record and not isinstance(record.get("agent"), dict):
        return "neither 'schema_version' nor 'agent'"
    sources = {step.get("source") for step in objects(record["steps"])}
    return "" if sources and sources <= _SOURCES else "steps without 'source' user, agent or system"


def episode(record: Row, ledger: Ledger) -> Row:
    """Messages of the agent are steps; a verdict is read from `extra` if there is one."""
    extra, agent = _object(record, "extra"), _object(record, "agent")
    messages = [message for step in objects(record["steps"]) for message in _messages(step)]
    row = add_fields(episode_of(messages, ledger), rest(record, "steps"), ledger, also=extra)
    identity = record.get("trajectory_id") or record.get("session_id")
    policy = agent.get("model_name") or agent.get("name")
    return row | ({"id": str(identity)} if identity else {}) | ({"policy": str(policy)} if policy else {})


def _object(record: Row, name: str) -> Row:
    found = record.get(name)
    return found if isinstance(found, dict) else {}


def _messages(step: Row) -> list[Row]:
    """A step as a message, and its observation as the tools' replies."""
    role = {"agent": "assistant"}.get(step["source"], step["source"])
    message = rest(step, *_STEP) | {"role": role, "content": step.get("message")}
    if step["source"] == "agent":
        message |= {"reasoning_content": step.get("reasoning_content"), "tool_calls": step.get("tool_calls")}
    results = (step.get("observation") or {}).get("results") or []
    replies = [
        rest(result, "source_call_id")
        | {"role": "tool", "tool_call_id": result.get("source_call_id"), "content": result.get("content")}
        for result in results
    ]
    return [message, *replies]


ADAPTER = record_adapter("ATIF trajectory", why_not, episode)
