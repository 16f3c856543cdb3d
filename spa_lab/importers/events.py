"""Events of OpenHands, actions of the agent and observations, as the row of an episode."""

from typing import Any

from spa_lab.importers.adapter import NoEpisode, objects, rest
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.messages import Call
from spa_lab.importers.rows import Row

_SILENT = frozenset({"change_agent_state", "agent_state_changed", "null", "recall", "condensation"})
"""Events that neither the agent nor the world says."""
_STATE = ("is_input", "blocking", "hidden", "confirmation_state", "security_risk")
"""Arguments that are no part of the action."""


def is_events(value: Any) -> bool:
    """Whether it is a list of events."""
    events = objects(value)
    return bool(events) and all(("action" in e or "observation" in e) and "source" in e for e in events)


def episode_of_events(events: list[Row], ledger: Ledger) -> Row:
    """The row of the events; raises NoEpisode where the agent does nothing."""
    row: Row = {"initial_observation": "", "steps": [], "meta": {}}
    for event in events:
        name, args = event.get("action", event.get("observation")), event.get("args") or {}
        if name in _SILENT:
            ledger.drop(f"event {name!r}", "neither an action nor a reply")
        elif "action" in event and event["source"] == "agent" and name != "system":
            row["steps"].append(_step(event, str(name), args, ledger))
        else:
            _reply(row, event, args, ledger)
    if not row["steps"]:
        raise NoEpisode("no action of the agent among the events")
    return row


def _step(event: Row, name: str, args: Row, ledger: Ledger) -> Row:
    """What the agent says is a text; everything else is a call of its tool."""
    meta = ledger.carry(rest(event, "action", "args", "message"), "event.")
    if name == "message":
        meta |= ledger.carry(rest(args, "content"), "event.args.")
        text = str(args.get("content") or event.get("message") or "")
        return {"text": text, "observation": "", "meta": meta}
    ledger.tool_calls += 1
    meta |= ledger.carry({key: args[key] for key in _STATE if key in args}, "event.args.")
    given = {key: value for key, value in rest(args, "thought", *_STATE).items() if value not in ("", None)}
    called = _called(event.get("tool_call_metadata"))
    if called:
        meta |= ledger.carry(given, "event.args.")
    said = {"thought": str(args.get("thought") or ""), "action": str(called or Call("", name, given))}
    return said | {"observation": "", "meta": meta}


def _called(metadata: Any) -> Call | None:
    """The call as the model wrote it, which became an action of the program; None if it is not kept."""
    metadata = metadata if isinstance(metadata, dict) else {}
    choices = objects((metadata.get("model_response") or {}).get("choices"))
    calls = [call for choice in choices for call in objects((choice.get("message") or {}).get("tool_calls"))]
    wanted = metadata.get("tool_call_id")
    for call in calls:
        function = call.get("function")
        if call.get("id") == wanted and isinstance(function, dict) and isinstance(function.get("name"), str):
            return Call(str(wanted), function["name"], function.get("arguments"))
    return None


def _reply(row: Row, event: Row, args: Row, ledger: Ledger) -> None:
    """What the user or the world says, to the last step or before the first; or the system prompt."""
    text = str(args.get("content") or event.get("content") or event.get("message") or "")
    meta = row["steps"][-1]["meta"] if row["steps"] else row["meta"]
    extra = ledger.carry(rest(event, "args", "content", "message") | rest(args, "content"), "reply.")
    meta.setdefault("replies", []).append(extra)
    if event.get("action") == "system":
        ledger.system_prompts += 1
        meta["system_prompt"] = text
        return
    where, key = (row["steps"][-1], "observation") if row["steps"] else (row, "initial_observation")
    where[key] = "\n".join(filter(None, (where[key], text)))
