"""Turns the goal of a PDDL problem into fast checks of a state.

The goal is grounded once: quantifiers are expanded over the declared objects and facts that never change are
folded away. For ALFWorld's six task types some tens of tests of single entries remain.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, TypeAlias

from spa_lab.envs.household.formula import Bits, Check, Formula, compiled, conjunction, disjunction, negation
from spa_lab.envs.household.pddl import Expression, Problem, read_typed_list

Locate: TypeAlias = Callable[[str, tuple[str, ...]], tuple[int, int] | None]
"""(predicate, arguments) -> (entry, bit) of a fact that can change; None if it can never be true."""
Binding: TypeAlias = dict[str, str]

TYPES = frozenset({"agent", "location", "receptacle", "object", "rtype", "otype"})
"""The types of ALFWorld's domain; everything is also of type `object`, as PDDL has it."""


@dataclass(frozen=True, eq=False)
class Goal:
    """The goal of a game as functions of a state."""

    holds: Check
    """Whether a state satisfies it."""
    conditions: tuple[Check, ...]
    """The same for each part of its outermost conjunction; all of them together are the goal."""

    def share_met(self, state: Sequence[int]) -> float:
        """Share of the conditions that a state satisfies, in [0, 1]."""
        return sum(holds(state) for holds in self.conditions) / len(self.conditions)


def compile_goal(
    problem: Problem, constant: frozenset[str], changing: frozenset[str], locate: Locate
) -> Goal:
    """The goal of `problem` as functions of a state.

    Args:
        problem: Supplies the goal, the declared objects and the facts that never change.
        constant: Predicates that no action changes.
        changing: Predicates whose facts lie in the state.
        locate: Where in the state a changing fact lies.

    Raises:
        ValueError: For an operator, predicate, type, name or variable that is not known.
    """
    _check(problem.goal, problem, constant | changing | {"="}, frozenset())
    assert isinstance(problem.goal, list)
    head, *rest = problem.goal
    grounding = _Grounding(problem, constant, locate)
    parts = [grounding.ground(part, {}) for part in (rest if head == "and" and rest else [problem.goal])]
    return Goal(compiled(conjunction(parts)), tuple(compiled(part) for part in parts))


def _check(
    expression: Expression, problem: Problem, predicates: frozenset[str], variables: frozenset[str]
) -> None:
    """Raise for what cannot be grounded; grounding itself may skip parts of a goal."""
    if not isinstance(expression, list) or not expression or not isinstance(expression[0], str):
        raise ValueError(f"goal: expected (operator ...), got {expression!r}")
    head, *rest = expression
    if head in ("and", "or") or (head == "not" and len(rest) == 1):
        for part in rest:
            _check(part, problem, predicates, variables)
    elif head in ("exists", "forall") and len(rest) == 2 and isinstance(rest[0], list):
        declared = read_typed_list(rest[0])
        if unknown := set(declared.values()) - TYPES:
            raise ValueError(f"goal: unknown type {min(unknown)!r}, expected one of {sorted(TYPES)}")
        _check(rest[1], problem, predicates, variables | set(declared))
    elif head not in predicates:
        raise ValueError(f"goal: cannot read ({head} ...) with {len(rest)} arguments")
    else:
        for name in rest:
            known = variables if isinstance(name, str) and name.startswith("?") else problem.types
            if not isinstance(name, str) or name not in known:
                raise ValueError(f"goal: {name!r} in ({head} ...) is neither declared nor a variable here")


@dataclass(frozen=True)
class _Grounding:
    """Expands a checked goal."""

    problem: Problem
    constant: frozenset[str]
    locate: Locate
    true: set[tuple[str, ...]] = field(init=False)
    """(predicate, arguments...) of every constant fact."""
    by_last: dict[tuple[str, str], list[tuple[str, ...]]] = field(init=False)
    """(predicate, last argument) -> the arguments of the constant facts with it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "true", set())
        object.__setattr__(self, "by_last", {})
        for predicate in sorted(self.constant & self.problem.facts.keys()):
            for fact in self.problem.facts[predicate]:
                self.true.add((predicate, *fact))
                if fact:
                    self.by_last.setdefault((predicate, fact[-1]), []).append(fact)

    def ground(self, expression: list[Any], binding: Binding) -> Formula:
        """`expression` with variables replaced, quantifiers expanded and constant facts folded."""
        head, *rest = expression
        match head:
            case "and":
                return conjunction(self.ground(part, binding) for part in rest)
            case "or":
                return disjunction(self.ground(part, binding) for part in rest)
            case "not":
                return negation(self.ground(rest[0], binding))
            case "exists" | "forall":
                return self._quantified(head, read_typed_list(rest[0]), rest[1], binding)
        return self._atom(head, _bound(rest, binding))

    def _quantified(self, head: str, variables: dict[str, str], body: list[Any], binding: Binding) -> Formula:
        outer = {name: value for name, value in binding.items() if name not in variables}
        if head == "forall":
            return conjunction(self.ground(body, bound) for bound in self._products(variables, body, outer))
        conjuncts = body[1:] if body[0] == "and" else [body]
        atoms = [part for part in conjuncts if part[0] in self.constant]
        return disjunction(
            self.ground(body, bound)
            for joined in self._joined(atoms, variables, outer)
            for bound in self._products(variables, body, joined)
        )

    def _products(self, variables: dict[str, str], body: Expression, binding: Binding) -> Iterator[Binding]:
        """All bindings of the open variables that occur in `body`; the others make no difference."""
        used = [name for name in variables if name not in binding and _occurs(name, body)]
        for values in product(*(self._of_type(variables[name]) for name in used)):
            yield {**binding, **dict(zip(used, values, strict=True))}

    def _joined(
        self, atoms: list[list[str]], variables: dict[str, str], binding: Binding
    ) -> Iterator[Binding]:
        """All bindings of the variables in `atoms` for which these constant facts are true."""
        undecided = []
        for atom in atoms:
            if any(_open(name, binding) for name in atom[1:]):
                undecided.append(atom)
            elif (atom[0], *_bound(atom[1:], binding)) not in self.true:
                return
        if not undecided:
            yield binding
            return
        # The atom with the fewest facts leaves the fewest bindings to try.
        first = min(undecided, key=lambda atom: len(self._facts_like(atom, binding)))
        for fact in self._facts_like(first, binding):
            extended = self._unified(first[1:], fact, variables, binding)
            if extended is not None:
                yield from self._joined(undecided, variables, extended)

    def _facts_like(self, atom: list[str], binding: Binding) -> list[tuple[str, ...]]:
        last = atom[-1]
        if len(atom) == 1 or _open(last, binding):
            return self.problem.facts.get(atom[0], [])
        return self.by_last.get((atom[0], binding.get(last, last)), [])

    def _unified(
        self, names: list[str], fact: tuple[str, ...], variables: dict[str, str], binding: Binding
    ) -> Binding | None:
        """`binding` extended so that `names` become `fact`; None if that cannot be."""
        if len(names) != len(fact):
            return None
        extended = dict(binding)
        for name, value in zip(names, fact, strict=True):
            if not _open(name, extended):
                if extended.get(name, name) != value:
                    return None
            elif variables[name] not in ("object", self.problem.types[value]):
                return None
            else:
                extended[name] = value
        return extended

    def _of_type(self, kind: str) -> list[str]:
        return [name for name, its_kind in self.problem.types.items() if kind in ("object", its_kind)]

    def _atom(self, predicate: str, names: tuple[str, ...]) -> Formula:
        if predicate == "=":
            return len(set(names)) == 1
        if predicate in self.constant:
            return (predicate, *names) in self.true
        place = self.locate(predicate, names)
        return False if place is None else Bits(*place)


def _bound(names: list[str], binding: Binding) -> tuple[str, ...]:
    return tuple([binding.get(name, name) for name in names])


def _open(name: str, binding: Binding) -> bool:
    return name.startswith("?") and name not in binding


def _occurs(name: str, expression: Expression) -> bool:
    return (
        expression == name if isinstance(expression, str) else any(_occurs(name, part) for part in expression)
    )
