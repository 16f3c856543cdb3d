"""SWE-agent: `trajectory` of thought, action and observation, or the messages of `history`."""

from collections.abc import Mapping
from itertools import takewhile
from typing import Any

from spa_lab.importers.adapter import NoEpisode, as_text, objects, record_adapter, rest
from spa_lab.importers.chat import add_fields
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.messages import episode_of
from spa_lab.importers.outcomes import number
from spa_lab.importers.rows import Row


def why_not(record: Mapping[str, Any]) -> str:
    """Steps with a thought, or a history whose messages name their agent."""
    steps = objects(record.get("trajectory"))
    history = objects(record.get("history"))
    # an environment's log may have both, too, but no text of the model
    told = [step for step in steps if "thought" in step or "response" in step]
    if told and all("action" in step and "observation" in step for step in steps):
        return ""
    marked = history and any("message_type" in message or "agent" in message for message in history)
    return "" if marked else "neither 'trajectory' of actions nor 'history' with 'agent'"


def episode(record: Row, ledger: Ledger) -> Row:
    """The steps; `history`, or the query of the first step, then only gives the opening."""
    steps, history = objects(record.get("trajectory")), objects(record.get("history"))
    told = [message for message in history if not message.get("is_demo")]
    n_demos = len(history) - len(told)
    if steps:
        query = [one for one in objects(steps[0].get("query")) if not one.get("is_demo")]
        row = _opening(list(takewhile(_is_before, told)) or query, ledger)
        ledger.drop("history", "tells the steps of 'trajectory' again", bool(history))
        ledger.drop("query", "the messages before a step, told again at every step",
                    sum("query" in step for step in steps))  # fmt: skip
        row["steps"] = [_step(step, ledger) for step in steps]
    else:
        row = episode_of(told, ledger) if told else {"steps": []}
    if not row["steps"]:
        raise NoEpisode("no step of the agent")
    if n_demos:
        ledger.drop("demonstration", "messages of an example, which the agent is shown first", n_demos)
    return add_fields(row, rest(record, "trajectory", "history"), ledger)


def _is_before(message: Row) -> bool:
    return message.get("role") != "assistant"


def _opening(messages: list[Row], ledger: Ledger) -> Row:
    """System prompt and opening of the messages before the first step, those of an example left out."""
    answer = {"role": "assistant", "content": ""}
    return episode_of([*filter(_is_before, messages), answer], ledger)


def _step(given: Row, ledger: Ledger) -> Row:
    step: Row = {"thought": as_text(given.get("thought")).strip(), "action": as_text(given["action"]).strip()}
    text = {"text": given["response"]} if isinstance(given.get("response"), str) and given["response"] else {}
    if (reward := number(given.get("reward"))) is not None:
        step["reward"] = reward
    meta = ledger.carry(rest(given, "observation", "query", *step, *(["response"] if text else [])), "step.")
    return text | step | {"observation": as_text(given["observation"]), "meta": meta}


ADAPTER = record_adapter("SWE-agent", why_not, episode)
