"""NeMo Gym rollouts: a Responses input and response a record, with the reward."""

from collections.abc import Mapping
from typing import Any

from spa_lab.importers.adapter import missing, objects, record_adapter, rest
from spa_lab.importers.chat import add_fields
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.messages import episode_of
from spa_lab.importers.responses import messages_of
from spa_lab.importers.rows import Row


def why_not(record: Mapping[str, Any]) -> str:
    """What was asked for and the response, both as the Responses API has them."""
    if said := missing(record, responses_create_params=dict, response=dict):
        return said
    return "" if objects(record["response"].get("output")) else "no items under 'response.output'"


def episode(record: Row, ledger: Ledger) -> Row:
    """The input's items, then the output's."""
    asked, told = record["responses_create_params"], record["response"]
    given = asked.get("input")
    opening = [{"role": "user", "content": given}] if isinstance(given, str) else objects(given)
    row = episode_of(messages_of([*opening, *told["output"]], ledger), ledger)
    fields = rest(record, "responses_create_params", "response")
    fields |= {"request": rest(asked, "input"), "response": rest(told, "output")}
    return add_fields(row, fields, ledger)


ADAPTER = record_adapter("NeMo Gym rollouts", why_not, episode)
