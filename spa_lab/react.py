"""ReAct text: thought and action of one step, and the chat messages of many.

A step is written `Thought: ...` and `Action: ...` on lines of their own. Reading is forgiving and never
raises: what a model writes is data. Knows nothing of worlds; whether an action can be executed is not
decided here.
"""

import re
from collections.abc import Sequence

from spa_lab.types import Step, Trajectory

_ACTION_LINE = re.compile(r"^[ \t]*Action:", re.MULTILINE)
_ACTION_ANYWHERE = re.compile(r"Action:")
_THOUGHT_START = re.compile(r"\s*Thought:")


def parse(text: str) -> tuple[str, str]:
    r"""Thought and action of one step, both stripped.

    The action is one line: what follows the first line that starts with `Action:`, or, where no line starts
    so, the first `Action:` anywhere. It is empty where there is no `Action:` or nothing behind it. The
    thought is all that stands before, without its leading `Thought:`.

    Departs from the released code, whose `Action:\s?(.*)` spans lines (DOTALL): a model that invents the
    world's next observation there sends it to the world as a part of its action.

    Args:
        text: verbatim model output; any text.

    Returns:
        (thought, action); the action holds no newline.
    """
    marker = _ACTION_LINE.search(text) or _ACTION_ANYWHERE.search(text)
    before, behind = (text[: marker.start()], text[marker.end() :]) if marker else (text, "")
    thought = _THOUGHT_START.sub("", before, count=1) if _THOUGHT_START.match(before) else before
    action = behind.strip().split("\n", 1)[0]
    return thought.strip(), action.strip()


def write(thought: str, action: str) -> str:
    """The ReAct text of one step; without a thought it is the action line alone.

    `parse` gives both back if they are stripped, the action is a single line and not empty, and the thought
    neither contains `Action:` nor starts with `Thought:`.
    """
    return f"Thought: {thought}\nAction: {action}" if thought else f"Action: {action}"


def opening_message(initial_observation: str, manual: str = "") -> str:
    """The first message that an agent reads: the manual, if there is one, before the first observation."""
    return f"{manual}\n\n{initial_observation}" if manual else initial_observation


def history(
    initial_observation: str, steps: Sequence[Step], *, manual: str = "", prefix: str = ""
) -> list[dict[str, str]]:
    """The chat that an agent reads before its next step: user and assistant in turn, user last.

    Args:
        initial_observation: what the world said before the first step.
        steps: the t steps taken so far, t >= 0.
        manual: what the agent is told about the world; opens the first message, so that roles alternate.
        prefix: put before every later observation, "Observation: " in the released prompts. None by
            default: the role already says it, and a small model pays for every token.

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

    The last observation is left out: nobody acts on it. The first 2t + 1 messages are exactly the `history`
    that the agent read before step t, so training sees what the agent saw.

    Args:
        trajectory: T steps.
        manual: as in `history`.
        prefix: as in `history`.

    Returns:
        2T messages with the keys `role` ("user" or "assistant") and `content`.
    """
    return history(trajectory.initial_observation, trajectory.steps, manual=manual, prefix=prefix)[:-1]
