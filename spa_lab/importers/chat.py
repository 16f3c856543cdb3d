"""The format `chat`: messages of a chat model, one episode per line.

    {"outcome": 1, "messages": [{"role": "user", "content": "Find the key."},
                                {"role": "assistant", "content": "Action: open box"}, ...]}

(on one line in the file)

Every message of the assistant is a step. The messages before the first one, except system messages, are the
initial observation; messages of the user or a tool after a step are its reply. A line has `messages` instead
of `steps`; all other fields are as in `importers.steps`.
"""

from pathlib import Path
from typing import Any

from spa_lab.importers.rows import FIELDS, Imported, Row, check_fields, read_rows

ROLES = ("system", "developer", "user", "assistant", "tool")
_FIELDS = {name: kind for name, kind in FIELDS.items() if name != "steps"} | {"messages": list}


def read_chat(path: Path) -> Imported:
    """The trajectories and credits of a file in the format `chat`.

    Raises:
        StoreError: the file is missing or cannot be read.
        ValueError: a row is bad; names file and line.
    """
    return read_rows(path, chat_row)


def chat_row(row: Row) -> Row:
    """A row of the format `chat` as one of the format `steps`.

    Raises:
        ValueError: a message is bad (names its index), or none is the assistant's.
    """
    check_fields(row, _FIELDS, ("messages", "outcome"), "row")
    opening: list[str] = []
    steps: list[Row] = []
    replies: list[str] = opening
    for index, message in enumerate(row["messages"]):
        role, text = _message(message, f"message {index}")
        if role == "assistant":
            replies = []
            steps.append(_step(message, text) | {"observation": replies})
        elif role in ("user", "tool"):
            replies.append(text)
    if not steps:
        raise ValueError(f"none of the {len(row['messages'])} messages is the assistant's")
    plain = {name: value for name, value in row.items() if name != "messages"}
    whole = [step | {"observation": "\n".join(step["observation"])} for step in steps]
    return {"initial_observation": "\n".join(opening)} | plain | {"steps": whole}


def _message(message: Any, what: str) -> tuple[str, str]:
    """Role and text of a message."""
    if not isinstance(message, dict) or message.get("role") not in ROLES:
        raise ValueError(f"{what}: needs a 'role' among {', '.join(ROLES)}, got {message!r:.60}")
    content = message.get("content")
    if content is None and message.get("tool_calls"):
        return message["role"], ""
    if isinstance(content, list):  # parts of a message; a step can hold only text
        if not all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in content):
            raise ValueError(f"{what}: 'content' has a part without text: {content!r:.60}")
        content = "\n".join(part["text"] for part in content)
    if not isinstance(content, str):
        raise ValueError(f"{what}: 'content' must be text, got {content!r:.60}")
    return message["role"], content


def _step(message: Row, text: str) -> Row:
    """The assistant's message as a step; tool calls are the action, and the text is then the thought."""
    calls = message.get("tool_calls")
    if not calls:
        return {"text": text}
    try:
        actions = [f"{call['function']['name']} {call['function']['arguments']}" for call in calls]
    except (TypeError, KeyError):
        raise ValueError(f"tool call without a function's name and arguments: {calls!r:.60}") from None
    return {"thought": text, "action": "; ".join(actions)}
