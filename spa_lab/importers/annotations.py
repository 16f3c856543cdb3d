"""What a row says of its steps besides what happened: credits, measured values, labels, numbers per token."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spa_lab.importers.imported import Imported
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.rows import Row, check_fields, to_float
from spa_lab.types import Credit, FloatArray, Labels, TokenNumbers, Trajectory, ValueTruth

LOGGED_REWARD, LOGGED_VALUE, LOGGED_ADVANTAGE = "logged reward", "logged value", "logged advantage"
"""Sources of the credits made of the steps' own rewards, values and advantages."""
_TRUTH: Mapping[str, Any] = {
    "values": list, "standard_error": list, "branches": int, "policy": str, "step_cap": int,
}  # fmt: skip


@dataclass
class Annotations:
    """Of all trajectories of an import."""

    credits: list[Credit] = field(default_factory=list)
    truths: list[ValueTruth] = field(default_factory=list)
    labels: list[Labels] = field(default_factory=list)
    tokens: list[TokenNumbers] = field(default_factory=list)

    def add(self, row: Row, trajectory: Trajectory, ledger: Ledger) -> None:
        """Take what a row says of its trajectory; the ledger is told what was assumed.

        Raises:
            ValueError: not one finite number per step, or a field of a wrong type (names the source).
        """
        self.credits += credits_of(row, trajectory, ledger)
        self.truths += truths_of(row, trajectory, ledger)
        self.labels += labels_of(row, trajectory)
        self.tokens += tokens_of(row, trajectory)

    def imported(
        self, trajectories: list[Trajectory], notes: list[str], ledger: Ledger, meta: Mapping[str, Row]
    ) -> Imported:
        """All of it, with the trajectories."""
        more = tuple(self.truths), tuple(self.labels), tuple(self.tokens)
        return Imported(trajectories, self.credits, notes, ledger, meta, *more)


def keep_incomplete(row: Row, ledger: Ledger) -> None:
    """Values and advantages that give no credit, see `credits_of`, stay in the meta of their steps."""
    for name in ("value", "advantage"):
        given = [step.get(name) for step in row["steps"]]
        if None in given or (name == "value" and row.get("outcome") is None):
            for step in row["steps"]:
                if name in step:
                    step["meta"] = step.get("meta", {}) | ledger.carry({name: step.pop(name)}, "step.")


def credits_of(row: Row, trajectory: Trajectory, ledger: Ledger) -> list[Credit]:
    """One credit per source of `credits`, and those of the steps' own rewards, values and advantages.

    A step without a reward, where another has one, is assumed to be paid 0. Values V_t of a critic, one
    before each step, give c_t = V_{t+1} - V_t with V_T = R and the base value V_0; so they need an outcome.

    Raises:
        ValueError: a source has no list of finite numbers, or not one per step; a base value or a standard
            error is of a source without credits.
    """
    credits = []
    given_credits = row.get("credits", {})
    rewards, values, advantages = (
        [step.get(name) for step in row["steps"]] for name in ("reward", "value", "advantage")
    )
    is_paid = any(reward is not None for reward in rewards)
    bases, errors = row.get("base_values", {}), row.get("standard_errors", {})
    _check_sources(bases, "base_values", [*given_credits, *[LOGGED_REWARD] * is_paid])
    _check_sources(errors, "standard_errors", given_credits)
    for source, base in bases.items():
        if _is_not_number(base):
            raise ValueError(f"base value of {source!r} must be a number, got {base!r:.60}")
    if is_paid:
        if None in rewards:
            ledger.assumed["steps without a reward, beside others with one: 0"] += rewards.count(None)
        paid = _floats([reward or 0 for reward in rewards])
        credits.append(Credit(trajectory.id, LOGGED_REWARD, paid, to_float(bases.get(LOGGED_REWARD, 0))))
    if None not in values and trajectory.outcome is not None:
        path = np.append(_floats(values), trajectory.outcome)
        credits.append(Credit(trajectory.id, LOGGED_VALUE, np.diff(path), float(path[0])))
    if None not in advantages:
        credits.append(Credit(trajectory.id, LOGGED_ADVANTAGE, _floats(advantages)))
    for source, given in given_credits.items():
        contributions = _numbers(given, f"credits of {source!r}", len(trajectory))
        base, error = bases.get(source, 0), None
        if errors.get(source) is not None:
            error = _numbers(errors[source], f"standard errors of {source!r}", len(trajectory))
        credits.append(Credit(trajectory.id, source, contributions, to_float(base), error))
    return credits


def _check_sources(given: Mapping[str, Any], name: str, known: Collection[str]) -> None:
    for source in given:
        if source not in known:
            there = ", ".join(map(repr, known)) or "none"
            raise ValueError(f"{name} of {source!r}, which has no credits; sources with credits: {there}")


def truths_of(row: Row, trajectory: Trajectory, ledger: Ledger) -> list[ValueTruth]:
    """The measured values, or none.

    Values of continuations without standard errors are assumed to be means of outcomes of 0 and 1.

    Raises:
        ValueError: a field is missing or of a wrong type, not T + 1 numbers, or no standard errors and a
            value outside of [0, 1].
    """
    if "truth" not in row:
        return []
    given = row["truth"]
    check_fields(given, _TRUTH, ("values", "branches"), "truth")
    n_values = len(trajectory) + 1
    values = _numbers(given["values"], "values of the truth", n_values, "values before, between and after")
    error = np.zeros(n_values)
    if "standard_error" in given:
        error = _numbers(given["standard_error"], "standard errors of the truth", n_values, "values")
    elif given["branches"] > 0:
        error = _errors_of_means(values, given["branches"])
        ledger.assumed["standard errors of a truth: those of means of outcomes of 0 and 1"] += 1
    policy, cap = given.get("policy", trajectory.policy), given.get("step_cap", len(trajectory))
    return [ValueTruth(trajectory.id, values, error, given["branches"], policy, cap)]


def _errors_of_means(values: FloatArray, n: int) -> FloatArray:
    """(T + 1,) float64: standard errors of values that are means of n outcomes of 0 and 1; 0 for the last, R.

    With the pseudo-outcomes of `truth.outcomes.smoothed_variance`: n failures do not give certainty.
    """
    outside = np.flatnonzero((values < 0) | (values > 1))
    if len(outside):
        t = outside[0]
        raise ValueError(f"truth of {n} branches, value {t} is {values[t]:g}: needs a 'standard_error'")
    means = (n * values + 1) / (n + 2)
    errors: FloatArray = np.sqrt(means * (1 - means) / n)
    errors[-1] = 0.0
    return errors


def labels_of(row: Row, trajectory: Trajectory) -> list[Labels]:
    """Labels by source; a source without any label has none.

    Raises:
        ValueError: not one number or null per step.
    """
    labels = []
    for source, given in row.get("labels", {}).items():
        what = f"labels of {source!r}"
        known = [0 if value is None else value for value in given] if isinstance(given, list) else given
        numbers = _numbers(known, what, len(trajectory))
        unknown = np.array([value is None for value in given])
        if not unknown.all():
            labels.append(Labels(trajectory.id, source, np.where(unknown, np.nan, numbers)))
    return labels


def tokens_of(row: Row, trajectory: Trajectory) -> list[TokenNumbers]:
    """Numbers of the tokens by name; a step without any has none.

    Raises:
        ValueError: no list of numbers, or not one for every token's text.
    """
    given = [step.get("token_numbers") or {} for step in row["steps"]]
    found = []
    for name in dict.fromkeys(name for step in given for name in step):
        what = f"token_numbers {name!r}"
        numbers = [_numbers(step.get(name, []), f"step {t}: {what}", None) for t, step in enumerate(given)]
        texts = [step.get("tokens") for step in row["steps"]]
        known = all(text is not None for text, one in zip(texts, numbers, strict=True) if len(one))
        shown = tuple(
            tuple(map(str, text or ())) if len(one) else () for text, one in zip(texts, numbers, strict=True)
        )
        found.append(TokenNumbers(trajectory.id, name, tuple(numbers), shown if known else None))
    return found


def _numbers(given: Any, what: str, count: int | None, of: str = "steps") -> FloatArray:
    """(count,) float64; raises ValueError saying what it is that is no such list."""
    if not isinstance(given, list) or any(_is_not_number(value) for value in given):
        raise ValueError(f"{what} must be a list of numbers, got {given!r:.60}")
    if count is not None and len(given) != count:
        raise ValueError(f"{what} are {len(given)} numbers, there are {count} {of}")
    return _floats(given)


def _floats(values: Sequence[Any]) -> FloatArray:
    return np.array([to_float(value) for value in values], dtype=np.float64)


def _is_not_number(value: object) -> bool:
    return not isinstance(value, int | float) or isinstance(value, bool)
