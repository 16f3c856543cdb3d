"""Solutions of the notebooks' exercises, by the check that accepts them; tests run every one.

For lecturers: no notebook and no page of the documentation links here except `docs/teaching/README.md`. Where
the notebooks ask for an experiment or an opinion, there is no solution but a hint in that page.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from spa_lab.stats import spearman
from spa_lab.types import Trajectory


def arrives(gamma: float, lam: float, distance: int) -> float:
    """00, exercise 1: every action between multiplies the reward by gamma * lambda."""
    return (gamma * lam) ** distance


def supervised(step_of_token: list[int], marks: list[bool]) -> list[bool]:
    """01, exercise 1: `marks[-1]` is the mark of the last step, so -1 must be asked for first."""
    return [step >= 0 and marks[step] for step in step_of_token]


def tempered(logits: np.ndarray, temperature: float) -> np.ndarray:
    """02, exercise 1: subtracting the largest logit changes nothing and cannot overflow."""
    weights = np.exp((logits - logits.max()) / temperature)
    return weights / weights.sum()


def wilson_ends(k: int, n: int) -> tuple[float, float]:
    """02, exercise 2: the two roots in p of (k/n - p)^2 = z^2 p (1 - p) / n."""
    z = 1.959964
    centre, scale = (k + z * z / 2) / (n + z * z), n + z * z
    half = z * math.sqrt(k * (n - k) / n + z * z / 4) / scale
    return centre - half, centre + half


def monte_carlo(play: Callable[[int], float], n_steps: int, n: int, outcome: float) -> np.ndarray:
    """02b, exercise 1: n continuations from every history, then the differences; the last value is known."""
    values = [np.mean([play(t) for _ in range(n)]) for t in range(n_steps)]
    return np.diff([*values, outcome])


def standard_error(outcomes: np.ndarray) -> float:
    """02b, exercise 2: one 0 and one 1 enter the variance, not the divisor."""
    return float(np.sqrt(np.var([*outcomes, 0, 1]) / len(outcomes)))


def branches(error: float) -> int:
    """02b, exercise 3: 2 * (1/4) / n <= error^2; at 0.03: 556 per history, 11,120 in 20 steps."""
    return math.ceil(0.5 / error**2)


def other_split(contributions: np.ndarray) -> np.ndarray:
    """03, exercise 1: move a part from the first step to the last."""
    other = contributions.copy()
    other[0], other[-1] = other[0] - 0.5, other[-1] + 0.5
    return other


def auc(successes: list[float], failures: list[float]) -> float:
    """03, exercise 2: doubling keeps every comparison, so the AUC, and doubles every error."""
    return float(np.mean([(s > f) + 0.5 * (s == f) for s in successes for f in failures]))


def length_baseline(lengths: list[int], outcomes: list[float]) -> Callable[[int], float]:
    """03, exercise 3: a table of means, with the mean of all where a length was never seen."""
    by_length = defaultdict(list)
    for length, outcome in zip(lengths, outcomes, strict=True):
        by_length[length].append(outcome)
    overall = float(np.mean(outcomes))
    return lambda length: float(np.mean(by_length[length])) if length in by_length else overall


def penalised(contributions: np.ndarray, grounded: np.ndarray, alpha: float, beta: float) -> np.ndarray:
    """04, exercise 1."""
    return alpha * contributions - beta * (1 - grounded)


def gae(rewards: np.ndarray, values: np.ndarray, gamma: float, lam: float) -> np.ndarray:
    """04, exercise 2: backwards; V after the last token is 0."""
    advantages, following, value_after = np.zeros(len(rewards)), 0.0, 0.0
    for i in reversed(range(len(rewards))):
        following = rewards[i] + gamma * value_after - values[i] + gamma * lam * following
        advantages[i], value_after = following, values[i]
    return advantages


def leave_one_out(outcomes: list[float], tasks: list[str]) -> list[float]:
    """04, exercise 3."""
    advantages = []
    for i, task in enumerate(tasks):
        others = [outcomes[j] for j, other in enumerate(tasks) if other == task and j != i]
        advantages.append(outcomes[i] - float(np.mean(others)) if others else 0.0)
    return advantages


def within(contributions: list[list[float]], truths: list[list[float]]) -> float:
    """05, exercise 1."""
    return float(np.nanmean([spearman(c, d) for c, d in zip(contributions, truths, strict=True)]))


def state_values(trajectory: Trajectory, siblings: Sequence[Trajectory]) -> np.ndarray:
    """05, exercise 2: differences of the values of anchor states.

    A state is the text that was read last; its value is the mean outcome of the siblings that came by, drawn
    to the mean of all with the weight of two episodes. Anchor states (GiGPO) compare outcomes discounted by
    the steps that were left; this asks what the next state is worth more than the last.
    """
    outcomes = defaultdict(list)
    for sibling in siblings:
        for text in {_read(sibling, t) for t in range(len(sibling))}:
            outcomes[text].append(sibling.known_outcome)
    mean = float(np.mean([sibling.known_outcome for sibling in siblings]))

    def value(text: str) -> float:
        return (sum(outcomes[text]) + 2 * mean) / (len(outcomes[text]) + 2)

    values = [value(_read(trajectory, t)) for t in range(len(trajectory))]
    return np.diff([*values, trajectory.known_outcome])


def _read(trajectory: Trajectory, step: int) -> str:
    return trajectory.steps[step - 1].observation if step else trajectory.initial_observation


def going_on(beta: float, gamma: float, left: int) -> bool:
    """05c, exercise 1."""
    return sum(beta * gamma**k for k in range(left)) > 1 + beta


def replies(messages: list[dict[str, str]]) -> list[str]:
    """06, exercise 1."""
    groups: list[list[str]] = []
    for message in messages:
        if message["role"] == "assistant":
            groups.append([])
        elif groups:
            groups[-1].append(message["content"])
    return ["\n".join(group) for group in groups]


def gap(contributions: np.ndarray, base_value: float, outcome: float) -> float:
    """06, exercise 2."""
    return base_value + contributions.sum() - outcome


def resampled(scores: np.ndarray, seeds: list[int], tasks: list[int]) -> float:
    """07, exercise 1."""
    return scores[np.ix_(seeds, tasks)].mean()


def escaped(text: str) -> str:
    """07, exercise 2."""
    return "".join("\\" + sign if sign in "&%$#_{}" else sign for sign in text)


def z_of_two(k_first: int, n_first: int, k_second: int, n_second: int) -> float:
    """08, exercise 1: under the null hypothesis both rates are the pooled one."""
    pooled = (k_first + k_second) / (n_first + n_second)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n_first + 1 / n_second))
    return (k_first / n_first - k_second / n_second) / error


def count_of(percent: float, n: int) -> int:
    """08, exercise 2: no count is more than half a task away from the nearest one."""
    k = round(percent * n / 100)
    return k if round(100 * k / n, 1) == percent else -1


SOLUTIONS = {
    "check_reach": arrives,
    "check_supervised": supervised,
    "check_tempered": tempered,
    "check_wilson": wilson_ends,
    "check_monte_carlo": monte_carlo,
    "check_standard_error": standard_error,
    "check_branches": branches,
    "check_other_split": other_split,
    "check_auc": auc,
    "check_length_baseline": length_baseline,
    "check_penalised": penalised,
    "check_advantages": gae,
    "check_leave_one_out": leave_one_out,
    "check_within": within,
    "check_credit": state_values,
    "check_going_on": going_on,
    "check_replies": replies,
    "check_gap": gap,
    "check_resample": resampled,
    "check_escaped": escaped,
    "check_z": z_of_two,
    "check_count": count_of,
}
"""Name of the check in `spa_lab.exercises` -> a function that it accepts."""
