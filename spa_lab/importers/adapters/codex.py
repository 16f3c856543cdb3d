"""Codex sessions ("rollouts"): JSON lines of `response_item` entries around OpenAI Responses items."""

from collections.abc import Iterator

from spa_lab.importers.adapter import Adapter, Located, NoEpisode, objects
from spa_lab.importers.documents import Document
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.messages import episode_of
from spa_lab.importers.responses import messages_of
from spa_lab.importers.rows import Row


def why_not(document: Document) -> str:
    """Entries with a type and a payload."""
    entries = objects(document.records)
    items = [entry.get("payload") for entry in entries if entry.get("type") == "response_item"]
    return "" if objects(items) else "no entry 'response_item'"


def episodes(document: Document, ledger: Ledger) -> Iterator[Located]:
    """One row a file."""
    header: Row = {}
    items = []
    for entry in document.records:
        if entry.get("type") == "response_item":
            items.append(entry["payload"])
        elif entry.get("type") == "session_meta":
            header = entry.get("payload") or {}
        else:
            ledger.drop(f"entry {entry.get('type')!r}", "an item told again, or the state of the program")
    try:
        row = episode_of(messages_of(items, ledger), ledger)
    except NoEpisode as error:
        ledger.drop("session", str(error))
        return
    meta = row.get("meta", {}) | ledger.carry(header, "session.")
    identity = {"id": str(header["id"])} if header.get("id") else {}
    yield document.name, row | {"policy": "codex", "meta": meta} | identity


ADAPTER = Adapter("Codex session", why_not, episodes)
