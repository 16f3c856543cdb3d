"""Messages of a chat model in all their dialects, and the episode that they tell.

Roles, parts and tool calls of OpenAI, Anthropic and ShareGPT get one form, see `dialects` for others. Every
message of the agent is one step; what comes before the next one is the reply. Calls of one message stay one
step, a line each, and its observation names the call that each reply belongs to.
"""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from spa_lab.importers.adapter import NoEpisode, as_text, objects, rest
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
_PLAIN = {"role", "content"}
_TEXTS = ("content", "value", "text", "system_prompt")
_THOUGHTS = ("reasoning_content", "reasoning", "thinking", "thought")
_IDENTITIES = ("tool_call_id", "toolCallId", "tool_call_ids")
_NAMES, _ARGUMENTS = ("name", "function", "function_name"), ("arguments", "args", "input", "kwargs")
_ASTRAY = "replies of tools whose id is of none of the calls before them: parts of the observation there"


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


class Reply(NamedTuple):
    """A tool's reply."""

    id: str
    """Of the call; empty if the log does not say it."""
    text: str
    is_own: bool = False
    """Whether the id may be the message's own."""


class Message(NamedTuple):
    """One message."""

    role: str
    text: str
    thought: str
    calls: list[Call]
    replies: list[Reply]
    extra: Row
    """Fields that none of the above was read from."""


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
            opening += [reply.text for reply in message.replies] + [message.text] * bool(message.text)
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
    named = next((key for key in _TEXTS if _is_content(key, given)), "content")
    content = given.get(named)
    if role in ("user", "assistant") and isinstance(content, str) and given.keys() <= _PLAIN:
        return Message(role, content, "", [], [], {})
    message = Message(role, "", "", [], [], dict(given))
    _take(message, next((key for key in ("role", "from", "type") if key in given), ""))
    _take(message, named)
    if given.get("type") in ("message", said):
        _take(message, "type")
    texts, thoughts = _parts(content, message, what, ledger)
    refusal = given.get("refusal")  # beside a content of null; stays an extra, which says what the text is
    if role == "assistant" and isinstance(refusal, str) and refusal and refusal not in texts:
        texts.append(refusal)
    for key in _THOUGHTS if role == "assistant" else ():
        if told := _told(given.get(key)):
            thoughts += [told] if told not in (*thoughts, *texts) else []
            _take(message, key)
    key = next((key for key in ("tool_calls", "function_call") if given.get(key)), "")
    calls = _take(message, key) or []
    calls = _loaded(calls) if isinstance(calls, str) else calls
    _add_calls(message, [_call(call, message) for call in (calls if isinstance(calls, list) else [calls])])
    text, thought = "\n".join(texts), "\n".join(filter(None, thoughts))
    if given.get("from") == "function_call":
        message.calls.append(_call(_loaded(text), message))
        text = ""
    if role == "tool":
        identity, is_own = _identity(message)
        if text or not message.replies:
            message.replies.append(Reply(identity, text or _error_in(given), is_own))
        text = ""
    elif role != "assistant" and thought:
        message.extra["thought"] = thought
    ledger.tool_calls += len(message.calls)
    return message._replace(text=text, thought=thought)


def _is_content(key: str, given: Row) -> bool:
    """Whether a field is what a message says; a `value` may also be a critic's."""
    value = given.get(key)
    is_said = key == "content" or "from" in given or isinstance(value, str) or bool(objects(value))
    return value is not None and is_said


def _take(message: Message, key: str) -> Any:
    """The value of a field that is read, which is no extra then."""
    return message.extra.pop(key, None)


def _told(value: Any) -> str:
    """A text, or a list of parts that hold nothing but text; anything else is empty, and stays an extra."""
    if isinstance(value, str):
        return value
    parts = value if isinstance(value, list) else []
    good = all(isinstance(part, dict) and part.keys() <= {"type", "text"} for part in parts)
    texts = [part.get("text") for part in parts] if good else []
    return "\n".join(map(str, texts)) if all(isinstance(text, str) for text in texts) else ""


def _identity(message: Message) -> tuple[str, bool]:
    """The id of the call that a tool's message replies to, and whether it may be the message's own."""
    for key in _IDENTITIES:
        found = message.extra.get(key)
        if isinstance(found, list):
            found = found[0] if len(found) == 1 else None
        if isinstance(found, str | int) and found != "":
            _take(message, key)
            return str(found), False
    return str(message.extra.get("id") or ""), True


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
        used: set[str] = set()
        if isinstance(part, str):
            texts.append(part)
            continue
        if not isinstance(part, dict):
            raise ValueError(f"{what}: 'content' has a part that is {type(part).__name__}: {part!r:.60}")
        if kind in ("tool_call", "toolCall") or str(kind).endswith("tool_use"):
            replied = next((key for key in ("result", "error") if part.get(key)), "")  # at the provider
            message.calls.append(_call(rest(part, replied), message))
            if replied:
                message.replies.append(Reply(message.calls[-1].id, as_text(part[replied])))
            continue
        elif str(kind).endswith("tool_result"):
            inner, _ = _parts(_reply_in(part.get("content")), message, what, ledger)
            message.replies.append(Reply(str(part.get("tool_use_id") or ""), "\n".join(inner)))
            used = {"content", "tool_use_id"}
        elif kind in ("thinking", "reasoning"):
            names = (
                ("summary",) if part.get("redacted") else (kind, "thinking", "reasoning", "text", "content")
            )
            used = {next((name for name in names if _told(part.get(name))), "")}
            thoughts += [_told(part.get(name)) for name in used]
            if part.get("redacted") and part.get(kind):
                ledger.drop("reasoning", "encrypted")
                used.add(kind)
        elif isinstance(part.get("text"), str):
            texts.append(part["text"])
            used = {"text"}
        else:
            ledger.drop(f"{kind or 'unknown'} part", "a step holds text; a placeholder stands for it")
            (thoughts if kind == "redacted_thinking" else texts).append(
                f"[{'image' if 'image' in str(kind or list(part)) else kind or 'part'}]"
            )
            continue
        _keep(message, "parts", rest(part, "type", *used))
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
    if kept := _filled(extra):
        message.extra.setdefault(name, []).append(kept)


def _filled(fields: Row) -> Row:
    """The fields that hold something."""
    empty = (str, list, dict, type(None))
    return {key: value for key, value in fields.items() if not isinstance(value, empty) or value}


def _call(given: Any, message: Message) -> Call:
    """A tool call: nested ("function": {...}), flat, or as JSON text."""
    call = _loaded(given) if isinstance(given, str) else given
    if not isinstance(call, dict):
        raise ValueError(f"tool call without a function's name: {given!r:.60}")
    outer = next((key for key in ("function", "custom") if isinstance(call.get(key), dict)), "")
    inner = call[outer] if outer else call
    named = [key for key in _NAMES if isinstance(inner.get(key), str) and inner[key]]
    if not named:
        raise ValueError(f"tool call without a function's name: {given!r:.60}")
    name = inner[named[0]]
    told = next((key for key in _ARGUMENTS if key in inner), "")
    ids = [key for key in ("id", "tool_call_id", "call_id") if call.get(key)]
    identity = str(call[ids[0]]) if ids else ""
    used = {"type", *(key for key in ids if str(call[key]) == identity)}
    read = {told, *(key for key in named if inner[key] == name)}
    if outer:
        _keep(message, "calls", rest(call, *used) | {outer: _filled(rest(inner, *read))})
    else:
        _keep(message, "calls", rest(call, *used, *read))
    return Call(identity, name, inner.get(told))


def _add_calls(message: Message, told: list[Call]) -> None:
    """Add calls; one that the content holds, too, as LangChain keeps Anthropic's, is told once.

    In the content of a stream it may lack its arguments.
    """
    again = {(call.id, text) for call in told if call.id for text in (str(call), call.name)}
    message.calls[:] = [call for call in message.calls if (call.id, str(call)) not in again] + told


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
    step["observation"] = _observation(message.calls, [message._replace(text=""), *after], ledger)
    reward = number(extra.get("reward"))
    if reward is not None:
        step["reward"] = reward
        del extra["reward"]
    kept = ledger.carry(extra, "message.")
    return step | ({"meta": kept} if kept else {})


def _observation(calls: list[Call], after: list[Message], ledger: Ledger) -> str:
    """The replies, a line each; replies to one of several calls start with its number and name.

    A reply without an id belongs to the next call that has none yet. One whose id is of no such call, as a
    late reply to an earlier step, stays where it came, without a number.
    """
    texts: list[str] = []
    open_calls = dict(enumerate(calls))
    for message in after:
        for reply in message.replies:
            matches = [n for n, call in open_calls.items() if reply.id and call.id == reply.id]
            if not matches and (not reply.id or reply.is_own):
                matches = list(open_calls)
            elif not matches and calls:
                matches = [n for n, call in open_calls.items() if not call.id]
                if not matches:
                    ledger.assumed[_ASTRAY] += 1
            number = matches[0] if matches else None
            call = open_calls.pop(number, None) if number is not None else None
            several = len(calls) > 1 and call is not None and number is not None
            texts.append(f"[{number + 1} {call.name}] {reply.text}" if several and call else reply.text)  # type: ignore[operator]
        if message.text:
            texts.append(message.text)
    return "\n".join(texts)
