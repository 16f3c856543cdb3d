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

Field of a step       | if it is missing
----------------------|---------------------------------------------------------------
action or text        | one is required; a missing action is parsed from the text ("Thought: ... Action: ...")
thought               | parsed from the text, or ""
observation           | "" (the world's reply to this action)
grounded              | unknown (whether the world could execute the action)
reward                | none; where a step has one, the rewards become the credit "logged reward"

Other fields are kept in `meta`, and counted; one that looks like a misspelt name is an error.
"""

from pathlib import Path

from spa_lab.importers.rows import Imported, read_rows


def read_steps(path: Path) -> Imported:
    """Trajectories and credits of JSON lines in this format, strictly: no other fields.

    Raises:
        StoreError: the file is missing or cannot be read.
        ValueError: a row is bad; names file and line.
    """
    return read_rows(path, lambda row: row)
