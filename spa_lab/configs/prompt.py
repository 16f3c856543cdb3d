"""Settings of the prompt."""

from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

from spa_lab.configs.checks import SettingError, check_choice, check_optional_counts

Thinking = Literal["template", "off", "kept"]


@dataclass(frozen=True)
class PromptConfig:
    """What a model reads around the messages of the world and its own."""

    system: str = ""
    """System prompt; empty: that of the chat template, if it has one."""
    examples: int = 0
    """Expert episodes that are shown before the first observation. Published scores: 1."""
    thinking: Thinking = "template"
    """Thoughts in <think> tags. "template": as the chat template has it; refused where that would change
    earlier replies. "off": the model replies without thinking in every turn. "kept": it may think, and its
    thoughts stay in the chat, which grows by them. An action inside a thought is never executed."""
    date: str = "2024-07-26"
    """The date that a chat template may show, so that a run does not depend on the day."""
    context: int | None = None
    """Most tokens of an episode; None: as many as the model can read. Released code: 4,096."""

    def __post_init__(self) -> None:
        check_choice("thinking", self.thinking, get_args(Thinking))
        check_optional_counts(context=self.context)
        if self.examples < 0:
            raise SettingError("examples", "a whole number >= 0", self.examples)
        try:
            date.fromisoformat(self.date)
        except ValueError:
            raise SettingError("date", "a date like 2024-07-26", self.date) from None
