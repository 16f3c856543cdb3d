"""Items of OpenAI's Responses API as chat messages; Codex sessions and NeMo Gym rollouts hold them."""

from collections.abc import Iterable, Iterator
from typing import Any

from spa_lab.importers.adapter import objects, rest
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row

CALLS = ("function_call", "custom_tool_call", "local_shell_call")
REPLIES = ("function_call_output", "custom_tool_call_output", "local_shell_call_output")


def messages_of(items: Iterable[Row], ledger: Ledger) -> Iterator[Row]:
    """Thoughts, texts and calls of the agent up to the next reply are one message."""
    turn: Row | None = None
    for item in items:
        kind = item.get("type", "message")
        is_agents = kind == "reasoning" or kind in CALLS
        if is_agents or (kind == "message" and item.get("role") == "assistant"):
            turn = turn or {"role": "assistant", "content": [], "tool_calls": [], "reasoning_content": ""}
            _extend(turn, item, kind, ledger)
            continue
        if turn:
            yield turn
            turn = None
        if kind == "message":
            yield rest(item, "type")
        elif kind in REPLIES:
            yield {"role": "tool", "tool_call_id": item.get("call_id"), "content": _text(item.get("output"))}
        else:
            ledger.drop(f"item {kind!r}", "neither a message nor a call nor a reply")
    if turn:
        yield turn


def _extend(turn: Row, item: Row, kind: str, ledger: Ledger) -> None:
    if kind == "message":
        content = item.get("content")
        turn["content"] += content if isinstance(content, list) else [content]
    elif kind == "reasoning":
        texts = [part.get("text") for part in objects(item.get("summary")) + objects(item.get("content"))]
        thought = "\n".join(filter(None, [turn["reasoning_content"], *texts]))
        turn["reasoning_content"] = thought
        if item.get("encrypted_content"):
            ledger.drop("reasoning", "encrypted")
    else:
        arguments = item.get("arguments", item.get("input", item.get("action")))
        call = {"id": item.get("call_id"), "name": item.get("name", "shell"), "arguments": arguments}
        turn["tool_calls"].append(call)
    extra = {key: item[key] for key in ("id", "status", "phase") if item.get(key)}
    if extra:
        turn["items"] = [*turn.get("items", []), extra]


def _text(output: Any) -> Any:
    return output.get("content", "") if isinstance(output, dict) else output
