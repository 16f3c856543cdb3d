"""Messages of a chat model in all their dialects, and the episode that they tell.

Roles, parts and tool calls of OpenAI, Anthropic and ShareGPT get one form, see `dialects` for others. Every
message of the agent is one step; what comes before the next one is the reply. Calls of one message stay one
step, a line each, and its observation names the call that each reply belongs to.
"""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from spa_lab.importers.adapter import NoEpisode, as_text
from spa_lab.importers.dialects import plain
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.outcomes import number
from spa_lab.importers.rows import Row

ROLES = {
    "system": "system", "developer": "system",
    "user": "user", "human": "user", "environment": "user", "observation": "user",
    "assistant": "assistant", "gpt": "assistant", "ai": "assistant", "agent": "assistant", "bot": "assistant",
    "model": "assistant", "chatgpt": "assistant", "function_call": "assistant",
    "tool": "tool", "function": "tool", "ipython": "tool", "function_response": "tool",
    "tool_response": "tool", "toolresult": "tool",
    "exit": "exit",
}  # fmt: skip
"""Role in a log -> role here."""
_READ = {
    "role", "from", "type", "content", "value", "tool_calls", "function_call", "reasoning_content",
    "reasoning", "thinking", "thought", "tool_call_id", "tool_call_ids", "toolCallId",
}  # fmt: skip
_PLAIN = {"role", "content"}
_PART = {"type", "text", "thinking", "reasoning", "tool_use_id", "content"}
_CALL = {
    "id", "type", "function", "custom", "name", "function_name", "arguments", "args", "input", "kwargs",
    "tool_call_id", "call_id",
}  # fmt: skip
"""Fields of a message, a part and a tool call that are read."""


class Call(NamedTuple):
    """A tool call."""

    id: str
    name: str
    arguments: Any

    def __str__(self) -> str:
        """Name and arguments; the same call reads the same whether arguments are text or an object."""
        arguments = self.arguments
        if isinstance(arguments, str):
            try:
                arguments = json.loads(arguments)
            except (ValueError, RecursionError):
                return f"{self.name} {self.arguments}".rstrip()
        if arguments is None or arguments in ("", {}):
            return self.name
        return f"{self.name} {json.dumps(arguments, ensure_ascii=False, sort_keys=True)}"


class Message(NamedTuple):
    """One message."""

    role: str
    text: str
    thought: str
    calls: list[Call]
    replies: list[tuple[str, str]]
    """Id of a call, and the tool's reply to it."""
    extra: Row
    """Fields that are none of the above."""


def episode_of(messages: Iterable[Any], ledger: Ledger) -> Row:
    """The opening, steps and meta of a chat; the outcome is the adapter's to add.

    Raises:
        ValueError: a message is bad (names its index).
        NoEpisode: none of them is the agent's.
    """
    opening: list[str] = []
    system: list[str] = []
    turns: list[tuple[int, Message, list[Message]]] = []
    meta: Row = {}
    others: Row = {}
    index = -1
    for index, given in enumerate(messages):
        message = read_message(given, f"message {index}", ledger)
        if message.role == "assistant":
            turns.append((index, message, []))
        elif message.role == "system" and not turns:
            system.append(message.text)
        elif message.role == "exit":
            meta |= ledger.carry(
                {"exit": message.extra | ({"content": message.text} if message.text else {})}
            )
        elif turns:
            turns[-1][2].append(message)
        else:
            opening += [text for _, text in message.replies] + [message.text] * bool(message.text)
        if message.extra and message.role not in ("assistant", "exit"):
            others[str(index)] = ledger.carry(message.extra, "message.")
    if not turns:
        raise NoEpisode(f"none of the {index + 1} messages is the assistant's")
    if system:
        ledger.system_prompts += 1
        meta["system_prompt"] = "\n".join(system)
    if others:
        meta["messages"] = others
    steps = [_step(message, replies, ledger) for _, message, replies in turns]
    row: Row = {"initial_observation": "\n".join(opening), "steps": steps}
    return row | ({"meta": meta} if meta else {})


def step_indices(messages: Iterable[Any]) -> list[int]:
    """Positions of the agent's messages, for credits and labels by message."""
    return [
        index
        for index, given in enumerate(messages)
        if isinstance(given, dict) and ROLES.get(str(_role(given))) == "assistant"
    ]


def read_message(given: Any, what: str, ledger: Ledger) -> Message:
    """A message of any dialect.

    Raises:
        ValueError: no role that is known, or content that is neither text nor parts.
    """
    role = None
    if isinstance(given, dict):
        if not given.keys() <= _PLAIN or not isinstance(given.get("content"), str):
            given = plain(given)
        said = str(_role(given))
        role = ROLES.get(said) or ROLES.get(said.lower())
    if role is None:
        raise ValueError(f"{what}: needs a 'role' among {', '.join(ROLES)}, got {given!r:.60}")
    content = given.get("content", given.get("value"))
    if role in ("user", "assistant") and isinstance(content, str) and given.keys() <= _PLAIN:
        return Message(role, content, "", [], [], {})
    message = Message(role, "", "", [], [], {key: given[key] for key in given if key not in _READ})
    texts, thoughts = _parts(content, message, what, ledger)
    for key in ("reasoning_content", "reasoning", "thinking", "thought"):
        if isinstance(given.get(key), str) and given[key] not in (*thoughts, *texts):
            thoughts.append(given[key])
    calls = given.get("tool_calls") or given.get("function_call") or []
    if isinstance(calls, str):
        calls = _loaded(calls)
    message.calls.extend(_call(call, message) for call in (calls if isinstance(calls, list) else [calls]))
    text, thought = "\n".join(texts), "\n".join(filter(None, thoughts))
    if given.get("from") == "function_call":
        message.calls.append(_call(_loaded(text), message))
        text = ""
    if role == "tool":
        ids = (
            given.get("tool_call_id")
            or given.get("toolCallId")
            or (given.get("tool_call_ids") or [""])[0]
            or given.get("id")
        )
        if text or not message.replies:
            message.replies.append((str(ids or ""), text or _error_in(given)))
        text = ""
    ledger.tool_calls += len(message.calls)
    return message._replace(text=text, thought=thought)


def _role(given: Row) -> Any:
    return given.get("role", given.get("from", given.get("type")))


def _parts(content: Any, message: Message, what: str, ledger: Ledger) -> tuple[list[str], list[str]]:
    """Texts and thoughts of a content; calls and replies are added to the message."""
    if content is None:
        return [], []
    if isinstance(content, str):
        return [content], []
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        raise ValueError(f"{what}: 'content' must be text or parts, got {content!r:.60}")
    texts: list[str] = []
    thoughts: list[str] = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if isinstance(part, str):
            texts.append(part)
        elif not isinstance(part, dict):
            raise ValueError(f"{what}: 'content' has a part that is {type(part).__name__}: {part!r:.60}")
        elif kind in ("tool_call", "toolCall") or str(kind).endswith("tool_use"):
            message.calls.append(_call(part, message))
            continue
        elif str(kind).endswith("tool_result"):
            inner, _ = _parts(_reply_in(part.get("content")), message, what, ledger)
            message.replies.append((str(part.get("tool_use_id", "")), "\n".join(inner)))
        elif kind in ("thinking", "reasoning"):
            thoughts.append(str(part.get("thinking") or part.get("reasoning") or part.get("text") or ""))
        elif isinstance(part.get("text"), str):
            texts.append(part["text"])
        else:
            ledger.drop(f"{kind or 'unknown'} part", "a step holds text; a placeholder stands for it")
            (thoughts if kind == "redacted_thinking" else texts).append(
                f"[{'image' if 'image' in str(kind or list(part)) else kind or 'part'}]"
            )
            continue
        _keep(message, "parts", {key: value for key, value in part.items() if key not in _PART})
    return texts, thoughts


def _reply_in(content: Any) -> Any:
    """The content of a reply; an object that is no part, such as the result of a search, as JSON."""
    is_part = not isinstance(content, dict) or isinstance(content.get("text"), str)
    return content if is_part else as_text(content)


def _error_in(given: Row) -> str:
    """What went wrong, where a tool's reply says nothing else."""
    error = given.get("error")
    return as_text(error.get("message", error) if isinstance(error, dict) else error)


def _keep(message: Message, name: str, extra: Row) -> None:
    """Fields of a part or call that have no place in a step; carried with the message's own."""
    if extra:
        message.extra.setdefault(name, []).append(extra)


def _call(given: Any, message: Message) -> Call:
    """A tool call: nested ("function": {...}), flat, or as JSON text."""
    call = _loaded(given) if isinstance(given, str) else given
    inner = call.get("function", call.get("custom")) if isinstance(call, dict) else None
    inner = inner if isinstance(inner, dict) else call
    if not isinstance(inner, dict):
        raise ValueError(f"tool call without a function's name: {given!r:.60}")
    name = inner.get("name") or inner.get("function") or inner.get("function_name")
    if not isinstance(name, str):
        raise ValueError(f"tool call without a function's name: {given!r:.60}")
    arguments = next((inner[key] for key in ("arguments", "args", "input", "kwargs") if key in inner), None)
    _keep(message, "calls", {key: value for key, value in call.items() if key not in _CALL})
    identity = call.get("id") or call.get("tool_call_id") or call.get("call_id") or ""
    return Call(str(identity), name, arguments)


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"tool call that is no JSON: {text!r:.60}") from None


def _step(message: Message, after: list[Message], ledger: Ledger) -> Row:
    """A message of the agent with its replies; calls are the action, and all text is then the thought."""
    step: Row
    extra = dict(message.extra)
    command = (
        extra.pop("action") if isinstance(extra.get("action"), str) else ""
    )  # as the agent's shell read it
    if message.calls or command:
        thought = "\n".join(filter(None, (message.thought, message.text)))
        step = {"thought": thought, "action": command.strip() or "\n".join(map(str, message.calls))}
    elif message.thought:
        step = {"text": f"<think>\n{message.thought}\n</think>\n{message.text}"}
    else:
        step = {"text": message.text}
    step["observation"] = _observation(message.calls, [message._replace(text=""), *after])
    reward = number(extra.get("reward"))
    if reward is not None:
        step["reward"] = reward
        del extra["reward"]
    kept = ledger.carry(extra, "message.")
    return step | ({"meta": kept} if kept else {})


def _observation(calls: list[Call], after: list[Message]) -> str:
    """The replies, a line each; replies to one of several calls start with its number and name."""
    texts: list[str] = []
    open_calls = dict(enumerate(calls))
    for message in after:
        for identity, text in message.replies:
            matches = [n for n, call in open_calls.items() if identity and call.id == identity]
            number = next(iter(matches or open_calls), None)
            call = open_calls.pop(number, None) if number is not None else None
            several = len(calls) > 1 and call is not None and number is not None
            texts.append(f"[{number + 1} {call.name}] {text}" if several and call else text)  # type: ignore[operator]
        if message.text:
            texts.append(message.text)
    return "\n".join(texts)
