"""Prompt, response and reward as texts, as training code dumps them; turns in one response are split."""

from collections.abc import Mapping
from typing import Any

from spa_lab.importers.adapter import record_adapter, rest
from spa_lab.importers.chat import row_of_messages
from spa_lab.importers.chat_markers import split
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.outcomes import outcome_in
from spa_lab.importers.rows import Row

_PROMPTS = ("prompt", "question", "query", "instruction")
_RESPONSES = ("response", "completion", "output", "generation")


def _names(record: Mapping[str, Any]) -> tuple[str, str]:
    """Fields of the two texts; empty where one is missing."""
    found = [
        next((name for name in names if isinstance(record.get(name), str)), "")
        for names in (_PROMPTS, _RESPONSES)
    ]
    return found[0], found[1]


def why_not(record: Mapping[str, Any]) -> str:
    """Both texts and an outcome."""
    if not all(_names(record)):
        return f"no texts under {', '.join(_PROMPTS)} and {', '.join(_RESPONSES)}"
    return "" if outcome_in(record)[0] else "no reward beside prompt and response"


def episode(record: Row, ledger: Ledger) -> Row:
    """One step, or one for every reply of a tool and every chat marker in the response."""
    prompt, response = _names(record)
    if not prompt or not response:
        raise ValueError(why_not(record))
    messages = split(record[prompt], "user") + split(record[response], "assistant")
    return row_of_messages(rest(record, prompt, response) | {"messages": messages}, "messages", ledger)


ADAPTER = record_adapter("prompts with responses and rewards", why_not, episode)
