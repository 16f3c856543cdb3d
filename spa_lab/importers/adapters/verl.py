"""verl's rollout dump (`rollout_data_dir`): `input` and `output` as text with chat markers, `score`."""

import re
from collections.abc import Mapping
from typing import Any

from spa_lab.importers.adapter import missing, record_adapter, rest
from spa_lab.importers.chat import row_of_messages
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row

_MARKERS = (
    re.compile(r"<\|im_start\|>(\w+)\n(.*?)(?:<\|im_end\|>|(?=<\|im_start\|>)|\Z)", re.DOTALL),
    re.compile(
        r"<\|start_header_id\|>(\w+)<\|end_header_id\|>\s*(.*?)(?:<\|eot_id\|>|(?=<\|start_header)|\Z)",
        re.DOTALL,
    ),
    re.compile(r"<start_of_turn>(\w+)\n(.*?)(?:<end_of_turn>|\Z)", re.DOTALL),
)
"""Chat markers of Qwen, Llama 3 and Gemma."""
_PLAIN = re.compile(r"^(system|user|assistant|tool)\n", re.MULTILINE)
"""What is left of the markers where special tokens were skipped in decoding."""


def why_not(record: Mapping[str, Any]) -> str:
    """Two texts and a score."""
    return missing(record, input=str, output=str) or ("" if "score" in record else "no 'score'")


def episode(record: Row, ledger: Ledger) -> Row:
    """The texts split at their markers; without any, one message of the user and one of the agent."""
    opening = split(record["input"], "user")
    if opening[-1]["role"] == "assistant" and not opening[-1]["content"].strip():
        opening.pop()  # the prompt ends where the answer begins
    plain = rest(record, "input", "output", "gts") | {"ground_truth": record.get("gts")}
    return row_of_messages(
        plain | {"messages": opening + split(record["output"], "assistant")}, "messages", ledger
    )


def split(text: str, first: str) -> list[Row]:
    """Messages of a text with chat markers; what stands before the first marker is said by `first`."""
    for marker in _MARKERS:
        found = list(marker.finditer(text))
        if found:
            before = re.sub(r"<\|?(?:im_end|eot_id|end_of_turn)\|?>", "", text[: found[0].start()]).strip()
            messages = [{"role": match[1], "content": match[2].strip()} for match in found]
            return [{"role": first, "content": before}] * bool(before) + messages
    parts = _PLAIN.split(text)
    head = [{"role": first, "content": parts[0].strip()}] if parts[0].strip() or len(parts) == 1 else []
    return head + [
        {"role": role, "content": said.strip()} for role, said in zip(parts[1::2], parts[2::2], strict=True)
    ]


ADAPTER = record_adapter("verl rollout dump", why_not, episode)
