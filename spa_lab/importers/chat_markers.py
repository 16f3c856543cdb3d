"""Texts with the chat markers of a model's template, as messages."""

import re

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


def is_marked(text: str) -> bool:
    """Whether a text has chat markers."""
    return any(marker.search(text) for marker in _MARKERS)


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
