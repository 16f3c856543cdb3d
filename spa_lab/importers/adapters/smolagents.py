"""Memory of smolagents: a list of steps (prompt, task, plans, actions), or a run or row that holds one."""

import re
from collections.abc import Iterator

from spa_lab.importers.adapter import as_text, rest
from spa_lab.importers.chat_adapter import chat_adapter
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row

_CODE = re.compile(
    r"(?:Code:\s*)?(?:<code>.*?(?:</code>|\Z)|```(?:py|python)?\n.*?(?:```|\Z)(?:<end_code>)?)", re.DOTALL
)
_USED = ("model_output", "tool_calls", "observations", "error", "action_output")
_RETOLD = ("model_input_messages", "model_output_message", "code_action")
_MARKS = ("model_output", "observations", "action_output")


def _is_action(step: Row) -> bool:
    return "step_number" in step and any(name in step for name in _MARKS)


def _is_entry(step: Row) -> bool:
    return _is_action(step) or any(name in step for name in ("system_prompt", "task", "plan", "final_answer"))


def _messages(steps: list[Row], ledger: Ledger) -> Iterator[Row]:
    """An action is a message of the agent; what it saw, or the error, is the reply."""
    for step in steps:
        for name in _RETOLD:
            if step.get(name):
                ledger.drop(name, "tells the steps again")
        if _is_action(step):
            text = as_text(step.get("model_output"))
            calls = step.get("tool_calls") or []
            text = _CODE.sub("", text).strip().removeprefix("Thought:").strip() if calls else text
            yield rest(step, *_USED, *_RETOLD) | {"role": "assistant", "content": text, "tool_calls": calls}
            error = step.get("error")
            error = error.get("message", error) if isinstance(error, dict) else error
            final = step.get("action_output") if step.get("is_final_answer") else None
            said = [as_text(one) for one in (step.get("observations"), error, final) if one is not None]
            yield {"role": "user", "content": "\n".join(said)}
        elif "plan" in step:
            yield {"role": "assistant", "content": None, "thought": as_text(step["plan"])} | rest(
                step, "plan", *_RETOLD
            )
        elif "system_prompt" in step:
            yield {"role": "system", "content": as_text(step["system_prompt"])}
        else:
            yield {"role": "user", "content": as_text(step.get("task"))} | rest(step, "task")


ADAPTER = chat_adapter(
    "memory of smolagents", _is_action, "no step with 'step_number' and 'model_output'", convert=_messages,
    is_entry=_is_entry, what="memory steps", names=("steps", "intermediate_steps", "memory"),
)  # fmt: skip
