"""The package's own format `steps`: the smallest file that holds trajectories, one JSON object per line.

    {"outcome": 1, "steps": [{"action": "open box", "observation": "A key."}, {"action": "take key"}]}

Field of a line       | if it is missing
----------------------|---------------------------------------------------------------
outcome               | number in [0, 1]; unknown
steps (required)      | list of at least one step
id                    | "line-N", or the file's name if it holds one object; must be unique
task_id               | the id
instruction           | ""
initial_observation   | ""
success               | true if the outcome is 1, false if it is 0, else unknown
ended                 | "done"; else "step_limit" or "error"
policy, env, split    | "agent", "imported", "imported"
seed                  | 0
credits               | none; {"source": [one number per step]}, in units of the outcome
base_values           | none; {"source": the part of its prediction that belongs to no step}
standard_errors       | none; {"source": [one number per step]}; of sources with credits, as base_values
labels                | none; {"source": [a number or null per step]}: below 0 harmful, above 0 helpful
truth                 | none; measured V: {"values": [T + 1 numbers], "standard_error": [T + 1 numbers],
                      | "branches": continuations of each (0: exact), "policy": who, "step_cap": steps};
                      | without standard errors those of means of outcomes of 0 and 1

Field of a step       | if it is missing
----------------------|---------------------------------------------------------------
action or text        | one is required; a missing action is parsed from the text ("Thought: ... Action: ...")
thought               | parsed from the text, or ""
observation           | "" (the world's reply to this action)
grounded              | unknown (whether the world could execute the action)
reward                | none; 0 where another step has one; the rewards become the credit "logged reward"
value                 | none; V before the step, of a critic; of all steps: the credit "logged value"
advantage             | none; where all steps have one: the credit "logged advantage"
tokens, token_numbers | none; texts of the tokens written, {"logprob": [a number per token], ...}

Other fields are kept in `meta`, and counted; one that looks like a misspelt name is an error.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from spa_lab.importers.annotations import Annotations
from spa_lab.importers.imported import Imported
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row, trajectory_of, unknown_notes
from spa_lab.store.files import read_text
from spa_lab.store.records import check_unique


def read_steps(path: Path) -> Imported:
    """Trajectories and credits of JSON lines in this format, strictly: no other fields.

    Raises:
        StoreError: the file is missing or cannot be read.
        ValueError: naming file and line: broken JSON, or what `trajectory_of` refuses; two trajectories of
            one id; or a file without rows.
    """
    trajectories, said, ledger = [], Annotations(), Ledger()
    for where, line_number, row in _lines(path):
        try:
            trajectory = trajectory_of(row, f"line-{line_number}")
            said.add(row, trajectory, ledger)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        trajectories.append(trajectory)
    if not trajectories:
        raise ValueError(f"{path}: holds no rows")
    try:
        check_unique([trajectory.id for trajectory in trajectories], "trajectory")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    ledger.episodes, ledger.steps = len(trajectories), sum(map(len, trajectories))
    return said.imported(trajectories, unknown_notes(trajectories), ledger, {})


def _lines(path: Path) -> Iterator[tuple[str, int, Row]]:
    """Location, line number from 1, and object of every non-blank line."""
    for line_number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            where = f"{path}, line {line_number}"
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{where}: broken JSON at column {error.colno}: {error.msg}") from None
            except (ValueError, RecursionError) as error:  # numbers or nesting without limit
                raise ValueError(f"{where}: {error}") from None
            yield where, line_number, row
