"""Turns the goal of a PDDL problem into a quick check of a row of bit sets.

The goal is grounded once: quantifiers are expanded over the declared objects, facts that never change are
folded away, and what remains is a small tree of tests of single entries. Disjunctions of bits of one entry
become one test.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

from spa_lab.envs.household.pddl import Expression, Problem, typed_variables

Check: TypeAlias = Callable[[Sequence[int]], bool]
Locate: TypeAlias = Callable[[str, tuple[str, ...]], tuple[int, int] | None]
"""(predicate, arguments) -> (entry, bit) of a fact that can change, or None if no action can make it true."""
Binding: TypeAlias = dict[str, str]

TYPES = frozenset({"agent", "location", "receptacle", "object", "rtype", "otype"})
"""The types of ALFWorld's domain; `object` is also the type of everything."""


@dataclass(frozen=True)
class _Bits:
    """True if any of these bits of an entry is set."""

    entry: int
    mask: int


@dataclass(frozen=True)
class _All:
    parts: "tuple[Node, ...]"


@dataclass(frozen=True)
class _Any:
    parts: "tuple[Node, ...]"


@dataclass(frozen=True)
class _Not:
    part: "Node"


Node: TypeAlias = "bool | _Bits | _All | _Any | _Not"


def compile_goal(problem: Problem, changing: frozenset[str], constant: frozenset[str], locate: Locate, where: str) -> Check:
    """The goal of `problem` as a function of a row.

    Args:
        problem: Supplies the goal, the declared objects and the facts that never change.
        changing: Predicates whose facts lie in the row.
        constant: Predicates that no action changes.
        locate: Where a changing fact lies in the row.
        where: Names the game in error messages.

    Raises:
        ValueError: For an operator, predicate, type, name or variable that is not known.
    """
    return _compiled(_Grounding(problem, changing, constant, locate, where).ground(problem.goal, {}))


@dataclass(frozen=True)
class _Grounding:
    problem: Problem
    changing: frozenset[str]
    constant: frozenset[str]
    locate: Locate
    where: str

    def ground(self, expression: Expression, binding: Binding) -> Node:
        """`expression` with its variables replaced, quantifiers expanded and constants folded."""
        if not isinstance(expression, list) or not expression or not isinstance(expression[0], str):
            raise ValueError(f"{self.where}: cannot read the goal at {expression!r}")
        head, *rest = expression
        if head == "and":
            return _all(self.ground(part, binding) for part in rest)
        if head == "or":
            return _any(self.ground(part, binding) for part in rest)
        if head == "not":
            return _not(self.ground(self._single(head, rest), binding))
        if head in ("exists", "forall"):
            return self._quantified(head, rest, binding)
        return self._atom(head, self._names(rest, binding))

    def _single(self, head: str, rest: list[Expression]) -> Expression:
        if len(rest) != 1:
            raise ValueError(f"{self.where}: goal: {head!r} takes 1 expression, got {len(rest)}")
        return rest[0]

    def _quantified(self, head: str, rest: list[Expression], binding: Binding) -> Node:
        if len(rest) != 2 or not isinstance(rest[0], list):
            raise ValueError(f"{self.where}: goal: {head!r} takes a list of variables and 1 expression")
        variables = typed_variables(rest[0], f"{self.where}: goal")
        for kind in variables.values():
            if kind not in TYPES:
                raise ValueError(f"{self.where}: goal: unknown type {kind!r}")
        body = rest[1]
        if head == "forall":
            return _all(self.ground(body, one) for one in self._products(variables, body, binding))
        return _any(self.ground(body, one) for one in self._matches(variables, body, binding))

    def _products(self, variables: dict[str, str], body: Expression, binding: Binding) -> Iterator[Binding]:
        """Every assignment of the variables that occur in `body` (the others cannot matter)."""
        used = [name for name in variables if name not in binding and _occurs(name, body)]
        for values in product(*(self._candidates(variables[name]) for name in used)):
            yield {**binding, **dict(zip(used, values, strict=True))}

    def _matches(self, variables: dict[str, str], body: Expression, binding: Binding) -> Iterator[Binding]:
        """The assignments under which the constant facts in the conjunction `body` are all true."""
        outer = {name: value for name, value in binding.items() if name not in variables}
        conjuncts = body[1:] if isinstance(body, list) and body and body[0] == "and" else [body]
        atoms = [part for part in conjuncts if isinstance(part, list) and part and part[0] in self.constant]
        for one in self._joined(atoms, variables, outer):
            yield from self._products(variables, body, one)

    def _joined(self, atoms: list[list], variables: dict[str, str], binding: Binding) -> Iterator[Binding]:
        if not atoms:
            yield binding
            return
        # The atom with the fewest open variables leaves the fewest assignments to try.
        first = min(atoms, key=lambda atom: sum(_open(name, binding) for name in atom[1:]))
        others = [atom for atom in atoms if atom is not first]
        for fact in self.problem.facts.get(first[0], ()):
            extended = self._unified(first[1:], fact, variables, binding)
            if extended is not None:
                yield from self._joined(others, variables, extended)

    def _unified(
        self, names: Sequence[str], fact: tuple[str, ...], variables: dict[str, str], binding: Binding
    ) -> Binding | None:
        """`binding` extended so that `names` become `fact`; None if that cannot be."""
        if len(names) != len(fact):
            return None
        extended = dict(binding)
        for name, value in zip(names, fact, strict=True):
            if not _open(name, extended):
                if extended.get(name, name) != value:
                    return None
            elif variables.get(name) not in ("object", self.problem.types[value]):
                return None
            else:
                extended[name] = value
        return extended

    def _candidates(self, kind: str) -> list[str]:
        return [name for name, declared in self.problem.types.items() if kind in ("object", declared)]

    def _names(self, words: list[Expression], binding: Binding) -> tuple[str, ...]:
        names = []
        for word in words:
            if not isinstance(word, str):
                raise ValueError(f"{self.where}: goal: expected a name, got {word!r}")
            name = binding.get(word, word)
            if name not in self.problem.types:
                what = "variable without a quantifier" if name.startswith("?") else "name that is not declared"
                raise ValueError(f"{self.where}: goal: {word!r} is a {what}")
            names.append(name)
        return tuple(names)

    def _atom(self, predicate: str, names: tuple[str, ...]) -> Node:
        if predicate == "=":
            return len(set(names)) == 1
        if predicate in self.constant:
            return names in self.problem.facts.get(predicate, ())
        if predicate not in self.changing:
            raise ValueError(f"{self.where}: goal: unknown predicate or operator {predicate!r}")
        place = self.locate(predicate, names)
        return False if place is None else _Bits(*place)


def _open(name: str, binding: Binding) -> bool:
    return name.startswith("?") and name not in binding


def _occurs(name: str, expression: Expression) -> bool:
    if isinstance(expression, str):
        return expression == name
    return any(_occurs(name, part) for part in expression)


def _not(node: Node) -> Node:
    return not node if isinstance(node, bool) else _Not(node)


def _all(nodes: Iterable[Node]) -> Node:
    parts: dict[Node, None] = {}
    for node in nodes:
        if node is False:
            return False
        if node is not True:
            parts.update(dict.fromkeys(node.parts if isinstance(node, _All) else (node,)))
    if not parts:
        return True
    return next(iter(parts)) if len(parts) == 1 else _All(tuple(parts))


def _any(nodes: Iterable[Node]) -> Node:
    masks: dict[int, int] = {}
    others: dict[Node, None] = {}
    for node in nodes:
        if node is True:
            return True
        for part in node.parts if isinstance(node, _Any) else (node,):
            if isinstance(part, _Bits):
                masks[part.entry] = masks.get(part.entry, 0) | part.mask
            elif part is not False:
                others[part] = None
    parts = (*(_Bits(entry, mask) for entry, mask in masks.items()), *others)
    if not parts:
        return False
    return parts[0] if len(parts) == 1 else _Any(parts)


def _compiled(node: Node) -> Check:
    if isinstance(node, bool):
        return lambda row: node
    if isinstance(node, _Bits):
        entry, mask = node.entry, node.mask
        return lambda row: row[entry] & mask != 0
    if isinstance(node, _Not):
        inner = _compiled(node.part)
        return lambda row: not inner(row)
    checks = tuple(_compiled(part) for part in node.parts)
    return _conjunction(checks) if isinstance(node, _All) else _disjunction(checks)


def _conjunction(checks: tuple[Check, ...]) -> Check:
    def check(row: Sequence[int]) -> bool:
        for one in checks:  # a plain loop: `all()` with a generator takes twice as long
            if not one(row):
                return False
        return True

    return check


def _disjunction(checks: tuple[Check, ...]) -> Check:
    def check(row: Sequence[int]) -> bool:
        for one in checks:
            if one(row):
                return True
        return False

    return check
