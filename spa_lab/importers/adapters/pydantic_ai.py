"""Histories of Pydantic AI: requests and responses with typed parts."""

from collections.abc import Iterator

from spa_lab.importers.adapter import as_text, objects, rest
from spa_lab.importers.chat_adapter import chat_adapter
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row

_ROLES = {"system-prompt": "system", "user-prompt": "user", "tool-return": "tool", "retry-prompt": "tool"}
_TYPES = {"thinking": "thinking", "text": "text"}


def _is_entry(entry: Row) -> bool:
    parts = objects(entry.get("parts"))
    return entry.get("kind") in ("request", "response") and all("part_kind" in part for part in parts)


def _messages(entries: list[Row], ledger: Ledger) -> Iterator[Row]:
    """A part of a request is a message, and so are its instructions; a response is one with all its parts."""
    instructions = None
    for entry in entries:
        parts, extra = objects(entry.get("parts")), rest(entry, "parts", "kind")
        if entry["kind"] == "request":
            said = extra.pop("instructions", None)  # every request repeats them
            if said not in (None, "", instructions):
                instructions = said
                yield {"role": "system", "content": as_text(said)}
            for part in parts:
                role = _ROLES.get(part["part_kind"], "user")
                role = role if role != "tool" or part.get("tool_call_id") else "user"
                content = part.get("content")
                content = content if isinstance(content, list) and role == "user" else as_text(content)
                fields = extra | rest(part, "part_kind", "content", "timestamp")
                yield fields | {"role": role, "content": content}
                extra = {}
            continue
        content = [_block(part) for part in parts if part["part_kind"] != "tool-call"]
        calls = [
            {"id": part.get("tool_call_id"), "name": part.get("tool_name"), "arguments": part.get("args")}
            for part in parts
            if part["part_kind"] == "tool-call"
        ]
        yield extra | {"role": "assistant", "content": content, "tool_calls": calls}


def _block(part: Row) -> Row:
    kind = _TYPES.get(part["part_kind"])
    if kind is None:
        return rest(part, "part_kind") | {"type": part["part_kind"]}
    return {"type": kind, kind: as_text(part.get("content"))} | rest(part, "part_kind", "content", "id")


ADAPTER = chat_adapter(
    "Pydantic AI history",
    convert=_messages,
    is_entry=_is_entry,
    what="requests and responses with 'part_kind'",
)
