"""Checks for the exercises at the end of the notebooks: each calls the reader's function with test cases.

A wrong answer raises nothing. Every check returns one sentence: that all cases agree, or the first case that
does not, with the expected and the returned value. Expected numbers are computed by hand where possible.
Numbers may come as any array, tensor or list.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from spa_lab.exercises.answers import (
    Case,
    Sentence,
    agree,
    answer_of,
    as_array,
    not_yet,
    shown,
    verdict,
    verdict_of_texts,
)
from spa_lab.stats import two_proportion_z, wilson
from spa_lab.types import Credit, FloatArray, Trajectory


def check_reach(mine: Callable[[float, float, int], float]) -> str:
    """Notebook 00. `mine(gamma, lam, distance)`: share of a reward that arrives so many actions earlier."""
    settings = [(0.99, 0.95, 0), (0.5, 0.5, 1), (0.9, 1.0, 3), (0.99, 0.95, 100), (1.0, 0.0, 2)]
    return verdict(mine, [(given, (given[0] * given[1]) ** given[2]) for given in settings])


def check_supervised(mine: Callable[[list[int], list[bool]], Sequence[bool]]) -> str:
    """Notebook 01. `mine(step_of_token, marks)`: which of L tokens the cloning loss covers.

    `step_of_token` is -1 for tokens of the world or the template; `marks` is true for steps to imitate.
    """
    cases: list[Case] = [
        (([-1, -1, 0, 0, -1, 1], [True, True]), [False, False, True, True, False, True]),
        (([-1, 0, 0, -1, 1, 1], [False, True]), [False, False, False, False, True, True]),
        # index -1 must not select the mark of the last step
        (([-1, 0, -1, 1], [False, True]), [False, False, False, True]),
        (([0, 1, 2], [True, False, True]), [True, False, True]),
    ]
    return verdict(mine, cases)


def check_tempered(mine: Callable[[FloatArray, float], ArrayLike]) -> str:
    """Notebook 02. `mine(logits, temperature)`: probabilities at a temperature above 0."""
    doubling = np.log([1.0, 2.0])
    cases: list[Case] = [
        ((doubling, 1.0), [1 / 3, 2 / 3]),
        ((doubling, 0.5), [1 / 5, 4 / 5]),
        ((np.zeros(4), 0.7), [0.25] * 4),
        # exp(1000) overflows float64: the largest logit must be subtracted first
        ((np.array([1000.0, 0.0]), 1.0), [1.0, 0.0]),
    ]
    return verdict(mine, cases)


def check_wilson(mine: Callable[[int, int], tuple[float, float]]) -> str:
    """Notebook 02. `mine(k, n)`: bounds of the 95 % Wilson interval of k successes in n trials."""
    counts = [(106, 134), (1, 10), (0, 10), (10, 10)]
    cases: list[Case] = [((k, n), (wilson(k, n).low, wilson(k, n).high)) for k, n in counts]
    return verdict(mine, cases, within=1e-4)  # z = 1.96 is as good as 1.959964


def check_other_split(mine: Callable[[FloatArray], ArrayLike]) -> str:
    """Notebook 03. `mine(contributions)`: another (T,) split that the estimator's loss cannot tell apart."""
    for given in (np.array([0.25, 0.5, 0.25]), np.array([1.0, -0.5]), np.array([0.0, 0.0, 0.0, 1.0])):
        answer = answer_of(mine, (given,))
        if isinstance(answer, Sentence):
            return answer
        other = as_array(answer)
        if other is None or other.shape != given.shape:
            return not_yet((given,), f"{given.size} contributions", answer)
        if not math.isclose(other.sum(), given.sum(), abs_tol=1e-9):
            return not_yet((given,), f"contributions that sum to {given.sum():g}", other)
        if np.allclose(other, given):
            return not_yet((given,), "another split", other)
    return "Right: the sum is the same, so the loss is the same, but the split is another one."


def check_auc(mine: Callable[[list[float], list[float]], float]) -> str:
    """Notebook 03. `mine(successes, failures)`: probability that a success is predicted above a failure."""
    cases: list[Case] = [
        (([0.9, 0.8], [0.1]), 1.0),
        (([0.1], [0.9, 0.8]), 0.0),
        (([0.5, 0.9], [0.7]), 0.5),
        # a tie counts half: (0.5 + 1 + 0 + 0.5) / 4
        (([0.4, 0.6], [0.4, 0.6]), 0.5),
        # 0.5 > 0.2, 0.5 = 0.5: (1 + 0.5) / 2
        (([0.5], [0.2, 0.5]), 0.75),
    ]
    return verdict(mine, cases)


def check_penalised(mine: Callable[[FloatArray, FloatArray, float, float], ArrayLike]) -> str:
    """Notebook 04. `mine(contributions, grounded, alpha, beta)`: alpha * c, minus beta where not grounded."""
    cases: list[Case] = [
        ((np.array([0.2, 0.8]), np.array([1.0, 1.0]), 1.0, 0.5), [0.2, 0.8]),
        ((np.array([0.2, 0.8]), np.array([0.0, 1.0]), 1.0, 0.5), [-0.3, 0.8]),
        ((np.array([-0.1, 0.0]), np.array([0.0, 0.0]), 2.0, 0.25), [-0.45, -0.25]),
    ]
    return verdict(mine, cases)


def check_advantages(mine: Callable[[FloatArray, FloatArray, float, float], ArrayLike]) -> str:
    """Notebook 04. `mine(rewards, values, gamma, lam)`: GAE; the episode ends after the last token."""
    late, zeros = np.array([0.0, 0.0, 1.0]), np.zeros(3)
    cases: list[Case] = [
        ((late, zeros, 1.0, 1.0), [1.0, 1.0, 1.0]),
        ((late, zeros, 0.5, 1.0), [0.25, 0.5, 1.0]),
        # delta = [1 + 0.5 * 1 - 0.5, 2 - 1] = [1, 1]; A_0 = 1 + 0.5 * 0.5 * 1
        ((np.array([1.0, 2.0]), np.array([0.5, 1.0]), 0.5, 0.5), [1.25, 1.0]),
        # lam = 0: the TD errors
        ((np.array([1.0, 2.0]), np.array([0.5, 1.0]), 0.5, 0.0), [1.0, 1.0]),
    ]
    return verdict(mine, cases)


def check_monte_carlo(mine: Callable[[Callable[[int], float], int, int, float], ArrayLike]) -> str:
    """Notebook 02b. `mine(play, n_steps, n, outcome)`: measured progress of every step.

    `play(t)` is the outcome of one continuation from before step t; the value after the last is `outcome`.
    """
    worlds = [([[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0]], 1.0), ([[1, 0], [0, 0]], 0.0), ([[0, 1]], 1.0)]
    for outcomes, outcome in worlds:
        n, values = len(outcomes[0]), [*(float(np.mean(row)) for row in outcomes), outcome]
        player = _Player(outcomes)
        described = (f"a world of {len(outcomes)} steps", n, outcome)
        answer = answer_of(mine, (player, len(outcomes), n, outcome), name=", ".join(map(shown, described)))
        if isinstance(answer, Sentence):
            return answer
        if not agree(answer, np.diff(values)):
            return not_yet(described, f"the differences of {shown(values)}", answer)
        if player.played != [n] * len(outcomes):
            return not_yet(described, f"{n} continuations from every step", player.played)
    return f"Right: all {len(worlds)} cases agree."


class _Player:
    """Plays the given outcomes of each step in turn, over and over."""

    def __init__(self, outcomes: Sequence[Sequence[float]]) -> None:
        self.outcomes, self.played = outcomes, [0] * len(outcomes)

    def __call__(self, step: int) -> float:
        """The next outcome from before a step."""
        if not 0 <= step < len(self.outcomes):
            raise ValueError(f"play({step}): there are the steps 0 to {len(self.outcomes) - 1}")
        outcomes = self.outcomes[step]
        self.played[step] += 1
        return outcomes[(self.played[step] - 1) % len(outcomes)]


def check_length_baseline(mine: Callable[[list[int], list[float]], Callable[[int], float]]) -> str:
    """Notebook 03. `mine(lengths, outcomes)`: a function from a length to the mean outcome of that length.

    Where no episode has the length: the mean outcome of all.
    """
    lengths, outcomes = [3, 3, 5, 8], [1.0, 0.0, 1.0, 0.0]
    cases = [(3, 0.5), (5, 1.0), (8, 0.0), (4, 0.5)]
    predict = answer_of(mine, (lengths, outcomes))
    if isinstance(predict, Sentence):
        return predict
    if not callable(predict):
        return not_yet((lengths, outcomes), "a function of a length", predict)
    return verdict(predict, [((length,), expected) for length, expected in [*cases, (30, 0.5)]])


def check_leave_one_out(mine: Callable[[list[float], list[str]], ArrayLike]) -> str:
    """Notebook 04. `mine(outcomes, tasks)`: each outcome minus the mean of the others of its task."""
    cases: list[Case] = [
        (([1.0, 0.0], ["a", "a"]), [1.0, -1.0]),
        # episodes of another task do not count, and a task played once has no others
        (([1.0, 0.0, 0.5], ["a", "a", "b"]), [1.0, -1.0, 0.0]),
        # 1 - (1 + 0) / 2, 1 - 1 / 2, 0 - (1 + 1) / 2, in any order
        (([1.0, 0.0, 1.0], ["a", "a", "a"]), [0.5, -1.0, 0.5]),
        (([1.0, 1.0, 1.0], ["a", "a", "a"]), [0.0, 0.0, 0.0]),
    ]
    return verdict(mine, cases)


def check_credit(
    mine: Callable[[Trajectory, list[Trajectory]], ArrayLike],
    trajectories: Sequence[Trajectory],
    siblings: Mapping[str, list[Trajectory]],
    rival: Sequence[Credit],
    score: Callable[[Sequence[Credit]], Any],
) -> str:
    """Notebook 05. `mine(trajectory, siblings)`: T contributions that order steps better than a rival's.

    Args:
        mine: the reader's method.
        trajectories: the measured ones.
        siblings: trajectory id -> other episodes of its task.
        rival: credit of the method to beat, all of one source.
        score: credits -> a frame with a row per source: `source`, `value`, `low`, `high`.
    """
    credits = []
    for trajectory in trajectories:
        answer = answer_of(mine, (trajectory, siblings[trajectory.id]), name=trajectory.id)
        if isinstance(answer, Sentence):
            return answer
        values = as_array(answer)
        if values is None or values.shape != (len(trajectory),) or not np.isfinite(values).all():
            return not_yet((trajectory.id,), f"{len(trajectory)} finite numbers", answer)
        credits.append(Credit(trajectory.id, "mine", values))
    board = score([*credits, *rival]).set_index("source")
    ours, theirs = board.loc["mine"], board.loc[rival[0].source]
    numbers = [f"{row['value']:.3f} [{row['low']:.2f}, {row['high']:.2f}]" for row in (ours, theirs)]
    if ours["value"] <= theirs["value"]:
        return f"Not yet: for {len(credits)} episodes expected more than {numbers[1]}, got {numbers[0]}."
    overlap = ours["low"] <= theirs["high"]
    caution = " The intervals overlap: on these tasks alone that is no proof." if overlap else ""
    return f"Right: {numbers[0]}, {rival[0].source} has {numbers[1]}.{caution}"


def check_standard_error(mine: Callable[[FloatArray], float]) -> str:
    """Notebook 02b. `mine(outcomes)`: standard error of the mean, smoothed by one added 0 and one added 1."""
    cases: list[Case] = [
        # 3 of 6 are 1: variance 1/4, divided by the four outcomes
        ((np.array([0.0, 1.0, 1.0, 0.0]),), 0.25),
        # five failures: 1 of 7 is 1, variance 6/49
        ((np.zeros(5),), math.sqrt(6 / 49 / 5)),
        ((np.ones(128),), math.sqrt(1 / 130 * 129 / 130 / 128)),
        # 0, 1 and twice 1/2: variance 1/8
        ((np.array([0.5, 0.5]),), 0.25),
    ]
    return verdict(mine, cases)


def check_branches(mine: Callable[[float], int]) -> str:
    """Notebook 02b. `mine(error)`: smallest n for which no standard error of progress exceeds `error`."""
    # the worst case is V = 1/2 on both sides: error^2 = 2 * (1/4) / n. No error here gives a whole number:
    # whether that is rounded up would depend on how the formula is written
    return verdict(mine, [((error,), math.ceil(0.5 / error**2)) for error in (0.6, 0.3, 0.12, 0.07, 0.033)])


def check_going_on(mine: Callable[[float, float, int], bool]) -> str:
    """Notebook 05c. `mine(beta, gamma, left)`: whether `left` more grounded steps pay more than finishing."""
    # 1 + 0.5 = 3 * 0.5 and 1 + 1/16 = 17/16 are ties, exact in binary; with 0.5 the sum stays below 2 * beta
    ties = [(0.5, 1.0, 3), (0.0625, 1.0, 17), (2.0, 0.5, 2)]
    settings = [*ties, (0.5, 1.0, 4), (0.0625, 1.0, 18), (0.5, 0.5, 40), (2.0, 0.5, 3)]
    return verdict(mine, [(each, _pays_to_go_on(*each)) for each in settings])


def _pays_to_go_on(beta: float, gamma: float, left: int) -> bool:
    return math.fsum(beta * gamma**k for k in range(left)) > 1 + beta


def check_within(mine: Callable[[list[list[float]], list[list[float]]], float]) -> str:
    """Notebook 05. `mine(opinions, truths)`: mean of Spearman's rho of each trajectory that has one."""
    cases: list[Case] = [
        (([[1, 2, 3]], [[0.1, 0.2, 0.9]]), 1.0),
        # both orders are reversed; the level does not matter
        (([[2, 1, 0], [12, 11, 10]], [[0.0, 0.1, 0.2], [0.8, 0.9, 1.0]]), -1.0),
        # ranks 1 3 2 against 1 2 3: 1 - 6 * 2 / (3 * 8)
        (([[1, 3, 2], [3, 4, 5, 6]], [[1, 2, 3], [1, 2, 3, 4]]), 0.75),
        # equal values have no ranks: the trajectory is left out
        (([[1, 1, 1], [1, 2]], [[1, 2, 3], [5, 9]]), 1.0),
    ]
    return verdict(mine, cases)


def check_replies(mine: Callable[[list[dict[str, str]]], list[str]]) -> str:
    """Notebook 06. `mine(messages)`: the world's reply to each message of the assistant, in order.

    Several replies in a row are joined by a newline; a step without a reply has "".
    """
    assistant = {"role": "assistant", "content": "x"}

    def user(text: str) -> dict[str, str]:
        return {"role": "user", "content": text}

    cases: list[Case] = [
        (([user("start"), assistant, user("a"), assistant, user("b")],), ["a", "b"]),
        (([user("start"), assistant, user("a"), assistant],), ["a", ""]),
        (([assistant, user("a"), user("b")],), ["a\nb"]),
        (([assistant, assistant, {"role": "tool", "content": "c"}],), ["", "c"]),
    ]
    return verdict_of_texts(mine, cases)


def check_gap(mine: Callable[[FloatArray, float, float], float]) -> str:
    """Notebook 06. `mine(contributions, base_value, outcome)`: predicted outcome minus R."""
    cases: list[Case] = [
        ((np.array([0.25, 0.5]), 0.0, 0.75), 0.0),
        ((np.array([0.25, 0.5]), 0.25, 0.0), 1.0),
        ((np.array([-0.5, 0.0, 0.25]), 0.125, 1.0), -1.125),
    ]
    return verdict(mine, cases)


def check_resample(mine: Callable[[FloatArray, list[int], list[int]], float]) -> str:
    """Notebook 07. `mine(scores, seeds, tasks)`: mean of (K, tasks) scores in one crossed resample.

    `seeds` and `tasks` are the drawn rows and columns; a row or column drawn twice counts twice.
    """
    scores = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    cases: list[Case] = [
        ((scores, [0, 1], [0, 1, 2]), 0.5),
        ((scores, [0, 0], [0, 2, 2]), 1.0),
        ((scores, [1, 1], [0, 0, 2]), 1 / 3),
        ((scores, [0, 1], [0, 0, 1]), 1 / 3),
    ]
    return verdict(mine, cases)


def check_escaped(mine: Callable[[str], str]) -> str:
    r"""Notebook 07. `mine(text)`: the text with a backslash before each of the LaTeX signs & % $ # _ { }."""
    cases: list[Case] = [
        (("100 % & more",), r"100 \% \& more"),
        (("critic_td",), r"critic\_td"),
        (("{$#}",), r"\{\$\#\}"),
        (("plain",), "plain"),
    ]
    return verdict_of_texts(mine, cases)


def check_z(mine: Callable[[int, int, int, int], float]) -> str:
    """Notebook 08. `mine(k1, n1, k2, n2)`: z of first minus second share, with the pooled variance."""
    counts = [(106, 134, 99, 134), (99, 134, 106, 134), (10, 20, 10, 40), (30, 60, 5, 20)]
    return verdict(mine, [(each, two_proportion_z(*each)) for each in counts])


def check_count(mine: Callable[[float, int], int]) -> str:
    """Notebook 08. `mine(percent, n)`: k with 100 k / n rounding to `percent` (one digit), or -1."""
    cases: list[Case] = [
        ((79.1, 134), 106),
        ((62.1, 200), -1),
        ((62.0, 200), 124),
        ((64.1, 500), -1),
        ((53.4, 247), 132),
        ((0.0, 10), 0),
    ]
    return verdict(mine, cases)
