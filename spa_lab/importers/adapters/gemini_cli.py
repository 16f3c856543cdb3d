"""Sessions of the Gemini CLI: messages of the types "user" and "gemini", with their calls and thoughts."""

from collections.abc import Iterator

from spa_lab.importers.adapter import as_text, objects, rest
from spa_lab.importers.chat_adapter import chat_adapter
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row

_USED = ("type", "content", "toolCalls", "thoughts")


def _is_entry(entry: Row) -> bool:
    return entry.get("type") in ("user", "gemini", "info", "error", "warning") and "content" in entry


def _messages(entries: list[Row], ledger: Ledger) -> Iterator[Row]:
    """Calls hold their results, which are the replies."""
    for entry in entries:
        if entry["type"] not in ("user", "gemini"):
            ledger.drop(f"message {entry['type']!r}", "said by the program")
            continue
        calls = objects(entry.get("toolCalls"))
        thoughts = [
            ": ".join(filter(None, (as_text(one.get("subject")), as_text(one.get("description")))))
            for one in objects(entry.get("thoughts"))
        ]
        role = "user" if entry["type"] == "user" else "assistant"
        message = {"role": role, "content": entry["content"], "reasoning_content": "\n".join(thoughts)}
        yield rest(entry, *_USED) | message | {"tool_calls": [rest(call, "result") for call in calls]}
        for call in calls:
            result = call.get("result")
            content = result if isinstance(result, list) else as_text(result)
            yield {"role": "tool", "tool_call_id": call.get("id"), "content": content}


ADAPTER = chat_adapter(
    "Gemini CLI session", lambda entry: entry["type"] == "gemini", "no message of the type 'gemini'",
    convert=_messages, is_entry=_is_entry, what="messages of the types user and gemini", names=("messages",),
)  # fmt: skip
