"""The format `steps`: the smallest file that holds trajectories, one JSON object per line.

    {"outcome": 1, "steps": [{"action": "open box", "observation": "A key."}, {"action": "take key"}]}

Field of a line       | if it is missing
----------------------|---------------------------------------------------------------
outcome (required)    | number in [0, 1]
steps (required)      | list of at least one step
id                    | "line-N"; must be unique
task_id               | the id
instruction           | ""
initial_observation   | ""
success               | true if the outcome is 1
ended                 | "done"; else "step_limit" or "error"
policy, env, split    | "agent", "imported", "imported"
seed                  | 0
credits               | none; {"source": [one number per step]}, in units of the outcome

Field of a step       | if it is missing
----------------------|---------------------------------------------------------------
action or text        | one is required; a missing action is parsed from the text ("Thought: ... Action: ...")
thought               | parsed from the text, or ""
observation           | "" (the world's reply to this action)
grounded              | true, and a note says so (whether the world could execute the action)

Other fields are errors, so that a misspelt one is not lost.
"""

from pathlib import Path

from spa_lab.importers.rows import Imported, read_rows


def read_steps(path: Path) -> Imported:
    """The trajectories and credits of a file in the format `steps`.

    Raises:
        StoreError: the file is missing or cannot be read.
        ValueError: a row is bad; names file and line.
    """
    return read_rows(path, lambda row: row)
