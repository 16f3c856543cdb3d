"""Boolean formulas over the bits of a state: simplified while built, then compiled to a fast check."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Check: TypeAlias = Callable[[Sequence[int]], bool]
"""A function of a state."""


@dataclass(frozen=True)
class Bits:
    """True if any of these bits of an entry is set."""

    entry: int
    mask: int


@dataclass(frozen=True)
class All:
    """True if every part is."""

    parts: "tuple[Formula, ...]"


@dataclass(frozen=True)
class Any:
    """True if some part is."""

    parts: "tuple[Formula, ...]"


@dataclass(frozen=True)
class Not:
    """True if its part is not."""

    part: "Formula"


Formula: TypeAlias = "bool | Bits | All | Any | Not"


def negation(part: Formula) -> Formula:
    """Not `part`."""
    return not part if isinstance(part, bool) else Not(part)


def conjunction(parts: Iterable[Formula]) -> Formula:
    """All of `parts`, without those that are always true; stops at the first that is always false."""
    kept: dict[Formula, None] = {}
    for part in parts:
        if part is False:
            return False
        if part is not True:
            kept.update(dict.fromkeys(part.parts if isinstance(part, All) else (part,)))
    if not kept:
        return True
    return next(iter(kept)) if len(kept) == 1 else All(tuple(kept))


def disjunction(parts: Iterable[Formula]) -> Formula:
    """Any of `parts`; bits of the same entry become one test; stops at the first always true part."""
    masks: dict[int, int] = {}
    others: dict[Formula, None] = {}
    for whole in parts:
        if whole is True:
            return True
        for part in whole.parts if isinstance(whole, Any) else (whole,):
            if isinstance(part, Bits):
                masks[part.entry] = masks.get(part.entry, 0) | part.mask
            elif part is not False:
                others[part] = None
    kept = (*(Bits(entry, mask) for entry, mask in masks.items()), *others)
    if not kept:
        return False
    return kept[0] if len(kept) == 1 else Any(kept)


def compiled(formula: Formula) -> Check:
    """The formula as a function of a state."""
    if isinstance(formula, bool):
        return lambda state: formula
    if isinstance(formula, Bits):
        entry, mask = formula.entry, formula.mask
        return lambda state: state[entry] & mask != 0
    if isinstance(formula, Not):
        inner = compiled(formula.part)
        return lambda state: not inner(state)
    checks = tuple(compiled(part) for part in formula.parts)
    return _all(checks) if isinstance(formula, All) else _any(checks)


def _all(checks: tuple[Check, ...]) -> Check:
    def check(state: Sequence[int]) -> bool:
        for holds in checks:  # a plain loop: `all` over a generator takes twice as long
            if not holds(state):
                return False
        return True

    return check


def _any(checks: tuple[Check, ...]) -> Check:
    def check(state: Sequence[int]) -> bool:
        for holds in checks:
            if holds(state):
                return True
        return False

    return check
