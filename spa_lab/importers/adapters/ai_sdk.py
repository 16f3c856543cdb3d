"""Messages of Vercel's AI SDK: `parts` with tools and their output, `toolInvocations`, parts "tool-call"."""

from collections.abc import Iterator

from spa_lab.importers.adapter import objects, rest
from spa_lab.importers.chat_adapter import chat_adapter
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row


def _parts(message: Row) -> list[Row]:
    return objects(message.get("parts")) or objects(message.get("content"))


def _marked(message: Row) -> bool:
    if objects(message.get("toolInvocations")) or any(
        "type" in part for part in objects(message.get("parts"))
    ):
        return True
    return any(part.get("type") in ("tool-call", "tool-result") for part in _parts(message))


def _steps(messages: list[Row], ledger: Ledger) -> Iterator[Row]:
    """A message of the agent holds all steps up to the user's next; each becomes a message."""
    for message in messages:
        parts = _parts(message)
        starts = [n for n, part in enumerate(parts) if part.get("type") == "step-start"]
        if not starts or objects(message.get("toolInvocations")):
            yield message
            continue
        ends = [*starts[1:], len(parts)]
        shared = rest(message, "parts", "content")
        for start, end in zip([0, *starts[1:]], ends, strict=True):
            yield shared | {"content": parts[start:end]}


ADAPTER = chat_adapter(
    "messages of the AI SDK", _marked, "no typed 'parts' or 'toolInvocations'", convert=_steps
)
