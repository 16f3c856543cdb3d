"""What a refused action should have been: the text of `Reply.reason`, never shown to the agent.

The original accepts no other spelling than `search[words]` and `click[target]`, with no blank around the
target, and answers everything else with the same page. These rules do not change that; they only explain it.
"""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from spa_lab.envs.webshop.pages import BUY, SEARCH

FORMS = "search[words] or click[target]"
_ACTION = re.compile(r"\s*(search|click)\b[\s:]*[\[({<\"']*(.*?)[\])}>\"']*\s*", re.IGNORECASE | re.DOTALL)
_SIMILAR = 0.8
"""Least similarity (difflib's ratio) of a target that is suggested for a misspelled one."""
_LISTED = 8
_LONGEST = 200
"""Characters of an action that are looked at."""


def malformed_action(action: str, clickables: Sequence[str]) -> str:
    """Why a text is not an action, and the action that was probably meant.

    Args:
        action: the text.
        clickables: targets of the current page, lower case.
    """
    expected = f"not an action: expected {FORMS}"
    action = action[:_LONGEST]
    match = _ACTION.fullmatch(action)
    if match is None:
        target = similar_target(action, clickables)
        return f"{expected}; use click[{target}]" if target else expected
    kind, argument = match[1].lower(), " ".join(match[2].split())
    if not argument:
        return f"{expected}, with text between the brackets"
    if kind == "click":
        target = similar_target(argument, clickables)
        return f"{expected}; " + (f"use click[{target}]" if target else unknown_target(argument, clickables))
    return f"{expected}; use search[{argument}]"


def unknown_target(target: str, clickables: Sequence[str]) -> str:
    """Why a click is refused, and the target that was probably meant, or those that the page has."""
    if target == SEARCH:
        return "'search' is a text field, not a button: use search[words]"
    refused = f"no target {target!r} on this page"
    if meant := similar_target(target, clickables):
        return f"{refused}: use click[{meant}]"
    buttons = [text for text in clickables if text != SEARCH]
    if not buttons:
        return f"{refused}: it has only a search field; use search[words]"
    more = f" and {len(buttons) - _LISTED} more" if len(buttons) > _LISTED else ""
    return f"{refused}; it has {', '.join(buttons[:_LISTED])}{more}"


def similar_target(text: str, clickables: Sequence[str]) -> str:
    """The target of a page that a text spells differently; empty if there is none."""
    by_key: dict[str, str] = {}
    for target in clickables:
        if target != SEARCH and _key(target):
            by_key.setdefault(_key(target), target)
    key = _key(text)
    if key == "buy" and BUY in clickables:
        return BUY
    if key in by_key:
        return by_key[key]
    # product codes differ in single characters: a similar one is another product
    words = [candidate for candidate in by_key if not any(character.isdigit() for character in candidate)]
    close = get_close_matches(key, words, n=1, cutoff=_SIMILAR)
    return by_key[close[0]] if close else ""


def _key(text: str) -> str:
    """Letters and digits in lower case: what remains if spelling is ignored."""
    return "".join(character for character in text.lower() if character.isalnum())
