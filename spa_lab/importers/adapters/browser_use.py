"""Histories of browser-use: what the model wanted, the actions, their results and the page before them."""

from collections.abc import Iterator

from spa_lab.importers.adapter import as_text, objects, rest
from spa_lab.importers.chat_adapter import chat_adapter
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row

_THOUGHTS = ("thinking", "evaluation_previous_goal", "memory", "next_goal")
_SAID = ("extracted_content", "error")


def _is_entry(entry: Row) -> bool:
    return "model_output" in entry and isinstance(entry.get("result"), list)


def _messages(entries: list[Row], ledger: Ledger) -> Iterator[Row]:
    """A message with a call for each action; before the first, and after each, the page."""
    pages = [_page(entry.get("state") or {}) for entry in entries]
    yield {"role": "user", "content": pages[0]}
    for entry, page in zip(entries, [*pages[1:], ""], strict=True):
        wanted = entry["model_output"] or {}
        state = wanted.get("current_state") or {}
        thoughts = [as_text((wanted | state).get(name)) for name in _THOUGHTS]
        calls = [
            {"name": name, "arguments": given}
            for action in objects(wanted.get("action"))
            for name, given in action.items()
            if given is not None
        ]
        extra = rest(entry, "model_output", "result", "state") | {"state": entry.get("state")}
        yield extra | {
            "role": "assistant", "content": "\n".join(filter(None, thoughts)), "tool_calls": calls,
        }  # fmt: skip
        for result in objects(entry["result"]):
            said = "\n".join(as_text(result[name]) for name in _SAID if result.get(name))
            yield {"role": "tool", "content": said} | rest(result, *_SAID)
        yield {"role": "user", "content": page}


def _page(state: Row) -> str:
    return " ".join(as_text(state[name]) for name in ("url", "title") if state.get(name))


ADAPTER = chat_adapter(
    "history of browser-use",
    convert=_messages,
    is_entry=_is_entry,
    what="'model_output' with 'result'",
    names=("history",),
)
