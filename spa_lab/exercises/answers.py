"""What a reader's function returns for given arguments, compared with what it should return.

Every result is one sentence. Nothing that a reader's function returns or raises may raise an error here.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Case = tuple[tuple[Any, ...], Any]
"""Arguments and the value that the reader's function should return for them."""


class Sentence(str):
    """What is said instead of an answer; a type of its own, since a reader's function may return text."""

    __slots__ = ()


NOT_WRITTEN = Sentence("Nothing to check yet: the function returned None.")

CLOSE = 1e-6
"""Largest difference of two numbers that agree: more than the rounding of single precision."""


def verdict(mine: Callable[..., Any], cases: Sequence[Case], *, within: float = CLOSE) -> str:
    """Try all cases of a function that returns numbers; those within `within` of the expected ones agree."""
    for arguments, expected in cases:
        answer = answer_of(mine, arguments)
        if isinstance(answer, Sentence):
            return answer
        if not agree(answer, expected, within=within):
            return differs(arguments, expected, answer)
    return f"Right: all {len(cases)} cases agree."


def verdict_of_texts(mine: Callable[..., Any], cases: Sequence[Case]) -> str:
    """As `verdict`, for answers that are a text or some texts."""
    for arguments, expected in cases:
        answer = answer_of(mine, arguments)
        if isinstance(answer, Sentence):
            return answer
        given = list(answer) if isinstance(answer, tuple | np.ndarray) else answer
        if not (isinstance(given, type(expected)) and given == expected):
            return not_yet(arguments, repr(expected), repr(answer))
    return f"Right: all {len(cases)} cases agree."


def answer_of(mine: Callable[..., Any], arguments: Sequence[Any], *, name: str = "") -> Any:
    """What the reader's function returns, or a `Sentence` if it returns nothing or raises an error.

    Arrays and lists are copied, so the function may change what it gets.
    """
    copies = [value.copy() if isinstance(value, np.ndarray | list) else value for value in arguments]
    try:
        answer = mine(*copies)
    except Exception as error:  # noqa: BLE001  # it is the reader's
        given = name or ", ".join(map(shown, arguments))
        return Sentence(f"Not yet: for {given} expected no error, got {type(error).__name__}: {error}")
    return NOT_WRITTEN if answer is None else answer


def as_array(answer: Any) -> np.ndarray | None:
    """The answer as an array of float64; None if it is no number and no array of numbers."""
    try:
        plain = answer.detach() if hasattr(answer, "detach") else answer  # a tensor with a gradient
        return None if np.asarray(plain).dtype.kind in "US" else np.asarray(plain, dtype=np.float64)
    except Exception:  # noqa: BLE001  # a generator, a dict, rows of unequal length: it is the reader's
        return None


def agree(answer: Any, expected: Any, *, within: float = CLOSE) -> bool:
    """Whether an answer has the shape and, up to rounding, the values that are expected."""
    actual, wanted = as_array(answer), np.asarray(expected, dtype=np.float64)
    if actual is None or actual.shape != wanted.shape:
        return False
    return bool(np.allclose(actual, wanted, rtol=0, atol=within))


def differs(arguments: Sequence[Any], expected: Any, answer: Any) -> str:
    """As `not_yet`, with as many digits as it takes to see the difference."""
    if isinstance(answer, str):
        return not_yet(arguments, shown(expected), repr(answer))
    for digits in (4, 7, 12):
        if shown(expected, digits) != shown(answer, digits):
            break
    return not_yet(arguments, shown(expected, digits), shown(answer, digits))


def not_yet(arguments: Sequence[Any], expected: str, answer: Any) -> str:
    """A case with what was expected and what was returned."""
    return f"Not yet: for {', '.join(map(shown, arguments))} expected {expected}, got {shown(answer)}."


def shown(value: Any, digits: int = 4) -> str:
    """Numbers short enough to compare by eye."""
    plain = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(plain, list | tuple):
        return f"[{', '.join(shown(part, digits) for part in plain)}]"
    return f"{plain:.{digits}g}" if isinstance(plain, float) else str(plain)
