"""Claude Code sessions: JSON lines of typed entries around Anthropic messages; a session an episode."""

from collections.abc import Iterator

from spa_lab.importers.adapter import Adapter, Located, NoEpisode, objects, rest
from spa_lab.importers.documents import Document
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.messages import episode_of
from spa_lab.importers.rows import Row

_SHARED = ("sessionId", "cwd", "gitBranch", "version", "userType")
"""Fields that every entry of a session repeats."""

_PROGRAM = "<synthetic>"
"""The model of what the program says in the model's place, such as "API Error: 500"."""


def why_not(document: Document) -> str:
    """Entries with a type, of which some hold a message of the same role."""
    entries = objects(document.records)
    spoken = [entry for entry in entries if entry.get("type") in ("user", "assistant")]
    marked = any("uuid" in entry or "sessionId" in entry for entry in spoken)
    good = marked and all(isinstance(entry.get("message"), dict) for entry in spoken)
    return "" if good else "no entries of 'type' user or assistant with a 'message'"


def episodes(document: Document, ledger: Ledger) -> Iterator[Located]:
    """A row for each session of the file; side chains of subagents are episodes of their own."""
    sessions: dict[str, list[Row]] = {}
    for entry in document.records:
        if entry.get("type") == "assistant" and entry["message"].get("model") == _PROGRAM:
            ledger.drop("entry of Claude Code itself", "an error or a notice that the model did not write")
        elif entry.get("type") in ("user", "assistant"):
            chain = f"/{entry.get('agentId', 'sidechain')}" if entry.get("isSidechain") else ""
            sessions.setdefault(f"{entry.get('sessionId', 'session')}{chain}", []).append(entry)
        else:
            ledger.drop(f"entry {entry.get('type')!r}", "no message")
    for name, entries in sessions.items():
        try:
            row = episode_of(_messages(entries, ledger), ledger)
        except NoEpisode as error:
            ledger.drop("session", str(error))
            continue
        meta = row.get("meta", {}) | ledger.carry({key: entries[0].get(key) for key in _SHARED})
        models = [entry["message"]["model"] for entry in entries if entry["message"].get("model")]
        yield document.name, row | {"id": name, "policy": str([*models, "claude-code"][0]), "meta": meta}


def _messages(entries: list[Row], ledger: Ledger) -> Iterator[Row]:
    """Parts of one answer that were logged as entries of their own, with one id, are one message."""
    waiting: Row = {}
    for entry in entries:
        if "toolUseResult" in entry:
            ledger.drop("toolUseResult", "tells the tool's reply again")
        own = {"entry": rest(entry, "message", "type", "toolUseResult", *_SHARED)}
        message = rest(entry["message"], "type") | own
        if message.get("id") and message["id"] == waiting.get("id"):
            waiting |= message | {"content": [*waiting["content"], *message["content"]]}
            continue
        yield from [waiting] * bool(waiting)
        waiting = message
    yield waiting


ADAPTER = Adapter("Claude Code session", why_not, episodes)
