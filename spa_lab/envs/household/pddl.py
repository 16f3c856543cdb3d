"""Reads the text of a PDDL problem: declared objects, initial facts, goal expression.

Names are lower-cased, as the planner of the original engine does. Knows the notation of PDDL (brackets,
comments, typed lists), nothing of households; `reader.py` gives the facts their meaning.
"""

import re
from dataclasses import dataclass
from typing import Any, TypeAlias

Expression: TypeAlias = "str | list[Any]"
"""A symbol, or a bracketed list of expressions."""

MAX_DEPTH = 64
"""Brackets inside brackets that are read; the goals of the official library need 12."""

# A flat list is a single token: most of a problem consists of them.
_TOKEN = re.compile(r"\(([^()]*)\)|([()]|[^\s()]+)")
_COMMENT = re.compile(r";[^\n]*")


@dataclass(frozen=True)
class Problem:
    """What a PDDL problem says, names in lower case."""

    types: dict[str, str]
    """Declared object -> its type, in the order of the text."""
    facts: dict[str, list[tuple[str, ...]]]
    """Predicate -> arguments of its initial facts, in the order of the text; without numeric facts."""
    goal: Expression


def read_problem(text: str) -> Problem:
    """Read a complete problem: `(define (problem ...) ... (:objects ...) (:init ...) (:goal ...))`.

    Raises:
        ValueError: Says what is wrong, with the line where brackets do not match.
    """
    sections = _sections(_outermost(_COMMENT.sub("", text.lower())))  # comments go, line ends stay
    types = read_typed_list(sections["objects"])
    facts = _facts(sections["init"], types)
    if len(sections["goal"]) != 1:
        raise ValueError(f"(:goal ...) must hold 1 expression, got {len(sections['goal'])}")
    return Problem(types, facts, sections["goal"][0])


def read_typed_list(words: list[Any]) -> dict[str, str]:
    """`a b - type c - other` as {a: type, b: type, c: other}.

    Raises:
        ValueError: If a name has no type, or has two.
    """
    types: dict[str, str] = {}
    untyped: list[str] = []
    symbols = iter(words)
    for word in symbols:
        if not isinstance(word, str):
            raise ValueError(f"expected names in a typed list, got {_short(word)}")
        if word != "-":
            untyped.append(word)
            continue
        kind = next(symbols, None)
        if not isinstance(kind, str) or not untyped:
            raise ValueError("'-' in a typed list needs names before it and a type after it")
        for name in untyped:
            if name in types:
                raise ValueError(f"{name!r} is declared twice, as {types[name]!r} and as {kind!r}")
            types[name] = kind
        untyped = []
    if untyped:
        raise ValueError(f"{untyped[0]!r} is declared without a type")
    return types


def _outermost(text: str) -> list[Any]:
    """The single bracketed list that makes up the text."""
    stack: list[list[Any]] = []
    inner: list[Any] = []
    for flat, token in _TOKEN.findall(text):
        if not token:
            inner.append(flat.split())
        elif token == "(":
            if len(stack) == MAX_DEPTH:
                raise ValueError(_bracket_error(text))
            stack.append(inner)
            inner = []
        elif token == ")":
            if not stack:
                raise ValueError(_bracket_error(text))
            stack[-1].append(inner)
            inner = stack.pop()
        else:
            inner.append(token)
    if stack:
        lines = text.count("\n") + 1
        raise ValueError(f"the text ends at line {lines} with {len(stack)} unclosed '(': is it truncated?")
    if len(inner) != 1 or not isinstance(inner[0], list):
        raise ValueError(f"expected 1 bracketed text '(define ...)', got {len(inner)} expressions")
    return inner[0]


def _bracket_error(text: str) -> str:
    depth = 0
    for match in re.finditer(r"[()]", text):
        depth += 1 if match[0] == "(" else -1
        if not 0 <= depth <= MAX_DEPTH:
            what = "')' without '('" if depth < 0 else f"more than {MAX_DEPTH} brackets inside each other"
            return f"line {text.count(chr(10), 0, match.start()) + 1}: {what}"
    raise AssertionError("called only for a text with such an error")


def _sections(outer: list[Any]) -> dict[str, list[Any]]:
    if not outer or outer[0] != "define":
        raise ValueError(f"expected '(define ...)', got {_short(outer)}")
    sections: dict[str, list[Any]] = {}
    for part in outer[1:]:
        if isinstance(part, list) and part and isinstance(part[0], str):
            if part[0] in sections:
                raise ValueError(f"({part[0]} ...) occurs twice")
            sections[part[0]] = part[1:]
    names = ("objects", "init", "goal")
    for name in names:
        if f":{name}" not in sections:
            raise ValueError(f"no (:{name} ...) section, found {' '.join(sections) or 'none'}")
    return {name: sections[f":{name}"] for name in names}


def _facts(items: list[Any], types: dict[str, str]) -> dict[str, list[tuple[str, ...]]]:
    facts: dict[str, list[tuple[str, ...]]] = {}
    for item in items:
        if not isinstance(item, list) or not item or not isinstance(item[0], str):
            raise ValueError(f"expected a fact in (:init ...), got {_short(item)}")
        predicate, *names = item
        if predicate in ("=", "not"):  # distances and costs; facts that are not listed are false anyway
            continue
        for name in names:
            if not isinstance(name, str) or name not in types:
                raise ValueError(f"the fact {_short(item)} names {_short(name)}, which is not declared")
        facts.setdefault(predicate, []).append(tuple(names))
    return facts


def _short(expression: Expression) -> str:
    """An expression as text for an error message, at most 100 characters."""
    words = expression if isinstance(expression, str) else f"({' '.join(map(_short, expression[:4]))})"
    return words if len(words) <= 100 else f"{words[:97]}..."
