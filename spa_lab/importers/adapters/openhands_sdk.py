"""Events of the OpenHands SDK ("kind": "ActionEvent", ...): a list or JSON lines; one episode a file."""

from collections.abc import Iterator
from typing import Any

from spa_lab.importers.adapter import Adapter, Located, NoEpisode, objects, rest
from spa_lab.importers.documents import Document
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.messages import episode_of
from spa_lab.importers.rows import Row


def why_not(document: Document) -> str:
    """Events with their kind, one of them an action or a message."""
    kinds = {str(event.get("kind")) for event in objects(document.records)}
    return (
        "" if kinds & {"ActionEvent", "MessageEvent"} else "no events of 'kind' ActionEvent or MessageEvent"
    )


def episodes(document: Document, ledger: Ledger) -> Iterator[Located]:
    """One row a file; actions of one response of the model are one step."""
    messages: list[Row] = []
    for event in document.records:
        message = _message(event)
        response = (message or {}).get("llm_response_id")
        if message is None:
            ledger.drop(f"event {event.get('kind')!r}", "neither an action nor a reply")
        elif response and messages and messages[-1].get("llm_response_id") == response:
            _join(messages[-1], message)
        else:
            messages.append(message)
    try:
        yield document.name, episode_of(messages, ledger)
    except NoEpisode as error:
        ledger.drop("events", str(error))


def _join(first: Row, more: Row) -> None:
    """Add an action to the first of its response; what else is said of it is kept under "actions"."""
    first["tool_calls"] += more["tool_calls"]
    thoughts = [
        one if isinstance(one, list) else [one] * bool(one) for one in (first["content"], more["content"])
    ]
    first["content"] = thoughts[0] + thoughts[1]
    first.setdefault("actions", []).append(rest(more, "role", "content", "tool_calls", "llm_response_id"))


def _message(event: Row) -> Row | None:
    """The event as a chat message; None if nobody says it."""
    kind, extra = event.get("kind"), rest(event, "kind", "source")
    if kind == "ActionEvent":
        call = event.get("tool_call") or {"name": event.get("tool_name"), "arguments": event.get("action")}
        call = {"id": event.get("tool_call_id")} | call
        extra = rest(extra, "thought", "tool_call", "action", "tool_name", "tool_call_id")
        return extra | {"role": "assistant", "content": event.get("thought"), "tool_calls": [call]}
    if kind == "MessageEvent":
        return rest(extra, "llm_message") | event["llm_message"]
    if kind == "SystemPromptEvent":
        return rest(extra, "system_prompt") | {"role": "system", "content": event.get("system_prompt")}
    said: Any = event.get("observation") or {"content": event.get("error") or event.get("rejection_reason")}
    if "tool_call_id" not in event or not isinstance(said, dict):
        return None
    extra = rest(extra, "observation", "error") | {"details": rest(said, "content", "kind")}
    return extra | {"role": "tool", "content": said.get("content", said.get("output"))}


ADAPTER = Adapter("OpenHands SDK events", why_not, episodes)
