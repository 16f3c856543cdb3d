"""PPO input of the released SPA-RL: lists of the texts read, the texts written and the rewards of turns."""

from collections.abc import Iterator
from typing import Any

from spa_lab.importers.adapter import Adapter, Located, rest
from spa_lab.importers.adapters.spa_rl import add_credit
from spa_lab.importers.annotations import LOGGED_REWARD
from spa_lab.importers.chat import row_of_messages
from spa_lab.importers.documents import Document
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row

_COLUMNS = ("prompt", "response", "reward")


def _columns(document: Document) -> list[list[Any]]:
    """Per episode a list in each of three columns of one length; empty if the document has another form."""
    record = document.records[0] if document.is_single else None
    given = [record.get(name) for name in _COLUMNS] if isinstance(record, dict) else []
    columns = [column for column in given if isinstance(column, list)]
    good = len(columns) == 3 and len(set(map(len, columns))) == 1
    nested = good and all(isinstance(turns, list) for column in columns for turns in column)
    return columns if nested and columns[0] else []


def _why_not(document: Document) -> str:
    return "" if _columns(document) else f"no lists of one length under {', '.join(_COLUMNS)}"


def _episodes(document: Document, ledger: Ledger) -> Iterator[Located]:
    shared = ledger.carry(rest(document.records[0], *_COLUMNS), "file.")
    for index, (read, written, paid) in enumerate(zip(*_columns(document), strict=True)):
        if len(read) != len(written):
            counts = f"{len(read)} prompts, {len(written)} responses"
            raise ValueError(f"{document.name}: episode {index}: {counts}")
        chat: list[Row] = []
        for asked, said in zip(read, written, strict=True):
            chat += [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
        row = row_of_messages({"id": index, "messages": chat} | shared, "messages", ledger)
        add_credit(row, LOGGED_REWARD, paid, ledger)
        yield document.name, row


ADAPTER = Adapter("SPA-RL training data", _why_not, _episodes)
