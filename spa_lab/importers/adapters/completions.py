"""Logged calls of a chat model: the messages of a request, and `choices` or the message that answer it.

A call that continues an earlier one (its messages, its answer, and more) tells its episode again and
replaces it; what is said of the earlier answer beside its message is kept.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from spa_lab.importers.adapter import Adapter, Located, objects, record_adapter, rest
from spa_lab.importers.chat import row_of_messages
from spa_lab.importers.documents import Document
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row

_REQUESTS, _RESPONSES = (
    ("request", "inputs", "kwargs", "body"),
    ("response", "output", "outputs", "completion"),
)

_MESSAGE = ("role", "content", "tool_calls")
_NAMED = ("model", "system")
"""Fields of a request that are of the whole episode."""


def _parts(record: Mapping[str, Any], names: tuple[str, ...], field: str) -> list[Row]:
    """A list of objects in a record, in one of its parts, or in the part's body."""
    parts = [record, *(record[name] for name in names if isinstance(record.get(name), dict))]
    parts += [part["body"] for part in parts if isinstance(part.get("body"), dict)]
    return next((objects(part[field]) for part in parts if objects(part.get(field))), [])


def _said(record: Mapping[str, Any]) -> list[Row]:
    """The messages of the request, and the first choice with what else is said of it."""
    messages = _parts(record, _REQUESTS, "messages")
    for choice in _answers(record)[:1]:
        answer = _beside(record) | choice["message"]
        if messages and _key(messages[-1]) == _key(answer):
            return [*messages[:-1], messages[-1] | answer]
        return [*messages, answer]
    return []


def _answers(record: Mapping[str, Any]) -> list[Row]:
    """The choices with a message; or the message that the response to a request is, as Anthropic's."""
    if found := _choices(record):
        return found
    asked = bool(_parts(record, _REQUESTS, "messages"))
    parts = [record[name] for name in _RESPONSES if asked and isinstance(record.get(name), dict)]
    parts += [part["body"] for part in parts if isinstance(part.get("body"), dict)]
    return [
        rest(part, "type", *_MESSAGE) | {"message": {name: part[name] for name in _MESSAGE if name in part}}
        for part in parts
        if _is_answer(part)
    ]


def _choices(record: Mapping[str, Any]) -> list[Row]:
    choices = _parts(record, _RESPONSES, "choices")
    return [choice for choice in choices if isinstance(choice.get("message"), dict)]


def _is_answer(part: Any) -> bool:
    return isinstance(part, dict) and part.get("role") == "assistant" and "content" in part


def _why_not(record: Mapping[str, Any]) -> str:
    return "" if _said(record) else "no 'choices' with a message, no message as the response"


def _episode(record: Row, ledger: Ledger) -> Row:
    others = rest(record, "messages", "choices")  # the parts are kept whole in meta but for the messages
    answering = () if _choices(record) else _RESPONSES
    for name in (*_REQUESTS, *_RESPONSES):
        part = others.get(name)
        if name in answering and _is_answer(part):
            del others[name]  # kept at the step
        elif isinstance(part, dict):
            is_body = name in answering and _is_answer(part.get("body"))
            others[name] = rest(part, "messages", "choices", *["body"] * is_body)
            wanted = _NAMED if name in _REQUESTS else ()
            others |= {key: others[name].pop(key) for key in wanted if key in part and key not in others}
    n_others = len(_answers(record)) - 1
    if n_others > 0:
        ledger.drop("choice", "another answer to the same request; the first is the agent's", n_others)
    return row_of_messages(others | {"messages": _said(record)}, "messages", ledger)


def _episodes(document: Document, ledger: Ledger) -> Iterator[Located]:
    told = [list(map(_key, _said(record))) if isinstance(record, dict) else [] for record in document.records]
    starts = {hash(tuple(keys[:n])) for keys in told for n in range(1, len(keys))}
    kept = [n for n, keys in enumerate(told) if not keys or hash(tuple(keys)) not in starts]
    if len(kept) < len(told):
        ledger.drop("call", "a later call tells its messages again", len(told) - len(kept))
    beside = {hash(tuple(keys)): _beside(record) for keys, record in zip(told, document.records, strict=True)}
    records = [_completed(document.records[n], told[n], beside) for n in kept]
    lines = [document.lines[n] for n in kept] if document.lines else ()
    yield from _PER_RECORD.episodes(replace(document, records=records, lines=lines), ledger)


def _beside(record: Any) -> Row:
    """What is said of the first choice beside its message, such as log-probabilities; empty without one."""
    answers = _answers(record) if isinstance(record, dict) else []
    return rest(answers[0], "message", "index") if answers else {}


def _completed(record: Any, keys: list[int], beside: Mapping[int, Row]) -> Any:
    """A record whose earlier answers have what their own calls said beside them."""
    messages = _parts(record, _REQUESTS, "messages") if keys else []
    more = [beside.get(hash(tuple(keys[: n + 1])), {}) for n in range(len(messages))]
    if not any(more):
        return record
    return record | {"messages": [extra | one for extra, one in zip(more, messages, strict=True)]}


def _key(message: Row) -> int:
    """What an answer has in common with its repetition in the next request."""
    calls = [call.get("function", call) for call in objects(message.get("tool_calls"))]
    said = message.get("role"), _content(message), calls, message.get("tool_call_id")
    return hash(json.dumps(said, sort_keys=True, default=str))


def _content(message: Row) -> Any:
    """One text may be told as a part; a mark of what is cached moves from request to request."""
    content = message.get("content") or ""
    parts = [rest(part, "cache_control") for part in objects(content)]
    is_text = len(parts) == 1 and isinstance(parts[0].get("text"), str)
    return parts[0]["text"] if is_text else parts or content


_PER_RECORD = record_adapter("logged chat completions", _why_not, _episode)
ADAPTER = Adapter(_PER_RECORD.title, _PER_RECORD.why_not, _episodes)
