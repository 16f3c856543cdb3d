"""Anthropic messages: content in blocks (`tool_use`, `tool_result`, `thinking`), a record an episode."""

from spa_lab.importers.adapter import objects
from spa_lab.importers.chat_adapter import chat_adapter
from spa_lab.importers.rows import Row

_BLOCKS = frozenset({"tool_use", "tool_result", "thinking", "redacted_thinking", "server_tool_use"})


def _marked(message: Row) -> bool:
    return any(part.get("type") in _BLOCKS for part in objects(message.get("content")))


ADAPTER = chat_adapter("Anthropic content blocks", _marked, f"no content block {', '.join(sorted(_BLOCKS))}")
