"""AutoGen (AgentChat): typed messages with their source, as in the results of teams."""

from collections.abc import Iterator

from spa_lab.importers.adapter import objects, rest
from spa_lab.importers.chat_adapter import chat_adapter
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row


def _is_entry(entry: Row) -> bool:
    return "source" in entry and str(entry.get("type")).endswith(("Message", "Event"))


def _messages(entries: list[Row], ledger: Ledger) -> Iterator[Row]:
    """Requests of calls and texts of agents are messages; a thought belongs to the next, if there is one."""
    thought, thinker = "", Row()
    told = {entry["source"] for entry in entries if entry["type"] == "ToolCallExecutionEvent"}
    for entry in entries:
        kind, content = entry["type"], entry.get("content")
        extra = rest(entry, "type", "content")
        if kind == "ThoughtEvent":
            thought, thinker = "\n".join(filter(None, (thought, str(content)))), extra
        elif kind == "ToolCallExecutionEvent":
            for result in objects(content):
                reply = {"tool_call_id": result.get("call_id"), "content": result.get("content")}
                yield rest(result, "call_id", "content") | reply | {"role": "tool"}
        elif kind == "ToolCallSummaryMessage" and entry["source"] in told:
            ledger.drop("ToolCallSummaryMessage", "tells the tools' replies again")
        else:
            calls = objects(content) if kind == "ToolCallRequestEvent" else []
            said = {"content": None, "tool_calls": calls} if calls else {"content": content}
            role = "user" if entry["source"] in ("user", "user_proxy") else "assistant"
            yield extra | said | {"role": role, "reasoning_content": thought}
            thought = ""
    if thought:
        yield thinker | {"role": "assistant", "content": None, "reasoning_content": thought}


ADAPTER = chat_adapter(
    "AutoGen messages",
    convert=_messages,
    is_entry=_is_entry,
    what="typed messages with 'source'",
    names=("messages", "chat_history", "inner_messages"),
)
