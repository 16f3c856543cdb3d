"""Anthropic messages: content in blocks (`tool_use`, `tool_result`, `thinking`), a record an episode."""

from collections.abc import Mapping
from typing import Any

from spa_lab.importers.adapter import record_adapter
from spa_lab.importers.adapters import openai_chat

_BLOCKS = frozenset({"tool_use", "tool_result", "thinking", "redacted_thinking"})


def why_not(record: Mapping[str, Any]) -> str:
    """Messages of which one has a block of these kinds."""
    if said := openai_chat.why_not(record):
        return said
    contents = [message.get("content") for message in record[openai_chat.holder(record)]]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    kinds = {part.get("type") for part in parts if isinstance(part, dict)}
    return "" if kinds & _BLOCKS else f"no content block {', '.join(sorted(_BLOCKS))}"


ADAPTER = record_adapter("Anthropic content blocks", why_not, openai_chat.episode)
