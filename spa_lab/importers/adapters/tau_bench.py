"""τ-bench: `traj` with `reward`, `task_id` and `trial`; τ²-bench: `simulations` with `reward_info`."""

from collections.abc import Mapping
from typing import Any

from spa_lab.importers.adapter import NoEpisode, objects, record_adapter, rest
from spa_lab.importers.chat import row_of_messages
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row


def why_not(record: Mapping[str, Any]) -> str:
    """One episode, or a file of simulations."""
    if objects(record.get("simulations")) or (objects(record.get("traj")) and "task_id" in record):
        return ""
    return "neither 'traj' with 'task_id' nor 'simulations'"


def episode(record: Row, ledger: Ledger) -> Row | list[Row]:
    """Trials of a task share `task_id`."""
    if "simulations" not in record:
        return _one(record, "traj", ledger)
    shared = ledger.carry(rest(record, "simulations", "tasks"))
    if record.get("tasks"):
        ledger.drop(
            "tasks", "definitions of the benchmark's tasks, no part of an episode", len(record["tasks"])
        )
    rows = []
    for simulation in record["simulations"]:
        reward = (simulation.get("reward_info") or {}).get("reward")
        try:
            row = _one(simulation | {"reward": reward}, "messages", ledger)
        except NoEpisode as error:
            ledger.drop("simulation", str(error))
            continue
        rows.append(row | {"meta": row.get("meta", {}) | {"file": shared}})
    return rows


def _one(record: Row, name: str, ledger: Ledger) -> Row:
    task = str(record.get("task_id", ""))
    details = (record.get("info") or {}).get("task") or {}
    instruction = details.get("instruction", "") if isinstance(details, dict) else ""
    identity = f"{task}/trial-{record['trial']}" if record.get("trial") is not None else task
    plain = rest(record, "task_id", "trial", "id") | {"id": identity, "instruction": instruction}
    row = row_of_messages(plain, name, ledger)
    if record.get("id") is not None:
        row["meta"] = row.get("meta", {}) | ledger.carry({"simulation": record["id"]})
    return row | {"task_id": task}


ADAPTER = record_adapter("τ-bench", why_not, episode)
