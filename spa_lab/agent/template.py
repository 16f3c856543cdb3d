"""What a chat template puts around messages: three fixed pieces, learnt by rendering marked messages.

A chat grows by appending only, so that the key-value cache of an episode stays valid. Templates of reasoning
models drop or change what was thought in earlier replies; `PromptConfig.thinking` says what is done instead.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from spa_lab.configs.prompt import PromptConfig
from spa_lab.react import THOUGHT_CLOSED, THOUGHT_OPEN

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_MARKS = ("\u241eworld-one\u241e", "\u241eagent-one\u241e", "\u241eworld-two\u241e", "\u241eagent-two\u241e")
_TODAY = re.compile(r"""strftime_now\(\s*(['"])(.*?)\1\s*\)""")
_REMEDY = (
    "--prompt.thinking off lets it reply without thinking, --prompt.thinking kept leaves every reply in the "
    "chat as it was written"
)


@dataclass(frozen=True)
class TemplatePieces:
    """The text around the messages of a chat that begins with the world."""

    opening: str
    """Before the first message."""
    to_agent: str
    """Between a message of the world and the agent's reply."""
    to_world: str
    """Between a reply and the world's next message; begins with the end token."""

    @property
    def opened(self) -> str:
        """The start of a thought that the template writes and leaves open; "" if there is none."""
        start = self.to_agent.rfind(THOUGHT_OPEN)
        return "" if start < 0 or THOUGHT_CLOSED in self.to_agent[start:] else self.to_agent[start:]


def template_pieces(tokenizer: "PreTrainedTokenizerBase", prompt: PromptConfig) -> TemplatePieces:
    """The pieces of a tokenizer's chat template.

    Raises:
        ValueError: there is no template, or no chat could be built from it by appending; says what to do.
    """
    name = tokenizer.name_or_path
    if not tokenizer.chat_template:
        raise ValueError(f"{name}: the tokenizer has no chat template")
    roles = ("user", "assistant", "user", "assistant")
    chat = [{"role": role, "content": mark} for role, mark in zip(roles, _MARKS, strict=True)]
    opening, to_agent, to_world, to_agent_again = _between(name, render(tokenizer, prompt, chat))
    if not to_world:
        raise ValueError(f"{name}: the chat template has no text after an assistant message")
    asked = _asked(tokenizer, prompt, chat[:1], to_agent)
    if prompt.thinking == "template":
        if to_agent != to_agent_again:
            what = f"rewrites earlier messages ({to_agent!r} != {to_agent_again!r})"
            raise ValueError(f"{name}: the chat template {what}; {_REMEDY}")
        if to_agent != asked:
            what = f"shows a reply after {to_agent!r}, but asks for one by {asked!r}"
            raise ValueError(f"{name}: the chat template {what}; {_REMEDY}")
        thought = {
            "role": "assistant",
            "content": f"{THOUGHT_OPEN}\n{_MARKS[3]}\n{THOUGHT_CLOSED}\n\n{_MARKS[1]}",
        }
        if _MARKS[3] not in render(tokenizer, prompt, [chat[0], thought, chat[2]]):
            raise ValueError(f"{name}: the chat template drops the thoughts of earlier replies; {_REMEDY}")
    pieces = TemplatePieces(opening, asked, to_world)
    if prompt.thinking == "off" and pieces.opened:
        raise ValueError(f"{name}: the chat template cannot switch thinking off; try --prompt.thinking kept")
    return pieces


def render(
    tokenizer: "PreTrainedTokenizerBase",
    prompt: PromptConfig,
    messages: Sequence[Mapping[str, str]],
    *,
    asks: bool = False,
) -> str:
    """The text of a chat, after the system prompt; `asks` adds the generation prompt.

    Raises:
        ValueError: the template refuses these messages.
    """
    system = [{"role": "system", "content": prompt.system}] if prompt.system else []
    switch: dict[str, Any] = {"enable_thinking": False} if prompt.thinking == "off" else {}
    try:
        text = tokenizer.apply_chat_template(
            [*system, *map(dict, messages)], tokenize=False, add_generation_prompt=asks,
            chat_template=_dated(tokenizer, prompt.date), **switch,
        )  # fmt: skip
    except TemplateError as error:
        hint = "; leave --prompt.system empty" if prompt.system else ""
        raise ValueError(
            f"{tokenizer.name_or_path}: the chat template refuses a chat: {error}{hint}"
        ) from error
    return str(text)


def _dated(tokenizer: "PreTrainedTokenizerBase", day: str) -> str:
    """The template with `day` in place of the date of today."""
    today = date.fromisoformat(day)
    dated = _TODAY.sub(lambda call: repr(today.strftime(call[2])), tokenizer.get_chat_template())
    if "strftime_now(" in dated:
        raise ValueError(
            f"{tokenizer.name_or_path}: the chat template shows the date in a way that is not known"
        )
    return dated


def _asked(
    tokenizer: "PreTrainedTokenizerBase",
    prompt: PromptConfig,
    first: Sequence[Mapping[str, str]],
    to_agent: str,
) -> str:
    """The text after the world's first message with which the template asks for a reply.

    A template that knows no generation prompt is asked by what it shows before a reply, but for blanks.
    """
    asking, plain = render(tokenizer, prompt, first, asks=True), render(tokenizer, prompt, first)
    asked = asking.partition(_MARKS[0])[2]
    shown = to_agent.removeprefix(asked)
    return to_agent if asking == plain and shown != to_agent and shown.strip() else asked


def _between(name: str, text: str) -> list[str]:
    """The text before each mark.

    Raises:
        ValueError: a mark is missing.
    """
    pieces = []
    for mark in _MARKS:
        before, separator, text = text.partition(mark)
        if not separator:
            raise ValueError(f"{name}: the chat template drops or rewrites the message {mark!r}")
        pieces.append(before)
    return pieces
