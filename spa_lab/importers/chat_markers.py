"""Texts with the chat markers of a model's template, as messages."""

import re
from collections.abc import Iterator

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

_REPLY = re.compile(r"<(information|observation|tool_response|result)>(.*?)</\1>", re.DOTALL)


def is_marked(text: str) -> bool:
    """Whether a text has chat markers."""
    return any(marker.search(text) for marker in _MARKERS)


def split(text: str, first: str) -> list[Row]:
    """Messages of a text with chat markers; what stands before the first marker is said by `first`.

    What tools replied within a text of the agent (<information>, as in Search-R1) is a message of its own.
    """
    return [one for message in _at_markers(text, first) for one in _at_replies(message)]


def _at_replies(message: Row) -> Iterator[Row]:
    if message["role"] != "assistant":
        yield message
        return
    said, start = message["content"], 0
    for reply in _REPLY.finditer(said):
        before = said[start : reply.start()].strip()
        yield from [{"role": "assistant", "content": before}] * bool(before)
        yield {"role": "tool", "content": reply[2].strip()}
        start = reply.end()
    rest = said[start:].strip()
    yield from [message | {"content": rest}] * bool(rest or not start)


def _at_markers(text: str, first: str) -> list[Row]:
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
