"""ReAct text: thought and action of one step, and the chat messages of many.

A step is `Thought: ...` and `Action: ...`, each on a line of its own. Parsing is lenient and never raises:
what a model writes is data. Whether an action can be executed is decided by the world, not here.
"""

import re
from collections.abc import Sequence

from spa_lab.types import Step, Trajectory

THOUGHT_OPEN, THOUGHT_CLOSED = "<think>", "</think>"
"""Tags around what a reasoning model thinks before it replies."""
_ACTION_LINE = re.compile(r"^[ \t]*Action:", re.MULTILINE)
_ACTION_ANYWHERE = re.compile(r"Action:")
_THOUGHT_START = re.compile(r"\s*Thought:")


def parse(text: str) -> tuple[str, str]:
    r"""Thought and action of one step, both stripped.

    The action is one line: what follows the first line that starts with `Action:` or, if no line does, the
    first `Action:` anywhere. It is empty if there is no `Action:` or nothing after it. The thought is all
    text before it, without a leading `Thought:`. What stands in <think> tags is a thought, whatever it says;
    the action comes after the last </think>, and there is none if the last <think> is not closed.

    Departs from the released code, whose `Action:\s?(.*)` spans lines (DOTALL): a model that invents the
    world's next observation there sends it to the world as a part of its action.

    Args:
        text: verbatim model output; any text.

    Returns:
        (thought, action); the action holds no newline.
    """
    inner, closed, said = text.rpartition(THOUGHT_CLOSED)
    if THOUGHT_OPEN in said:
        inner, closed, said = text, THOUGHT_CLOSED, ""
    marker = _ACTION_LINE.search(said) or _ACTION_ANYWHERE.search(said)
    before, after = (said[: marker.start()], said[marker.end() :]) if marker else (said, "")
    thought = _THOUGHT_START.sub("", before, count=1) if _THOUGHT_START.match(before) else before
    if closed:
        inner = inner.replace(THOUGHT_OPEN, "").replace(THOUGHT_CLOSED, "").strip()
        thought = f"{inner}\n{thought.strip()}"
    action = after.strip().split("\n", 1)[0]
    return thought.strip(), action.strip()


def write(thought: str, action: str) -> str:
    """The ReAct text of one step; without a thought, only the action line.

    `parse` returns both unchanged if they are stripped, the action is a single non-empty line, and the
    thought neither contains `Action:` nor starts with `Thought:`.
    """
    return f"Thought: {thought}\nAction: {action}" if thought else f"Action: {action}"


def opening_message(initial_observation: str, manual: str = "") -> str:
    """The first message that an agent reads: the manual, if there is one, before the first observation."""
    return f"{manual}\n\n{initial_observation}" if manual else initial_observation


def history(
    initial_observation: str, steps: Sequence[Step], *, manual: str = "", prefix: str = ""
) -> list[dict[str, str]]:
    """The chat that an agent reads before its next step: user and assistant alternate, user last.

    Args:
        initial_observation: the world's text before the first step.
        steps: the t steps taken so far, t >= 0.
        manual: description of the world for the agent; it opens the first message, so that roles alternate.
        prefix: text before every later observation, "Observation: " in the released prompts. Empty by
            default: the role already marks observations, and tokens are costly for a small model.

    Returns:
        2t + 1 messages with the keys `role` ("user" or "assistant") and `content`.
    """
    chat = [{"role": "user", "content": opening_message(initial_observation, manual)}]
    for step in steps:
        chat.append({"role": "assistant", "content": step.text})
        chat.append({"role": "user", "content": prefix + step.observation})
    return chat


def messages(trajectory: Trajectory, *, manual: str = "", prefix: str = "") -> list[dict[str, str]]:
    """The chat of a finished trajectory: 2T messages, the last one its last step.

    The last observation is left out, because no step follows it. The first 2t + 1 messages are exactly the
    `history` that the agent read before step t, so training sees what the agent saw.

    Args:
        trajectory: T steps.
        manual: as in `history`.
        prefix: as in `history`.

    Returns:
        2T messages with the keys `role` ("user" or "assistant") and `content`.
    """
    return history(trajectory.initial_observation, trajectory.steps, manual=manual, prefix=prefix)[:-1]
