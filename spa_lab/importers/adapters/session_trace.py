"""Session traces of the Hugging Face Hub and of Pi: a header line, then a message a line."""

from collections.abc import Iterator

from spa_lab.importers.adapter import Adapter, Located, NoEpisode, objects, rest
from spa_lab.importers.chat import add_fields
from spa_lab.importers.documents import Document
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.messages import episode_of
from spa_lab.importers.rows import Row


def why_not(document: Document) -> str:
    """A header of the type "session", and messages in envelopes."""
    entries = objects(document.records)
    if not entries or entries[0].get("type") != "session":
        return "the first line is no entry of 'type' session"
    spoken = [entry.get("message") for entry in entries if entry.get("type") == "message"]
    return "" if objects(spoken) else "no entries of 'type' message"


def episodes(document: Document, ledger: Ledger) -> Iterator[Located]:
    """One row a file; what the header says is kept in meta."""
    header, *entries = document.records
    messages: list[Row] = []
    for entry in entries:
        if entry.get("type") == "message":
            own = rest(entry, "type", "message")
            messages.append(entry["message"] | ({"entry": own} if own else {}))
        else:
            ledger.drop(f"entry {entry.get('type')!r}", "no message")
    try:
        row = episode_of(messages, ledger)
    except NoEpisode as error:
        ledger.drop("session", str(error))
        return
    row = add_fields(row, rest(header, "type"), ledger)
    yield document.name, row | {"policy": str(header.get("harness") or "agent")}


ADAPTER = Adapter("session trace", why_not, episodes)
