"""Names of episodes and of their tasks, where a log says neither or repeats one."""

from pathlib import PurePath

from spa_lab.importers.adapter import Found, as_text
from spa_lab.importers.ledger import Ledger

_COMMON = frozenset(
    {"trajectory", "traj", "messages", "log", "output", "history", "session", "events", "result"}
)
"""Names of files of which there is one in the folder of each episode."""


def settle_ids(found: list[Found], ledger: Ledger) -> None:
    """Texts as ids, in place; rows without one are named after their place, trials of a task are numbered.

    An id that repeats names a task only if the episodes begin alike; a `task_id` always does.

    Raises:
        ValueError: a row of the package's own format repeats an id (names the place).
    """
    several = len(ledger.files) > 1
    counts: dict[str, int] = {}
    openings: dict[tuple[str, str], str] = {}
    starts: dict[str, dict[tuple[str, str], str]] = {}
    n_repeated = n_alike = n_apart = 0
    for where, row, is_own in found:
        identity = str(row.get("id", _name(where, several)))
        opening = (as_text(row.get("instruction")), as_text(row.get("initial_observation")))
        has_task, has_id = "task_id" in row, "id" in row
        if any(opening) and not is_own and not has_id and not has_task:
            n_alike += opening in openings
            row["task_id"] = openings.setdefault(opening, identity)
        task = str(row.get("task_id", identity))
        if identity in counts:
            if is_own:
                raise ValueError(f"{where}: duplicate trajectory {identity!r}")
            n_repeated += 1
            identity = _numbered(identity, counts)
        counts[identity] = 1
        if has_id and not has_task:
            of_id = starts.setdefault(task, {})
            n_apart += bool(of_id) and opening not in of_id
            task = of_id.setdefault(opening, identity)
        row["id"], row["task_id"] = identity, task
    if n_repeated:
        apart = f"; {n_apart} begin unlike it: another task" if n_apart else ""
        ledger.notes.append(
            f"{n_repeated} ids repeat an earlier one and were numbered; task_id keeps them{apart}"
        )
    if n_alike:
        ledger.notes.append(f"{n_alike} episodes without a name begin as an earlier one: taken for its task")


def _numbered(identity: str, counts: dict[str, int]) -> str:
    """The id with the next number that is free."""
    first = identity
    while identity in counts:
        counts[first] += 1
        identity = f"{first}#{counts[first]}"
    return identity


def _name(where: str, several: bool) -> str:
    """A name from the place: of the file, or of the line in it."""
    place, _, position = where.rpartition(", ")
    path = PurePath(place or position)
    stem = path.name.partition(".")[0]
    if several and stem.lower() in _COMMON and path.parent.name:
        stem = f"{path.parent.name}/{stem}"
    if not place:
        return stem
    name = position.replace(" ", "-")
    return f"{stem}/{name}" if several else name
