"""Items of OpenAI's Responses API as chat messages; Codex sessions and NeMo Gym rollouts hold them."""

from collections.abc import Iterable, Iterator
from typing import Any

from spa_lab.importers.adapter import as_text, objects, rest
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row

_ARGUMENTS = ("arguments", "input", "action", "queries", "code")
_OUTPUTS = ("output", "results", "outputs", "error", "result")


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
            said = {"role": "tool", "tool_call_id": item.get("call_id"), "content": _text(item.get("output"))}
            yield rest(item, "type", "call_id", "output") | said
        else:
            ledger.drop(f"item {kind!r}", "neither a message nor a call nor a reply")
    if turn:
        yield turn


def _extend(turn: Row, item: Row, kind: str, ledger: Ledger) -> None:
    """Add an item to a message of the agent; fields that are not read are kept, a row an item."""
    used: tuple[str, ...] = ("content",)
    if kind == "message":
        content = item.get("content")
        turn["content"] += content if isinstance(content, list) else [content] * (content is not None)
    elif kind == "reasoning":
        texts = [part.get("text") for part in objects(item.get("summary")) + objects(item.get("content"))]
        thought = "\n".join(filter(None, [turn["reasoning_content"], *texts]))
        turn["reasoning_content"] = thought
        used = ("summary", "content", "encrypted_content")
        if item.get("encrypted_content"):
            ledger.drop("reasoning", "encrypted")
    else:
        used = _add_call(turn, item, kind)
    extra = {key: value for key, value in rest(item, "type", "role", *used).items() if value or value == 0}
    if extra:
        turn["items"] = [*turn.get("items", []), extra]


def _add_call(turn: Row, item: Row, kind: str) -> tuple[str, ...]:
    """Add a call, and its reply where it is in the same item; returns the fields that were read."""
    name = item.get("name") or kind.removesuffix("_call").removeprefix("local_")
    told = next((key for key in _ARGUMENTS if item.get(key) is not None), "")
    call = {"id": item.get("call_id") or item.get("id"), "name": name, "arguments": item.get(told)}
    turn["tool_calls"].append(call)
    given = next((key for key in _OUTPUTS if item.get(key)), "")  # tools that run at the provider
    if given:
        said = [{"type": "image"}] if kind == "image_generation_call" else as_text(item[given])
        turn["content"].append({"type": "tool_result", "tool_use_id": call["id"], "content": said})
    return "name", "call_id", told, given


def _text(output: Any) -> Any:
    if isinstance(output, dict) and output.get("type") == "computer_screenshot":
        return [{"type": "image"}]
    return output.get("content", as_text(output)) if isinstance(output, dict) else output
