"""How agents write thought and action in text: one parser a style, the style detected per file."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from spa_lab import react
from spa_lab.importers.messages import Call

Parser = Callable[[str], tuple[str, str] | None]
"""Text of a step -> thought and action, or None if the text is not in this style."""

_THINK = re.compile(r"\s*<(think|thinking|reasoning)>(.*?)</\1>\s*", re.DOTALL)
_NUMBERED = re.compile(
    r"^[ \t>*]*(?:action|act)[ \t]*\d*[ \t]*\**:\**[ \t]*(.*)", re.IGNORECASE | re.MULTILINE
)
_THOUGHT = re.compile(r"^\s*(?:>\s*)?\**thought[ \t]*\d*\**[ \t]*:\**[ \t]*", re.IGNORECASE)
_TAG = re.compile(
    r"<(action|act|tool_call|guess|execute|command|search|answer|code)>(.*?)(?:</\1>|\Z)", re.DOTALL
)
_TOOLS = ("search", "answer")
"""Tags that say what is done; others only mark the action."""
_CALL = {"id", "name", "arguments"}
_INPUT = re.compile(r"^[ \t]*Action Input:[ \t]*(.*?)(?=^[ \t]*Observation|\Z)", re.MULTILINE | re.DOTALL)
_FUNCTION = re.compile(r"<function=([^>\n]+)>(.*?)(?:</function>|\Z)", re.DOTALL)
_PARAMETER = re.compile(r"<parameter=([^>\n]+)>\n?(.*?)\n?</parameter>", re.DOTALL)
_BLOCK = re.compile(r"```(?:bash|sh|shell|python|mswea_bash_command)[ \t]*\n(.*?)\n?```", re.DOTALL)
_FENCE = re.compile(r"\s*```\w*\n(.*?)\n?```", re.DOTALL)


def _react(text: str) -> tuple[str, str] | None:
    if "Action:" not in text:
        return None
    thought, action = react.parse(text)
    if (
        action.startswith("```") or not action
    ):  # a fenced block after the marker is one action of several lines
        block = _FENCE.match(text[text.index("Action:") + len("Action:") :])
        action = block[1].strip() if block else action
    given = _INPUT.search(text)
    return thought, f"{action} {given[1].strip()}" if action and given else action


def _numbered(text: str) -> tuple[str, str] | None:
    marker = _NUMBERED.search(text)
    if not marker:
        return None
    action = marker[1].strip()
    block = _FENCE.match(text[marker.end() :])  # what the named tool is to run
    if block:
        action = "\n".join(filter(None, (action, block[1].strip())))
    return _THOUGHT.sub("", text[: marker.start()], count=1).strip(), action


def _tagged(text: str) -> tuple[str, str] | None:
    tag = _TAG.search(text)
    if not tag:
        return None
    found = [tag[2]] if tag[1] != "tool_call" else [one[2] for one in _TAG.finditer(text) if one[1] == tag[1]]
    action = "\n".join(map(_call, found))
    return text[: tag.start()].strip(), f"{tag[1]} {action}" if tag[1] in _TOOLS else action


def _call(text: str) -> str:
    """A call in JSON as its name and arguments, as for other messages; anything else as it is."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        return text.strip()
    is_call = isinstance(given, dict) and isinstance(given.get("name"), str) and given.keys() <= _CALL
    return str(Call("", given["name"], given.get("arguments"))) if is_call else text.strip()


def _function_tags(text: str) -> tuple[str, str] | None:
    found = list(_FUNCTION.finditer(text))
    calls = [Call("", one[1].strip(), dict(_PARAMETER.findall(one[2]))) for one in found]
    return (text[: found[0].start()].strip(), "\n".join(map(str, calls))) if found else None


def _fenced(text: str) -> tuple[str, str] | None:
    block = _BLOCK.search(text)
    thought = _THOUGHT.sub("", text[: block.start()], count=1) if block else ""
    return (thought.strip(), block[1].strip()) if block else None


STYLES: Mapping[str, Parser] = MappingProxyType(
    {
        '"Action:"': _react,
        '"Action 1:", "Act:"': _numbered,
        "tags such as <action>": _tagged,
        "tags <function=...>": _function_tags,
        "code blocks": _fenced,
    }
)
"""Name of a style -> its parser; of two that fit equally often the first counts."""


def by_pattern(pattern: str) -> Parser:
    """A style given as a regular expression; its first group, or the whole match, is the action.

    Raises:
        ValueError: not a regular expression.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"action pattern {pattern!r}: {error}") from None

    def parse(text: str) -> tuple[str, str] | None:
        found = compiled.search(text)
        action = (found[1] if compiled.groups else found[0]) if found else None
        return (text[: found.start()].strip(), action.strip()) if found and action is not None else None

    return parse


def detect(texts: Sequence[str]) -> tuple[str, Parser | None, int]:
    """The style that fits most texts, its parser, and how many it fits; no parser if none fits any."""
    plain = [without_thinking(text)[1] for text in texts]
    counts = {name: sum(parse(text) is not None for text in plain) for name, parse in STYLES.items()}
    best = max(counts, key=lambda name: counts[name])
    return (best, STYLES[best], counts[best]) if counts[best] else ("", None, 0)


def without_thinking(text: str) -> tuple[str, str]:
    """What stands in <think> before the answer, and the rest."""
    block = _THINK.match(text)
    if block:
        return block[2].strip(), text[block.end() :]
    inner, closed, answer = text.partition("</think>")  # where the prompt ends with the opening tag
    return (inner.strip(), answer.lstrip()) if closed and "<think>" not in inner else ("", text)


def parse(text: str, parser: Parser | None) -> tuple[str, str]:
    """Thought and action of a text; both empty but for <think> where the style does not fit."""
    thinking, answer = without_thinking(text)
    spoken = _THOUGHT.sub("", answer, count=1).strip() if _THOUGHT.match(answer) else ""
    thought, action = (parser(answer) if parser else None) or (spoken, "")
    return "\n".join(filter(None, (thinking, thought))), action
