"""Tables with a row a step (CSV, JSON lines, a DataFrame): a column names the episode or counts its steps."""

from collections.abc import Iterator

from spa_lab.importers.adapter import Adapter, Located, as_text, objects, rest
from spa_lab.importers.chat import add_fields
from spa_lab.importers.documents import Document
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.outcomes import number
from spa_lab.importers.rows import Row

_EPISODE = (
    "episode_id", "episode", "trajectory_id", "traj_id", "traj_uid", "rollout_id", "session_id", "trace_id",
    "run_id", "conversation_id", "task_id",
)  # fmt: skip
_STEP = ("step", "step_id", "step_idx", "step_index", "step_num", "step_number", "timestep", "turn", "t")
_ACTION = ("action", "action_text", "act", "command", "response", "model_output")
_TEXT = ("response", "model_output")
"""What the model wrote, of which the action is a part."""
_BEFORE, _AFTER = ("observation", "obs", "state"), ("next_observation", "next_obs", "next_state")
"""What is seen before an action, where what is seen after it has a name of its own."""


def _column(records: list[Row], names: tuple[str, ...]) -> str:
    return next((name for name in names if all(name in record for record in records)), "")


def _why_not(document: Document) -> str:
    records = objects(document.records)
    if len(records) < 2 or any(isinstance(value, list) for value in records[0].values()):
        return "no rows of single values"
    if not _column(records, _ACTION):
        return f"no column {', '.join(_ACTION)}"
    return "" if _column(records, _EPISODE + _STEP) else "no column that names the episode or counts steps"


def _episodes(document: Document, ledger: Ledger) -> Iterator[Located]:
    records = objects(document.records)
    action, episode, step = (_column(records, names) for names in (_ACTION, _EPISODE, _STEP))
    groups: dict[str, list[int]] = {}
    n_starts, last = 0, -1.0
    for index, record in enumerate(records):
        at = number(record.get(step)) if step else None
        n_starts += at is not None and at <= last
        last = -1.0 if at is None else at
        groups.setdefault(str(record[episode]) if episode else f"episode-{n_starts}", []).append(index)
    for name, indices in groups.items():
        rows = [records[index] for index in indices]
        if step and all(number(row[step]) is not None for row in rows):
            rows.sort(key=lambda row: number(row[step]) or 0.0)
        yield document.where(indices[0]), _row(name, rows, action, (episode, step), ledger)


def _row(name: str, rows: list[Row], action: str, keys: tuple[str, str], ledger: Ledger) -> Row:
    """Columns with one value in all rows are the episode's, the last row's outcome too."""
    before, after = _column(rows, _BEFORE), _column(rows, _AFTER)
    used = {action, *keys, before, after, "reward", "thought"}
    shared = {
        key: value
        for key, value in rows[0].items()
        if key not in used and len(rows) > 1 and all(row.get(key) == value for row in rows)
    }
    steps = [_step(row, action, after or before, used | shared.keys(), ledger) for row in rows]
    opening = {"initial_observation": as_text(rows[0][before])} if after and before else {}
    return add_fields(opening | {"steps": steps}, shared | {"id": name}, ledger)


def _step(row: Row, action: str, seen: str, used: set[str], ledger: Ledger) -> Row:
    step: Row = {"observation": as_text(row.get(seen))}
    step["text" if action in _TEXT else "action"] = as_text(row[action])
    said = next(
        (name for name in ("thought", *_TEXT) if isinstance(row.get(name), str) and name != action), ""
    )
    if said:
        step["thought"] = row[said]
    if number(row.get("reward")) is not None:
        step["reward"] = number(row["reward"])
    return step | {"meta": ledger.carry(rest(row, *used, said), "step.")}


ADAPTER = Adapter("table with a row a step", _why_not, _episodes)
