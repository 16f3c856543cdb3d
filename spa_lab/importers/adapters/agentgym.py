"""Transitions with a reward each, as AgentGym, OpenEnv and RAGEN log them: `episodes`, or one a record."""

from collections.abc import Mapping
from typing import Any

from spa_lab.importers.adapter import BLANK, as_text, objects, record_adapter, rest
from spa_lab.importers.chat import add_fields
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.outcomes import number
from spa_lab.importers.rows import Row

_NAMES = ("transitions", "steps", "trajectory", "turns")


def _holder(record: Mapping[str, Any]) -> str:
    for name in _NAMES:
        steps = objects(record.get(name))
        if steps and all("action" in step and ("reward" in step or "observation" in step) for step in steps):
            return name
    return ""


def _is_empty(record: Mapping[str, Any]) -> bool:
    """Whether it is an episode that failed before its first step."""
    return not _holder(record) and any(record.get(name) == [] for name in _NAMES)


def why_not(record: Mapping[str, Any]) -> str:
    """Transitions, or episodes that have them."""
    episodes = objects(record.get("episodes"))
    told = [one for one in episodes if not _is_empty(one)]
    good = told and all(map(_holder, told)) if episodes else _holder(record)
    return "" if good else f"no 'episodes', and no transitions under {', '.join(_NAMES)}"


def episode(record: Row, ledger: Ledger) -> Row | list[Row]:
    """The reward of a transition becomes the step's; the outcome is the total that the log names."""
    if "episodes" not in record:
        return _one(record, ledger)
    shared = ledger.carry(rest(record, "episodes"), "file.")
    told = [given for given in record["episodes"] if not _is_empty(given)]
    if n_empty := len(record["episodes"]) - len(told):
        ledger.drop("episode", BLANK, n_empty)
    rows = [_one(given, ledger) for given in told]
    return [row | {"meta": row.get("meta", {}) | ({"file": shared} if shared else {})} for row in rows]


def _one(given: Row, ledger: Ledger) -> Row:
    name = _holder(given)
    if not name:
        raise ValueError("an episode without transitions")
    plain = rest(given, name, "episode_id", "data_idx")
    names = {"episode_id": "id", "data_idx": "task_id"}
    plain |= {names[key]: given[key] for key in names if key in given}
    return add_fields({"steps": [_step(step, ledger) for step in given[name]]}, plain, ledger)


def _step(given: Row, ledger: Ledger) -> Row:
    step: Row = {"action": as_text(given["action"]), "observation": as_text(given.get("observation"))}
    if number(given.get("reward")) is not None:
        step["reward"] = number(given["reward"])
    if isinstance(given.get("thought"), str):
        step["thought"] = given["thought"]
    meta = ledger.carry(rest(given, "action", "observation", *step), "step.")
    return step | ({"meta": meta} if meta else {})


ADAPTER = record_adapter("transitions with rewards (AgentGym, OpenEnv)", why_not, episode)
