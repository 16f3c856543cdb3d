"""Texts of an Inspect log that are kept apart: "attachment://NAME" stands for them."""

from collections.abc import Mapping
from typing import Any

_ATTACHED = "attachment://"
_DEPTH = 30
"""Levels in which they are looked for."""


def with_attachments(value: Any, attached: Mapping[str, Any], depth: int = 0) -> Any:
    """A value in which "attachment://NAME" is what is attached under that name."""
    if isinstance(value, str) and value.startswith(_ATTACHED):
        return attached.get(value.removeprefix(_ATTACHED), value)
    if depth > _DEPTH:
        return value
    if isinstance(value, list):
        return [with_attachments(one, attached, depth + 1) for one in value]
    if isinstance(value, dict):
        return {name: with_attachments(one, attached, depth + 1) for name, one in value.items()}
    return value
