"""RAGEN rollouts: `history` of turns with the state, the model's response, its actions and the reward."""

from collections.abc import Mapping
from typing import Any

from spa_lab.importers.adapter import NoEpisode, missing, objects, record_adapter, rest
from spa_lab.importers.chat import add_fields
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.outcomes import number
from spa_lab.importers.rows import Row

_TEXTS = ("llm_raw_response", "llm_response")


def why_not(record: Mapping[str, Any]) -> str:
    """A history of states and responses."""
    if said := missing(record, history=list):
        return said
    turns = objects(record["history"])
    told = [turn for turn in turns if any(name in turn for name in (*_TEXTS, "actions"))]
    return (
        "" if told and all("state" in turn for turn in turns) else "'history' holds no states and responses"
    )


def episode(record: Row, ledger: Ledger) -> Row:
    """The state after a turn is the next turn's; episodes of one group start alike and share their task."""
    turns = record["history"]
    states = [str(turn["state"]) for turn in turns] + [""]
    told = [(t, turn) for t, turn in enumerate(turns) if any(turn.get(name) for name in (*_TEXTS, "actions"))]
    if not told:
        raise NoEpisode("no response of the model")
    steps = [_step(turn, ledger) | {"observation": states[t + 1]} for t, turn in told]
    plain = rest(record, "history", "env_id", "group_id")
    names = {"env_id": "id", "group_id": "task_id"}
    plain |= {names[key]: record[key] for key in names if key in record}
    row = add_fields({"initial_observation": states[told[0][0]], "steps": steps}, plain, ledger)
    return row | _success(told[-1][1], record)


def _success(last: Row, record: Row) -> Row:
    """What the environment says of the last turn, or the rollout's metrics, such as "Sokoban/success"."""
    metrics, info = record.get("metrics"), last.get("info")
    told = [info.get("success")] if isinstance(info, dict) else []
    if isinstance(metrics, dict):
        told += [value for name, value in metrics.items() if str(name).rpartition("/")[2] == "success"]
    return next(({"success": bool(value)} for value in told if value in (0, 1)), {})


def _step(turn: Row, ledger: Ledger) -> Row:
    step: Row = {}
    used = ["state"]
    for name in _TEXTS:
        if isinstance(turn.get(name), str) and "text" not in step:
            step["text"] = turn[name]
            used.append(name)
    if objects(turn.get("actions")) == [] and isinstance(turn.get("actions"), list):
        step["action"] = "\n".join(map(str, turn["actions"]))
        used.append("actions")
    if number(turn.get("reward")) is not None:
        step["reward"] = number(turn["reward"])
        used.append("reward")
    return step | {"meta": ledger.carry(rest(turn, *used), "step.")}


ADAPTER = record_adapter("RAGEN rollouts", why_not, episode)
