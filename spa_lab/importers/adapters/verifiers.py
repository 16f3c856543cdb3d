"""Results of verifiers and prime-rl: `prompt` and `completion` as messages, `reward`, calls of the model."""

from collections.abc import Mapping
from typing import Any

from spa_lab.importers.adapter import missing, objects, record_adapter, rest
from spa_lab.importers.chat import row_of_messages
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row


def why_not(record: Mapping[str, Any]) -> str:
    """Messages under both names, the prompt may be one text; or calls of the model that have them."""
    if _calls(record):
        return ""
    if said := missing(record, prompt=(list, str), completion=(list, str)):
        return said
    good = objects(record["completion"]) or record["completion"] == []
    return "" if good else "'completion' holds no messages"


def episode(record: Row, ledger: Ledger) -> Row:
    """Rollouts of one example share its id, so it is the task's; numbers of a call are those of its step."""
    calls = _calls(record)
    last = calls[-1] if calls else record
    whole = record if isinstance(record.get("completion"), list) and "prompt" in record else last
    prompt = whole["prompt"]
    prompt = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    plain = rest(record, "prompt", "completion", "example_id") | {"messages": prompt + whole["completion"]}
    if "example_id" in record:
        plain["id"] = record["example_id"]
    steps_in_prompt = sum(message.get("role") == "assistant" for message in objects(prompt))
    row = row_of_messages(rest(plain, "trajectory") if calls else plain, "messages", ledger)
    steps = row["steps"][steps_in_prompt if whole is record else 0 :]
    if calls and len(calls) == len(steps):
        for step, call in zip(steps, calls, strict=True):
            tokens = call.get("tokens") or {}
            numbers = {"logprobs": tokens.get("completion_logprobs"), "advantage": call.get("advantage")}
            if isinstance(call.get("reward"), int | float):
                step["reward"] = call["reward"]
            step["meta"] = step.get("meta", {}) | ledger.carry(numbers, "step.")
        ledger.drop("trajectory", "tells the messages again; the numbers of its calls are kept", len(calls))
    elif calls:
        row["meta"] = row.get("meta", {}) | ledger.carry({"trajectory": calls})
    return row


def _calls(record: Mapping[str, Any]) -> list[Row]:
    """The calls of the model with what each read and wrote, as verifiers and prime-rl keep them."""
    calls = objects(record.get("trajectory"))
    good = all(objects(call.get("prompt")) and objects(call.get("completion")) for call in calls)
    return calls if good else []


ADAPTER = record_adapter("verifiers results", why_not, episode)
