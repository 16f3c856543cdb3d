"""Items of OpenAI's Responses API as chat messages; Codex sessions and NeMo Gym rollouts hold them."""

from collections.abc import Iterable, Iterator
from typing import Any

from spa_lab.importers.adapter import as_text, objects, rest
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row

_ARGUMENTS = ("arguments", "input", "action", "queries", "code")
_OUTPUTS = ("output", "results", "outputs", "error")


def is_call(kind: str) -> bool:
    """Whether items of a type are calls: "function_call", "web_search_call", "mcp_call", ..."""
    return kind.endswith("_call")


def is_reply(kind: str) -> bool:
    """Whether items of a type are replies to calls."""
    return kind.endswith("_call_output")


def messages_of(items: Iterable[Row], ledger: Ledger) -> Iterator[Row]:
    """Thoughts, texts and calls of the agent up to the next reply are one message."""
    turn: Row | None = None
    for item in items:
        kind = str(item.get("type", "message"))
        is_agents = kind == "reasoning" or is_call(kind)
        if is_agents or (kind == "message" and item.get("role") == "assistant"):
            turn = turn or {"role": "assistant", "content": [], "tool_calls": [], "reasoning_content": ""}
            _extend(turn, item, kind, ledger)
            continue
        if turn:
            yield turn
            turn = None
        if kind == "message":
            yield rest(item, "type")
        elif is_reply(kind):
            yield {"role": "tool", "tool_call_id": item.get("call_id"), "content": _text(item.get("output"))}
        else:
            ledger.drop(f"item {kind!r}", "neither a message nor a call nor a reply")
    if turn:
        yield turn


def _extend(turn: Row, item: Row, kind: str, ledger: Ledger) -> None:
    if kind == "message":
        content = item.get("content")
        turn["content"] += content if isinstance(content, list) else [content] * (content is not None)
    elif kind == "reasoning":
        texts = [part.get("text") for part in objects(item.get("summary")) + objects(item.get("content"))]
        thought = "\n".join(filter(None, [turn["reasoning_content"], *texts]))
        turn["reasoning_content"] = thought
        if item.get("encrypted_content"):
            ledger.drop("reasoning", "encrypted")
    else:
        name = item.get("name") or kind.removesuffix("_call").removeprefix("local_")
        arguments = next((item[key] for key in _ARGUMENTS if item.get(key) is not None), None)
        call = {"id": item.get("call_id") or item.get("id"), "name": name, "arguments": arguments}
        turn["tool_calls"].append(call)
        said = next((item[key] for key in _OUTPUTS if item.get(key)), None)
        if said is not None:  # tools that run at the provider reply in their call
            text = said if isinstance(said, str) else as_text(said)
            reply = {"type": "tool_result", "tool_use_id": call["id"], "content": text}
            turn["content"].append(reply)
    extra = {key: item[key] for key in ("id", "status", "phase") if item.get(key)}
    if extra:
        turn["items"] = [*turn.get("items", []), extra]


def _text(output: Any) -> Any:
    return output.get("content", as_text(output)) if isinstance(output, dict) else output
