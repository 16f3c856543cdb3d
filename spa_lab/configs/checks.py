"""The error that every settings class raises for a value that is not allowed."""

import math


class SettingError(ValueError):
    """A setting has a value that is not allowed. Its message is one line: key, what is allowed, value."""

    def __init__(self, key: str, allowed: str, value: object) -> None:
        # the three parts are the exception's `args`, so that it survives pickling between processes
        super().__init__(key, allowed, value)
        self.key, self.allowed, self.value = key, allowed, value

    def __str__(self) -> str:
        return f"{self.key}: expected {self.allowed}, got {self.value!r}"

    def within(self, prefix: str) -> "SettingError":
        """The same error for a key one level up: "clip" within "ppo" is "ppo.clip"."""
        return SettingError(f"{prefix}.{self.key}", self.allowed, self.value)


def check_positive(**values: float) -> None:
    """Raise unless every value is finite and > 0.

    Raises:
        SettingError: names the first field that is not.
    """
    for key, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise SettingError(key, "a number > 0", value)


def check_not_negative(**values: float) -> None:
    """Raise unless every value is finite and >= 0.

    Raises:
        SettingError: names the first field that is not.
    """
    for key, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise SettingError(key, "a number >= 0", value)


def check_counts(**values: int) -> None:
    """Raise unless every value is at least 1.

    Raises:
        SettingError: names the first field that is not.
    """
    for key, value in values.items():
        if value < 1:
            raise SettingError(key, "a whole number >= 1", value)


def check_optional_counts(**values: int | None) -> None:
    """Raise unless every value is None or at least 1.

    Raises:
        SettingError: names the first field that is not.
    """
    for key, value in values.items():
        if value is not None and value < 1:
            raise SettingError(key, "a whole number >= 1 or none", value)


def check_choice(key: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise unless `value` is one of `choices`.

    Raises:
        SettingError: lists the choices.
    """
    if value not in choices:
        raise SettingError(key, f"one of {', '.join(choices)}", value)
