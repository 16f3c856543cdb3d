"""Messages of other interfaces in the form that `importers.messages` reads: a role, content in typed parts.

LangChain's envelopes, parts of Gemini and Bedrock, invocations of the AI SDK, choices of completions.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from spa_lab.importers.adapter import as_text, objects, rest
from spa_lab.importers.rows import Row

LANGCHAIN = ("human", "ai", "system", "tool", "function")
"""Types of LangChain's messages, which have no role."""
_MEDIA = ("inlineData", "inline_data", "fileData", "file_data")
_CAMEL = {
    "function_call": "functionCall", "function_response": "functionResponse",
    "executable_code": "executableCode", "code_execution_result": "codeExecutionResult",
}  # fmt: skip
"""Gemini's names in Python -> in JSON."""


def is_message(value: Mapping[str, Any]) -> bool:
    """Whether an object is a message in some dialect."""
    if "role" in value or value.get("type") in LANGCHAIN:
        return True
    inner = value.get("content"), value.get("message") if "finish_reason" in value else None
    is_inside = any(isinstance(one, dict) and "role" in one for one in inner)
    return is_inside or (value.get("type") == "constructor" and isinstance(value.get("kwargs"), dict))


def plain(given: Row) -> Row:
    """The message without its envelope, its parts as typed parts; what has neither stays as it is."""
    message = _unwrapped(given)
    if "content" not in message and isinstance(message.get("parts"), list):
        message = rest(message, "parts") | {"content": message["parts"]}
    if isinstance(message.get("content"), list):
        parts = [one for part in message["content"] for one in _parts(part)]
        message = message | {"content": parts}
    if objects(message.get("toolInvocations")):  # AI SDK 4
        told = [one for call in message["toolInvocations"] for one in _invocation(call)]
        content = message.get("content") or []
        content = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
        message = rest(message, "toolInvocations", "parts") | {"content": content + told}
    return message


def _unwrapped(given: Row) -> Row:
    kind, content = given.get("type"), given.get("content")
    if kind == "constructor" and isinstance(given.get("kwargs"), dict):
        named = str((given.get("id") or [""])[-1]).removesuffix("Chunk").removesuffix("Message").lower()
        given = {"type": named} | given["kwargs"]
    elif kind in LANGCHAIN and isinstance(given.get("data"), dict):
        given = {"type": kind} | given["data"]
    elif isinstance(content, dict) and "role" in content and isinstance(content.get("parts"), list):
        return content | rest(given, "content", "role")
    elif "finish_reason" in given and isinstance(given.get("message"), dict):
        return given["message"] | rest(given, "message", "index")
    calls = (given.get("additional_kwargs") or {}).get("tool_calls") if kind in LANGCHAIN else None
    return given | ({"tool_calls": calls} if calls and not given.get("tool_calls") else {})


def _parts(part: Any) -> Iterator[Any]:
    """A part as typed parts; one of the AI SDK holds both a call and its reply."""
    if not isinstance(part, dict):
        yield part
        return
    kind = part.get("type")
    if kind is None:
        yield _untyped({_CAMEL.get(str(name), str(name)): value for name, value in part.items()})
    elif isinstance(kind, str) and "toolCallId" in part:
        yield from _invocation(part)
    elif kind == "step-start":
        return
    elif kind == "tool-invocation" and isinstance(part.get("toolInvocation"), dict):
        yield from _invocation(part["toolInvocation"])
    elif kind == "refusal" and isinstance(part.get("refusal"), str):
        yield {"type": "text", "text": part["refusal"], "refusal": True}
    elif kind == "web_search_result":
        text = "\n".join(filter(None, (as_text(part.get("title")), as_text(part.get("url")))))
        yield rest(part, "title", "url") | {"text": text}
    elif str(kind).endswith("tool_result") and isinstance(part.get("content"), list):
        yield part | {"content": [one for inner in part["content"] for one in _parts(inner)]}
    else:
        yield part


def _untyped(part: Row) -> Row:
    """Parts of Gemini and of Bedrock, whose kind is the name of their only field."""
    for name, make in _KINDS.items():
        if isinstance(part.get(name), dict):
            return rest(part, name) | make(part[name])
    if part.get("thought") is True and isinstance(part.get("text"), str):
        return rest(part, "text", "thought") | {"type": "thinking", "thinking": part["text"]}
    if "json" in part:
        return rest(part, "json") | {"type": "text", "text": as_text(part["json"])}
    return {"type": "image"} | part if any(name in part for name in _MEDIA) else part


def _call(given: Row) -> Row:
    identity = given.get("toolUseId") or given.get("id") or given.get("name")
    inputs = given["input"] if "input" in given else given.get("args")
    return {"type": "tool_use", "id": identity, "name": given.get("name"), "input": inputs}


def _reply(given: Row) -> Row:
    identity = given.get("toolUseId") or given.get("id") or given.get("name")
    content = given["content"] if "content" in given else given.get("response")
    if isinstance(content, dict) and len(content) == 1 and {"result", "output", "error"} & content.keys():
        (content,) = content.values()
    content = [one for part in content for one in _parts(part)] if isinstance(content, list) else content
    content = content if isinstance(content, list) else as_text(content)
    status = {"status": given["status"]} if given.get("status") == "error" else {}
    return {"type": "tool_result", "tool_use_id": identity, "content": content} | status


def _haystack_call(given: Row) -> Row:
    return _call({"id": given.get("id"), "name": given.get("tool_name"), "args": given.get("arguments")})


def _haystack_reply(given: Row) -> Row:
    origin = given.get("origin") if isinstance(given.get("origin"), dict) else {}
    status = "error" if given.get("error") else ""
    return _reply({"id": (origin or {}).get("id"), "content": as_text(given.get("result")), "status": status})


def _reasoning(given: Row) -> Row:
    text = given.get("reasoningText")
    return {"type": "thinking", "thinking": as_text(text.get("text") if isinstance(text, dict) else text)}


def _code(given: Row) -> Row:
    return {"type": "tool_use", "id": "code", "name": "code_execution", "input": given.get("code")}


def _output(given: Row) -> Row:
    return {"type": "tool_result", "tool_use_id": "code", "content": as_text(given.get("output"))}


_KINDS = {
    "functionCall": _call, "functionResponse": _reply, "toolUse": _call, "toolResult": _reply,
    "reasoningContent": _reasoning, "executableCode": _code, "codeExecutionResult": _output,
    "tool_call": _haystack_call, "tool_call_result": _haystack_reply,
}  # fmt: skip


def _invocation(part: Row) -> Iterator[Row]:
    """A call of the AI SDK, its reply, or both."""
    kind = str(part.get("type", ""))
    name = part.get("toolName") or kind.removeprefix("tool-")
    identity = part["toolCallId"]
    if kind != "tool-result":
        inputs = part["input"] if "input" in part else part.get("args")
        yield {"type": "tool_use", "id": identity, "name": name, "input": inputs}
    for field in ("output", "result", "errorText"):
        if field in part:
            said = part[field]
            if isinstance(said, dict) and "type" in said and "value" in said:
                said = said["value"]
            yield {"type": "tool_result", "tool_use_id": identity, "content": as_text(said)}
            return
