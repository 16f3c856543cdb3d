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

_SPECIAL = re.compile(r"<\|[^<>|\n]*\|>|</?s>|<(?:bos|eos|pad|end_of_turn)>")
"""Tokens that say nothing, as those that end a text or fill it up."""

_REPLY = re.compile(r"<(information|observation|tool_response|result)>(.*?)</\1>", re.DOTALL)


def is_marked(text: str) -> bool:
    """Whether a text has chat markers."""
    return any(marker.search(text) for marker in _MARKERS)


def split(text: str, first: str) -> list[Row]:
    """Messages of a text with chat markers; what stands before the first marker is said by `first`.

    What stands between the end of a message and the next marker, or after the last, is the user's. Lines that
    are only the name of a role are markers, too, but in an answer only where the agent speaks again.
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
            ends = [0, *(match.end() for match in found)]
            starts = [*(match.start() for match in found), len(text)]
            outside = [_SPECIAL.sub("", text[end:start]) for end, start in zip(ends, starts, strict=True)]
            messages = _said_by(first, outside[0])
            for match, after in zip(found, outside[1:], strict=True):
                messages.append({"role": match[1], "content": match[2].strip()})
                messages += _said_by("user", after)  # beside the agent's turns: the world's
            return messages
    parts = _PLAIN.split(text)
    if first == "assistant" and "assistant" not in parts[1::2]:  # no other turn of the agent: its own words
        parts = [text]
    return _said_by(first, parts[0], keep=len(parts) == 1) + [
        {"role": role, "content": said.strip()} for role, said in zip(parts[1::2], parts[2::2], strict=True)
    ]


def _said_by(role: str, text: str, *, keep: bool = False) -> list[Row]:
    """A message; none of a blank text unless it is to be kept."""
    return [{"role": role, "content": text.strip()}] if text.strip() or keep else []
