"""Text in charts and figures: escaped and shortened text of agents and worlds, signed numbers, captions.

Text of agents and worlds is data: it must not act as markup or mathematics or change a figure's layout.
"""

import math
from collections.abc import Iterable, Sequence

from spa_lab.types import Credit, Step, Trajectory, ValueTruth

NO_ACTION = "(no action)"
UNGROUNDED = "ungrounded"
UNKNOWN = "unknown"
"""What nobody knows: an outcome, a success or a grounding that is None."""
GROUNDING_UNKNOWN = f"grounding {UNKNOWN}"
BY_LENGTH = {
    "expert_length": "length of the expert's solution (steps)",
    "n_steps": "length of the trajectory (steps)",
}
"""Axis titles of `evaluation.success_by_length`, by its column `by`."""
_MINUS = "\N{MINUS SIGN}"
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;"})
"""`$` too: where MathJax is loaded, plotly sets what stands between two of them as mathematics."""


class Bold(str):
    """A cell of a table that holds the best value of its column; LaTeX sets it in bold."""

    __slots__ = ()


def with_best(cells: Sequence[str], values: Sequence[float], *, best: float | None = None) -> list[str]:
    """The cells, those of the best value as `Bold`.

    Args:
        cells: (n,) as they are printed; all that read like the best one are bold.
        values: (n,) of the cells; NaN is never best.
        best: the value that the best one is nearest to; None: the largest is best.
    """
    scores = [value if best is None else -abs(value - best) for value in values]
    known = [score for score in scores if not math.isnan(score)]
    if not known:
        return list(cells)
    first = cells[scores.index(max(known))]
    is_best = (cell == first and not math.isnan(score) for cell, score in zip(cells, scores, strict=True))
    return [Bold(cell) if best else cell for cell, best in zip(cells, is_best, strict=True)]


JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
"""Invisible, and yet not to be replaced."""


def one_line(text: str) -> str:
    """The text on one line: white space becomes single spaces, what cannot be printed U+FFFD.

    Joiners stay: emoji and many scripts need them.
    """
    return "".join(
        character if character.isprintable() or character in JOINERS else "\N{REPLACEMENT CHARACTER}"
        for character in " ".join(text.split())
    )


def shortened(text: str, width: int) -> str:
    """At most `width` characters of the text on one line; an ellipsis shows where it was cut."""
    line = one_line(text)
    return line if len(line) <= width else line[: width - 1].rstrip() + "…"


def inert(text: str) -> str:
    """The text for plotly, which takes some HTML and LaTeX in labels for markup: shown as it is written."""
    return text.translate(_ENTITIES)


def step_label(trajectory: Trajectory, step: int, width: int) -> str:
    """The action of a step, shortened."""
    return shortened(trajectory.steps[step].action, width) or NO_ACTION


def step_text(step: Step) -> str:
    """The action of a step for a hover label, and whether the world refused it."""
    marks = {True: "", False: f" ({UNGROUNDED})", None: f" ({GROUNDING_UNKNOWN})"}
    return (shortened(step.action, 70) or NO_ACTION) + marks[step.grounded]


def signed(value: float, places: int) -> str:
    """A number with its sign, "+0.21" or "−0.08"; exactly 0 is "0", what is rounded to 0 has no sign."""
    text = f"{value:+.{places}f}".replace("-", _MINUS)
    return "0" if not value else text if text.strip(f"+{_MINUS}0.") else text[1:]


def signed_in_full(value: float, places: int) -> str:
    """As `signed`, but exactly 0 has its places too, "0.0", as beside other numbers that have them."""
    return signed(value, places) if value else f"{0:.{places}f}"


def decimal_places(values: Iterable[float]) -> int:
    """How many decimals show two digits of the largest value, between 2 and 5."""
    largest = max((abs(value) for value in values), default=0.0)
    return min(max(1 - math.floor(math.log10(largest)), 2), 5) if largest else 2


def verdict(success: bool | None) -> str:
    """Strict success in a word; None is unknown."""
    return UNKNOWN if success is None else "success" if success else "failure"


def outcome_text(outcome: float | None) -> str:
    """An outcome with two decimals; None or NaN is unknown."""
    return UNKNOWN if outcome is None or math.isnan(outcome) else f"{outcome:.2f}"


def grounding_text(trajectory: Trajectory) -> str:
    """How many steps the world refused, as far as it is known: "2 ungrounded", "grounding unknown"."""
    known = [step.grounded for step in trajectory.steps if step.grounded is not None]
    if not known:
        return GROUNDING_UNKNOWN
    missing = len(trajectory) - len(known)
    return f"{known.count(False)} {UNGROUNDED}" + (f", {missing} {UNKNOWN}" if missing else "")


def facts(trajectory: Trajectory) -> str:
    """A line under the title: outcome, length, grounding, id."""
    steps = "1 step" if len(trajectory) == 1 else f"{len(trajectory)} steps"
    outcome = f"R = {outcome_text(trajectory.outcome)}"
    if trajectory.success is not None:
        outcome += f" ({verdict(trajectory.success)})"
    elif trajectory.outcome is not None:
        outcome += f" (success {UNKNOWN})"
    return f"{outcome} · {steps}, {grounding_text(trajectory)} · {one_line(trajectory.id)}"


def sum_caption(credit: Credit) -> str:
    """What a credit adds up to: "Σĉ = +0.93", or "base +0.05, Σĉ = +0.93" where it has a base value."""
    total = f"Σĉ = {signed(float(credit.contributions.sum()), 2)}"
    return f"base {signed(credit.base_value, 2)}, {total}" if credit.base_value else total


def truth_label(truth: ValueTruth) -> str:
    """Who measured: "Monte Carlo (16 branches)" or "exact"."""
    return f"Monte Carlo ({truth.branches} branches)" if truth.branches else "exact"


def truth_and_error(truth: ValueTruth) -> str:
    """Who measured, and how sure it is: "Monte Carlo (16 branches) ± 1 s.e."; what is exact has no error."""
    return f"{truth_label(truth)} ± 1 s.e." if truth.standard_error.any() else truth_label(truth)
