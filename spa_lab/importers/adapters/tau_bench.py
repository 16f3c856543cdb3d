"""τ-bench: `traj` with `reward`, `task_id` and `trial`; τ²-bench: `simulations` with `reward_info`."""

from collections.abc import Mapping
from typing import Any

from spa_lab.importers.adapter import NoEpisode, objects, record_adapter, rest
from spa_lab.importers.chat import row_of_messages
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row

_ENDED = {
    "max_steps": "step_limit", "too_many_errors": "error", "agent_error": "error", "user_error": "error",
    "infrastructure_error": "error",
}  # fmt: skip
"""Reason of τ²-bench why a simulation ended -> `Trajectory.ended`; others are "done"."""


def why_not(record: Mapping[str, Any]) -> str:
    """One episode, also one that failed before its first step, or a file of simulations."""
    if objects(record.get("simulations")):
        return ""
    traj = record.get("traj")
    is_failed = traj == [] and "reward" in record
    if "task_id" in record and (objects(traj) or is_failed):
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
    try:
        row = row_of_messages(plain | {name: record.get(name) or []}, name, ledger)
    except NoEpisode:
        reward = "unknown" if record.get("reward") is None else record["reward"]
        raise NoEpisode(
            f"no step of the agent, reward {reward} in the log; shares of successes are those of the others"
        ) from None
    if (ended := _ENDED.get(str(record.get("termination_reason")))) is not None:
        row["ended"] = ended
    if record.get("id") is not None:
        row["meta"] = row.get("meta", {}) | ledger.carry({"simulation": record["id"]})
    return row | {"task_id": task}


ADAPTER = record_adapter("τ-bench", why_not, episode)
