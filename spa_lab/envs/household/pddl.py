"""Reads the text of a PDDL problem: declared objects, initial facts, goal expression.

Names are lower-cased, as the planner of the original engine does. Knows the grammar of PDDL (brackets,
comments, typed lists), nothing of households; `game.py` gives the facts their meaning.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TypeAlias

Expression: TypeAlias = "str | list[Expression]"
"""A symbol, or a bracketed list of expressions."""

_TOKEN = re.compile(r"[()]|[^\s()]+")
_COMMENT = re.compile(r";[^\n]*")


@dataclass(frozen=True)
class Problem:
    """What a PDDL problem says, names in lower case."""

    types: dict[str, str]
    """Declared object -> its type, in the order of the text."""
    facts: dict[str, list[tuple[str, ...]]]
    """Predicate -> arguments of its initial facts, in the order of the text; numeric facts are left out."""
    goal: Expression


def read_problem(text: str, game_id: str) -> Problem:
    """Read a PDDL problem.

    Args:
        text: The complete problem, `(define (problem ...) ... (:objects ...) (:init ...) (:goal ...))`.
        game_id: Named in error messages.

    Raises:
        ValueError: Names the game and what is wrong, with the line where that is known.
    """
    where = f"game {game_id!r}"
    sections = _sections(_nested(text, where), where)
    types = _typed(sections["objects"], where)
    facts = _facts(sections["init"], types, where)
    if len(sections["goal"]) != 1:
        raise ValueError(f"{where}: (:goal ...) must hold 1 expression, got {len(sections['goal'])}")
    return Problem(types, facts, sections["goal"][0])


def typed_variables(words: list[Expression], where: str) -> dict[str, str]:
    """The variables of a quantifier, `?o - object ?r - receptacle`, as name -> type."""
    return _typed(words, where)


def _nested(text: str, where: str) -> list[Expression]:
    """The text's outermost bracketed list."""
    text = _COMMENT.sub("", text.lower())  # a comment ends with its line, so line numbers stay true
    stack: list[list[Expression]] = []
    inner: list[Expression] = []
    for token in _TOKEN.findall(text):
        if token == "(":
            stack.append(inner)
            inner = []
        elif token == ")":
            if not stack:
                raise ValueError(f"{where}: line {_line_of_stray_bracket(text)}: ')' without '('")
            closed, inner = inner, stack.pop()
            inner.append(closed)
        else:
            inner.append(token)
    if stack:
        lines = text.count("\n") + 1
        raise ValueError(
            f"{where}: the problem ends at line {lines} with {len(stack)} unclosed '(': is it truncated?"
        )
    if len(inner) != 1 or not isinstance(inner[0], list):
        raise ValueError(f"{where}: expected 1 outermost '(define ...)', got {len(inner)} expressions")
    return inner[0]


def _line_of_stray_bracket(text: str) -> int:
    depth = 0
    for match in re.finditer(r"[()]", text):
        depth += 1 if match[0] == "(" else -1
        if depth < 0:
            return text.count("\n", 0, match.start()) + 1
    raise AssertionError("called only for a text with a stray bracket")


def _sections(outer: list[Expression], where: str) -> dict[str, list[Expression]]:
    if not outer or outer[0] != "define":
        raise ValueError(f"{where}: expected '(define ...)', got {_short(outer)}")
    sections: dict[str, list[Expression]] = {}
    for part in outer[1:]:
        if isinstance(part, list) and part and isinstance(part[0], str) and part[0].startswith(":"):
            name = part[0][1:]
            if name in sections:
                raise ValueError(f"{where}: (:{name} ...) occurs twice")
            sections[name] = part[1:]
    for name in ("objects", "init", "goal"):
        if name not in sections:
            raise ValueError(f"{where}: no (:{name} ...) section")
    return sections


def _typed(words: list[Expression], where: str) -> dict[str, str]:
    """`a b - type c - other` as {a: type, b: type, c: other}."""
    types: dict[str, str] = {}
    waiting: list[str] = []
    symbols = iter(words)
    for word in symbols:
        if not isinstance(word, str):
            raise ValueError(f"{where}: expected names in a typed list, got {_short(word)}")
        if word != "-":
            waiting.append(word)
            continue
        kind = next(symbols, None)
        if not isinstance(kind, str) or not waiting:
            raise ValueError(f"{where}: '-' in a typed list needs names before it and a type after it")
        for name in waiting:
            if name in types:
                raise ValueError(f"{where}: {name!r} is declared twice, as {types[name]!r} and {kind!r}")
            types[name] = kind
        waiting = []
    if waiting:
        raise ValueError(f"{where}: {waiting[0]!r} has no type")
    return types


def _facts(items: list[Expression], types: dict[str, str], where: str) -> dict[str, list[tuple[str, ...]]]:
    facts: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for item in items:
        if not isinstance(item, list) or not item or not isinstance(item[0], str):
            raise ValueError(f"{where}: expected a fact in (:init ...), got {_short(item)}")
        predicate = item[0]
        if predicate == "=" or predicate == "not":  # distances and costs; what is not said is false anyway
            continue
        for name in item[1:]:
            if not isinstance(name, str) or name not in types:
                raise ValueError(f"{where}: fact {_short(item)} names {_short(name)}, which is not declared")
        facts[predicate].append(tuple(item[1:]))  # type: ignore[arg-type]
    return dict(facts)


def _short(expression: Expression) -> str:
    """An expression as text for an error message, at most 80 characters."""
    text = expression if isinstance(expression, str) else f"({' '.join(map(_short, expression[:4]))})"
    return text if len(text) <= 80 else text[:77] + "..."
