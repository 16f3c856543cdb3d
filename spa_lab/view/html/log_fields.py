"""What a log says of an episode besides its steps: the system prompt, and other fields."""

import json
from collections.abc import Mapping
from typing import Any

from spa_lab.view.html.markup import prose

PROMPT = "system_prompt"
_OF_PARTS = ("messages", "steps")
"""Fields that hold those of single messages and steps, by their number."""


def log_fields_html(meta: Mapping[str, Any]) -> str:
    """The system prompt and the other fields, folded; empty without any."""
    prompt = meta.get(PROMPT)
    fields = {name: value for name, value in meta.items() if name != PROMPT}
    parts = [_folded("system prompt", str(prompt))] if prompt else []
    if fields:
        ends = [name for name in _OF_PARTS if name in fields]  # they are the longest
        lines = [
            f"{name}: {_text(fields[name])}"
            for name in [*(name for name in fields if name not in _OF_PARTS), *ends]
        ]
        parts.append(_folded("fields of the log", "\n".join(lines)))
    return "".join(parts)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _folded(title: str, text: str) -> str:
    name = title.replace(" ", "-")
    return f'<details data-keep="{name}"><summary>{title}</summary>{prose(text)}</details>'
