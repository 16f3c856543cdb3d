"""Gemini's contents: `parts` with `functionCall` and `functionResponse`; also events of Google's ADK."""

from spa_lab.importers.chat_adapter import chat_adapter
from spa_lab.importers.rows import Row


def _marked(message: Row) -> bool:
    inner = message["content"] if isinstance(message.get("content"), dict) else message
    return inner.get("role") == "model" and isinstance(inner.get("parts"), list)


ADAPTER = chat_adapter("Gemini contents", _marked, "no message of the role 'model' with 'parts'")
