"""LangSmith runs: LangChain messages under `outputs`, the first feedback as outcome."""

from collections.abc import Iterator, Mapping

from spa_lab.importers.adapter import Adapter, Located, NoEpisode, missing, objects, record_adapter, rest
from spa_lab.importers.chat import add_fields
from spa_lab.importers.dialects import plain
from spa_lab.importers.documents import Document
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.messages import episode_of
from spa_lab.importers.outcomes import number
from spa_lab.importers.rows import Row

_TITLE = "LangSmith runs"


def why_not(document: Document) -> str:
    """Runs, of which one has messages in its outputs; a trace also holds runs of models and tools."""
    runs = objects(document.records)
    if said := missing(runs[0], run_type=str, inputs=dict) if runs else "no objects":
        return said
    return "" if any(map(_answers, runs)) else "no messages under 'outputs'"


def episodes(document: Document, ledger: Ledger) -> Iterator[Located]:
    """A row for each run whose messages no run around it holds."""
    runs = {str(run.get("id")): run for run in objects(document.records)}

    def one(run: Row, ledger: Ledger) -> Row:
        if not _answers(run):
            raise NoEpisode("no messages under 'outputs'")
        if any(map(_answers, _around(run, runs))):
            raise NoEpisode("an inner run: the run around it holds its messages")
        return episode(run, ledger)

    yield from record_adapter(_TITLE, lambda run: "", one).episodes(document, ledger)


def _answers(run: Row) -> list[Row]:
    outputs = run.get("outputs")
    return objects(outputs.get("messages")) if isinstance(outputs, dict) else []


def _around(run: Row, runs: Mapping[str, Row]) -> Iterator[Row]:
    """The runs of the document that hold this one, innermost first."""
    seen: set[str] = set()
    while (parent := str(run.get("parent_run_id"))) in runs and parent not in seen:
        seen.add(parent)
        run = runs[parent]
        yield run


def episode(record: Row, ledger: Ledger) -> Row:
    """The outputs repeat the inputs in a graph's state, and only answer them otherwise."""
    asked = objects(record["inputs"].get("messages"))
    told = record["outputs"]["messages"]
    repeats = [plain(message) for message in told[: len(asked)]] == [plain(message) for message in asked]
    messages = told if repeats else asked + told
    fields = rest(record, "inputs", "outputs")
    fields |= {"inputs": rest(record["inputs"], "messages"), "outputs": rest(record["outputs"], "messages")}
    feedback = record.get("feedback_stats") or {}
    for name, stats in feedback.items():
        if isinstance(stats, dict) and number(stats.get("avg")) is not None:
            fields |= {"outcome": number(stats["avg"]), "feedback": name}
            break
    return add_fields(episode_of(messages, ledger), fields, ledger)


ADAPTER = Adapter(_TITLE, why_not, episodes)
