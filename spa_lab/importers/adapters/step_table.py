"""Tables with a row a step (CSV, JSON lines, a DataFrame): a column names the episode or counts its steps."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from spa_lab.importers.adapter import Adapter, Located, as_text, objects, rest
from spa_lab.importers.chat import add_fields
from spa_lab.importers.documents import Document
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.outcomes import NAMES, number, outcome_in
from spa_lab.importers.rows import Row

_EPISODE = (
    "episode_id", "episode", "trajectory_id", "traj_id", "traj_uid", "rollout_id", "session_id", "trace_id",
    "run_id", "conversation_id",
)  # fmt: skip
_TASK = "task_id"
"""Names a task, of which there may be several episodes; so may "task", which some logs change on the way."""
_STEP = ("step", "step_id", "step_idx", "step_index", "step_num", "step_number", "timestep", "turn", "t")
_ACTION = ("action", "action_text", "act", "command", "response", "model_output")
_TEXT = ("response", "model_output")
"""What the model wrote, of which the action is a part."""
_BEFORE, _AFTER = ("observation", "obs", "state"), ("next_observation", "next_obs", "next_state")
"""What is seen before an action, where what is seen after it has a name of its own."""
_STATES = ("obs", "state")
"""What is seen before an action in any case, as in logs of gym; an `observation` alone is the reply."""
_OUTCOMES = tuple(name for name in NAMES if name not in ("reward", "return"))
"""Columns that may hold the outcome; rewards and returns that differ from row to row are those of steps."""


class _Columns(NamedTuple):
    """Names of the columns; empty for one that is not there."""

    action: str
    episode: str
    step: str
    before: str
    after: str

    @property
    def opens(self) -> bool:
        """Whether the first row says what is seen before the first action."""
        return bool(self.after) or self.before in _STATES


class _Group(NamedTuple):
    """Rows that may be of one episode: the table gives them the same name and task."""

    name: str
    rows: list[int]
    """Their positions in the table."""


def _column(records: list[Row], names: Sequence[str]) -> str:
    """The first of the names under which a row holds something."""
    return next((name for name in names if any(record.get(name) not in (None, "") for record in records)), "")


def _why_not(document: Document) -> str:
    records = objects(document.records)
    if len(records) < 2 or any(isinstance(value, list) for value in records[0].values()):
        return "no rows of single values"
    if not _column(records, _ACTION):
        return f"no column {', '.join(_ACTION)}"
    return "" if _column(records, _EPISODE + _STEP) else "no column that names the episode or counts steps"


def _episodes(document: Document, ledger: Ledger) -> Iterator[Located]:
    records = objects(document.records)
    episode = _column(records, _EPISODE)
    groups = _groups(document, records, episode, ledger)
    step = _step_column(records, groups)
    action, before, after = (_column(records, names) for names in (_ACTION, _BEFORE, _AFTER))
    columns = _Columns(action, episode, step, before, after)
    found = [part for group in groups for part in _parts(document, records, group, columns, ledger)]
    if before and not after:
        if columns.opens:
            ledger.assumed[f"{before}: taken for what is seen before the action of its row"] += len(found)
        else:
            ledger.notes.append(f"{before}: read as what follows the action of its row")
    found.sort(key=lambda part: min(part.rows))
    for index, part in enumerate(found):
        name = part.name if episode else f"episode-{index}"
        rows = [records[position] for position in part.rows]
        yield document.where(min(part.rows)), _row(name, rows, columns, ledger)


def _groups(document: Document, records: list[Row], episode: str, ledger: Ledger) -> list[_Group]:
    """The rows by the name of their episode and their task."""
    groups: dict[tuple[str, str], list[int]] = {}
    for index, record in enumerate(records):
        if episode and record.get(episode) in (None, ""):
            raise ValueError(f"{document.where(index)}: nothing in the column {episode!r}")
        key = as_text(record[episode]) if episode else "", as_text(record.get(_TASK))
        groups.setdefault(key, []).append(index)
    n_again = len(groups) - len({name for name, _ in groups})
    if episode and n_again:
        ledger.assumed[f"{episode}: rows of one name, but of another {_TASK}, are another episode"] += n_again
    return [_Group(name, rows) for (name, _), rows in groups.items()]


def _step_column(records: list[Row], groups: list[_Group]) -> str:
    """The column that counts steps: the first that does not repeat within a group, else the first."""
    there = [name for name in _STEP if _column(records, [name])]
    for name in there:
        values = [[number(records[index].get(name)) for index in group.rows] for group in groups]
        if all(len(set(one)) == len(one) for one in values):
            return name
    return there[0] if there else ""


def _parts(
    document: Document, records: list[Row], group: _Group, columns: _Columns, ledger: Ledger
) -> list[_Group]:
    """The episodes of a group, their rows in the order of the steps.

    Where a name has distinct step numbers they only give the order. Elsewhere an episode begins where the
    number does not rise.

    Raises:
        ValueError: an episode would begin at another step than the others: their rows are mixed.
    """
    steps = {index: number(records[index].get(columns.step)) for index in group.rows}
    at = {index: step for index, step in steps.items() if step is not None}
    if columns.episode and len(at) < len(steps):
        return [group]
    if columns.episode and len(set(at.values())) == len(at):
        return [_Group(group.name, sorted(group.rows, key=lambda index: at[index]))]
    parts: list[list[int]] = [[]]
    for index in group.rows:
        last = parts[-1][-1:]
        if last and index in at and last[0] in at and at[index] <= at[last[0]]:
            parts.append([])
        parts[-1].append(index)
    first = min(at.values(), default=0)
    for part in parts[1:]:  # the beginning of the first may be cut off
        if at[part[0]] != first:
            who = f" of {columns.episode} {group.name!r}" if columns.episode else ""
            raise ValueError(
                f"{document.where(part[0])}: {columns.step} {at[part[0]]:g}{who} does not follow the row "
                f"before, and episodes begin at {first:g}: rows of several episodes are mixed"
            )
    if columns.episode and len(parts) > 1:
        ledger.assumed[f"{columns.step}: where it starts anew, another episode begins"] += len(parts) - 1
    return [_Group(group.name, part) for part in parts]


def _row(name: str, rows: list[Row], columns: _Columns, ledger: Ledger) -> Row:
    """Columns with one value in all rows are the episode's; of an outcome or success that varies the last."""
    used = {columns.action, columns.episode, columns.step, columns.before, columns.after, "reward", "thought"}
    shared = {
        key: value
        for key, value in rows[0].items()
        if key not in used
        and all(row.get(key) == value for row in rows)
        and (len(rows) > 1 or key in (_TASK, "task"))
    }
    last = _last(rows, shared)
    steps = [
        _step(rows, t, columns, {*shared, *(key for key in last if last[key] == t)}, ledger)
        for t in range(len(rows))
    ]
    for key, t in last.items():
        shared[key] = rows[t][key]
        if len({as_text(row.get(key)) for row in rows}) > 1:
            ledger.assumed[f"{key}: the last of an episode is the episode's"] += 1
    if _TASK not in shared and isinstance(shared.get("task"), str | int):
        shared[_TASK] = shared.pop("task")
    opening = {"initial_observation": as_text(rows[0].get(columns.before))} if columns.opens else {}
    return add_fields(opening | {"steps": steps}, shared | {"id": name}, ledger)


def _last(rows: list[Row], shared: Row) -> dict[str, int]:
    """Columns of the outcome and of the success that no shared column names -> last row that says it."""
    known = {
        name: max(t for t, row in enumerate(rows) if number(row.get(name)) is not None)
        for name in _OUTCOMES
        if any(number(row.get(name)) is not None for row in rows)
    }
    outcome = "" if outcome_in(shared)[0] else next(iter(known), "")
    return {name: t for name, t in known.items() if name in (outcome, "success") and name not in shared}


def _step(rows: list[Row], t: int, columns: _Columns, used: set[str], ledger: Ledger) -> Row:
    """A row as a step; `used` are the columns that are the episode's."""
    row, action = rows[t], columns.action
    step: Row = {"observation": _seen_after(rows, t, columns)}
    step["text" if action in _TEXT else "action"] = as_text(row.get(action))
    said = next((name for name in ("thought", *_TEXT) if _is_said(row.get(name)) and name != action), "")
    if said:
        step["thought"] = row[said]
    if number(row.get("reward")) is not None:
        step["reward"] = number(row["reward"])
        used.add("reward")
    if number(row.get(columns.step)) is not None:
        used.add(columns.step)
    if not columns.after or t == 0 or as_text(row.get(columns.before)) == _seen_after(rows, t - 1, columns):
        used.add(columns.before)
    used |= {action, columns.episode, columns.after, said}
    return step | {"meta": ledger.carry(rest(row, *used), "step.")}


def _seen_after(rows: list[Row], t: int, columns: _Columns) -> str:
    """What is seen after a step: in its row, or before the next one."""
    if columns.after or not columns.opens:
        return as_text(rows[t].get(columns.after or columns.before))
    return as_text(rows[t + 1].get(columns.before)) if t + 1 < len(rows) else ""


def _is_said(value: object) -> bool:
    return isinstance(value, str) and bool(value)


ADAPTER = Adapter("table with a row a step", _why_not, _episodes)
