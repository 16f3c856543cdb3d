"""A record with messages as a row: the episode that they tell, and the other fields of the record.

    {"outcome": 1, "messages": [{"role": "user", "content": "Find the key."},
                                {"role": "assistant", "content": "Action: open box"}, ...]}

Every message of the assistant is a step. The messages before the first one, except system messages, are the
initial observation; messages of the user or a tool after a step are its reply.
"""

from collections.abc import Mapping
from typing import Any, get_args

from spa_lab.importers.adapter import objects
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.messages import episode_of
from spa_lab.importers.outcomes import number, outcome_in
from spa_lab.importers.rows import FIELDS, Row, check_fields
from spa_lab.types import Ended

_FIELDS = {name: kind for name, kind in FIELDS.items() if name != "steps"} | {"messages": list}
_INSTRUCTIONS = ("instruction", "question", "problem_statement")
_MODELS = ("model", "model_name", "model_id", "modelId")
_SYSTEM = ("system", "system_prompt", "system_instruction", "systemInstruction", "instructions")
_REWARDS = ("rewards", "step_rewards", "turn_scores", "turn_rewards")


def chat_row(row: Row) -> Row:
    """A row with `messages` as one of the format `steps`; all other fields are as in `importers.steps`.

    System messages are left out here; `importers.read_log` keeps them in meta.

    Raises:
        ValueError: a message is bad (names its index), or none is the assistant's.
    """
    check_fields(row, _FIELDS, ("messages", "outcome"), "row")
    told = episode_of(row["messages"], Ledger())
    plain = {name: value for name, value in row.items() if name != "messages"}
    steps = [{name: value for name, value in step.items() if name != "meta"} for step in told["steps"]]
    return {"initial_observation": told["initial_observation"]} | plain | {"steps": steps}


def row_of_messages(record: Mapping[str, Any], name: str, ledger: Ledger) -> Row:
    """The row of a record that has its messages under `name`.

    Raises:
        ValueError: a message is bad (names its index).
        NoEpisode: none of them is the agent's.
    """
    others = {key: value for key, value in record.items() if key != name}
    return add_fields(episode_of(record[name], ledger), others, ledger)


def add_fields(
    row: Row, fields: Mapping[str, Any], ledger: Ledger, also: Mapping[str, Any] | None = None
) -> Row:
    """Add what a record says of its episode; what has no place in a row is carried in meta.

    Args:
        row: opening, steps and meta.
        fields: the record without them.
        ledger: counts what is carried.
        also: where the outcome is looked for if `fields` has none.
    """
    left = dict(fields)
    name, outcome = outcome_in(left)
    if name:
        del left[name]
        row = row | {"outcome_field": name}
    else:
        name, outcome = outcome_in(also or {})
    row = row | {"outcome": outcome}
    _add_success(row, {"success": outcome} if name == "success" else left, also or {})
    for key in ("id", "task_id"):
        if isinstance(left.get(key), str | int) and not isinstance(left[key], bool) and left[key] != "":
            row[key] = str(left.pop(key))
    for key in ("env", "split", "policy", "seed", "initial_observation", "credits"):
        value = left.get(key)
        fits = isinstance(value, FIELDS[key]) and not isinstance(value, bool)
        if fits and value != "":  # a blank cell of a table
            row[key] = left.pop(key)
    for key in _MODELS:
        if isinstance(left.get(key), str) and left[key] and "policy" not in row:
            row["policy"] = left.pop(key)
    if left.get("ended") in get_args(Ended):
        row["ended"] = left.pop("ended")
    elif left.get("is_truncated") is True or left.get("truncated") is True:
        row["ended"] = "step_limit"
    for key in _INSTRUCTIONS:
        if isinstance(left.get(key), str) and left[key] and "instruction" not in row:
            row["instruction"] = left.pop(key)
    _add_rewards(row, left)
    for key in _SYSTEM:
        if text := _text_of(left.get(key)):
            ledger.system_prompts += 1
            row["meta"] = row.get("meta", {}) | {"system_prompt": text}
            del left[key]
            break
    meta = row.get("meta", {}) | ledger.carry(left)
    return row | ({"meta": meta} if meta else {})


def _add_success(row: Row, left: Row, also: Mapping[str, Any]) -> None:
    """What a record says of the success, be it true, 1 or "True", not what follows from its outcome."""
    fields = left if number(left.get("success")) in (0, 1) else also
    if (told := number(fields.get("success"))) in (0, 1):
        row["success"] = told == 1
        if fields is left:
            del left["success"]


def _text_of(prompt: Any) -> str:
    """A prompt given as text, or in parts that all hold text; else empty."""
    if isinstance(prompt, dict):
        prompt = prompt.get("parts", [prompt])
    parts = [{"text": prompt}] if isinstance(prompt, str) else objects(prompt)
    texts = [part.get("text") for part in parts]
    return "\n".join(map(str, texts)) if all(isinstance(text, str) for text in texts) else ""


def _add_rewards(row: Row, left: Row) -> None:
    """A list with a number for every step is the steps' reward."""
    for key in _REWARDS:
        values = left.get(key)
        if isinstance(values, list) and len(values) == len(row["steps"]):
            paid = [number(value) for value in values]
            if None not in paid:
                for step, reward in zip(row["steps"], paid, strict=True):
                    step["reward"] = reward
                del left[key]
                return
