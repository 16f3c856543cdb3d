"""verl's rollout dump (`rollout_data_dir`): `input` and `output` as text with chat markers, `score`."""

import re
from collections.abc import Mapping
from typing import Any

from spa_lab.importers.adapter import missing, record_adapter, rest
from spa_lab.importers.chat import row_of_messages
from spa_lab.importers.chat_markers import split
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row

_ONE_STEP = re.compile(r"already taken \d+ step")
_APART = (
    "a row holds one step of an agent that is prompted anew for each (verl-agent): the dump does not say \
which rows are of one episode, so each is one"
)


def why_not(record: Mapping[str, Any]) -> str:
    """Two texts and a score."""
    return missing(record, input=str, output=str) or ("" if "score" in record else "no 'score'")


def episode(record: Row, ledger: Ledger) -> Row:
    """The texts split at their markers; without any, one message of the user and one of the agent."""
    opening = split(record["input"], "user")
    if opening[-1]["role"] == "assistant" and not opening[-1]["content"].strip():
        opening.pop()  # the prompt ends where the answer begins
    if _ONE_STEP.search(record["input"]) and _APART not in ledger.notes:
        ledger.notes.append(_APART)
    plain = rest(record, "input", "output", "gts") | {"ground_truth": record.get("gts")}
    return row_of_messages(
        plain | {"messages": opening + split(record["output"], "assistant")}, "messages", ledger
    )


ADAPTER = record_adapter("verl rollout dump", why_not, episode)
