"""TRL's logged completions (`log_completions`): `prompt`, `completion`, a column for each reward function."""

from collections.abc import Mapping
from typing import Any

from spa_lab.importers.adapter import missing, objects, record_adapter, rest
from spa_lab.importers.chat import row_of_messages
from spa_lab.importers.chat_markers import split
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.outcomes import number, outcome_in
from spa_lab.importers.rows import Row

_ADVANTAGE = ("advantage", "advantages")


def why_not(record: Mapping[str, Any]) -> str:
    """Prompt and completion, as text or messages, beside the training step or the advantage."""
    if said := missing(record, prompt=(str, list), completion=(str, list)):
        return said
    marked = "step" in record or any(name in record for name in _ADVANTAGE)
    return "" if marked else "no 'step' and no 'advantage' beside prompt and completion"


def episode(record: Row, ledger: Ledger) -> Row:
    """The outcome is the reward or, where there are several functions, the sum of those that gave one."""
    plain = rest(record, "prompt", "completion")
    if outcome_in(plain)[1] is None:
        paid = [number(value) for name, value in plain.items() if _is_reward(name)]
        known = [value for value in paid if value is not None]
        if known:
            plain["outcome"] = sum(known)
        if len(known) > 1:
            ledger.assumed["outcome: the sum of the reward functions, all of weight 1"] += 1
    messages = _messages(record["prompt"], "user") + _messages(record["completion"], "assistant")
    return row_of_messages(plain | {"messages": messages}, "messages", ledger)


def _is_reward(name: str) -> bool:
    """Whether a column is a reward function's; not what is told of its group."""
    return ("reward" in name or name.endswith("_func")) and not name.endswith(("_std", "_mean"))


def _messages(given: Any, role: str) -> list[Row]:
    return split(given, role) if isinstance(given, str) else objects(given)


ADAPTER = record_adapter("TRL completions", why_not, episode)
