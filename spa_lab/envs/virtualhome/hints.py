"""What a rejected action should have been: the text of `Reply.reason`, never shown to the agent.

As in the SPA-RL release, the templates accept no articles and no synonyms. These rules do not change that;
they only explain it.
"""

import re
from collections.abc import Collection
from difflib import get_close_matches

from spa_lab.envs.virtualhome.commands import TEMPLATES, Command, parse

_LONGEST = 200
"""Characters of an action that are looked at."""
_SIMILAR = 0.75
"""Least similarity (difflib's ratio) of a name that is suggested for a misspelled one."""
_ARTICLE = re.compile(r"\b(?:the|a|an|my)[ _]")
_INSTANCE = re.compile(r"_\(?\d+\)?$")
_REWRITES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"(?:go|move|head|walk|run|return) (?:back )?(?:over )?(?:in)?to (.+)", r"walk to \1"),
        (r"(?:walk|go|enter|approach) (.+)", r"walk to \1"),
        (r"(?:take|pick up|get|fetch|hold|grab) (.+?) from .+", r"grab \1"),
        (r"(?:take|pick up|get|fetch|hold) (.+)", r"grab \1"),
        (r"(?:turn|switch) ?(on|off) (.+)", r"switch \1 \2"),
        (r"(?:turn|switch) (.+) (on|off)", r"switch \2 \1"),
        (r"plugin (.+)", r"plug in \1"),
        (r"(?:plugout|unplug) (.+)", r"plug out \1"),
        (r"(?:put|place|insert) (.+?) (?:in/on|into|inside of|inside|within) (.+)", r"put \1 in \2"),
        (r"(?:put|place|set) (.+?) (?:onto|on top of|upon) (.+)", r"put \1 on \2"),
        (r"(?:place|insert) (.+?) (in|on) (.+)", r"put \1 \2 \3"),
        (r"putin (\S+) (\S+)", r"put \1 in \2"),
        (r"(?:putback|puton|put) (\S+) (\S+)", r"put \1 on \2"),
        (r"pour (.+?) (?:in|on|onto) (.+)", r"pour \1 into \2"),
        (r"sit (?:down )?(?:on|in|at)? ?(\S+)", r"sit on \1"),
        (r"lie (?:down )?(?:on|in) (.+)", r"lie on \1"),
        (r"(?:stand|get) ?up.*|stand", "stand up"),
        (r"turn (?:toward|towards|around to) (.+)", r"turn to \1"),
        (r"look (?!at )(.+)", r"look at \1"),
    )
)
"""Other spellings -> the spelling that the templates accept; the first that matches counts."""


def unknown_action(text: str) -> str:
    """Why a text is not an action, and the action that was probably meant."""
    refused = "matches no action template"
    cleaned = " ".join(_ARTICLE.sub("", text[:_LONGEST].lower().rpartition(":")[2]).strip(" .\"'").split())
    if meant := _accepted_spelling(cleaned):
        return f"{refused}: use '{meant}'"
    verb = cleaned.partition(" ")[0]
    forms = [words for _, words in TEMPLATES if words.partition(" ")[0] == verb]
    if forms:
        return f"{refused}: with {verb!r} there are {', '.join(forms)}"
    shown = ", ".join(words for _, words in TEMPLATES[:8])
    return f"{refused}: there are {len(TEMPLATES)}, such as {shown}"


def unknown_name(command: Command, name: str, known: Collection[str]) -> str:
    """Why a name means nothing, and the name that was probably meant.

    Args:
        command: the parsed action.
        name: one of its names that is not in `known`.
        known: class names in the scene, and names bound by the task.
    """
    plain = _INSTANCE.sub("", _ARTICLE.sub("", name))
    close = [plain] if plain in known else get_close_matches(plain, sorted(known), n=1, cutoff=_SIMILAR)
    refused = f"no object or room is called {name.replace('_', ' ')!r}"
    if not close:
        return refused
    template = next(words for action, words in TEMPLATES if action == command.action)
    objects = [close[0] if each == name else each for each in command.objects]
    return f"{refused}: use '{template.format(*objects)}'"


def rejection(rejected: str, command: Command | None, text: str, known: Collection[str]) -> str:
    """The reason for an action that did not reach the engine.

    Args:
        rejected: `Transition.rejected`.
        command: the parsed action; None for an unknown one.
        text: the action as it was written.
        known: class names in the scene, and names bound by the task.
    """
    if command is None:
        return unknown_action(text)
    unknown = [name for name in command.objects if name not in known]
    if unknown:
        return unknown_name(command, unknown[0], known)
    if rejected == "not in hand":
        return f"{command.objects[0]} is not in a hand: grab it first"
    return f"both names mean the same object: {' and '.join(command.objects)}"


def _accepted_spelling(cleaned: str) -> str:
    """The action that a text spells differently; empty if there is none."""
    if parse(cleaned) is not None:
        return cleaned
    for pattern, replacement in _REWRITES:
        if match := pattern.fullmatch(cleaned):
            candidate = match.expand(replacement)
            if parse(candidate) is not None:
                return candidate
    return ""
