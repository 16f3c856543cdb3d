"""OpenHands: a list of events, actions of the agent and observations; one episode a file."""

from collections.abc import Iterator

from spa_lab.importers.adapter import Adapter, Located, NoEpisode
from spa_lab.importers.documents import Document
from spa_lab.importers.events import episode_of_events, is_events
from spa_lab.importers.ledger import Ledger


def why_not(document: Document) -> str:
    """Events and nothing else."""
    return "" if is_events(document.records) else "no events with 'source' and 'action' or 'observation'"


def episodes(document: Document, ledger: Ledger) -> Iterator[Located]:
    """One row a file."""
    try:
        yield document.name, episode_of_events(document.records, ledger)
    except NoEpisode as error:
        ledger.drop("events", str(error))


ADAPTER = Adapter("OpenHands events", why_not, episodes)
