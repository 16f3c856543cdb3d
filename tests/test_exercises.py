"""Every check accepts a right answer, refuses each plausible wrong one, and says nothing of an empty one."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spa_lab import exercises
from spa_lab.exercises import NOT_WRITTEN
from spa_lab.stats import spearman


def supervised(steps: list[int], marks: list[bool]) -> list[bool]:
    return [step >= 0 and marks[step] for step in steps]


def tempered(logits: np.ndarray, temperature: float) -> np.ndarray:
    weights = np.exp((logits - logits.max()) / temperature)
    return weights / weights.sum()


def overflowing(logits: np.ndarray, temperature: float) -> np.ndarray:
    with np.errstate(all="ignore"):
        weights = np.exp(logits / temperature)
        return weights / weights.sum()


def wilson_ends(k: int, n: int) -> tuple[float, float]:
    z = 1.959964
    centre, scale = (k + z * z / 2) / (n + z * z), n + z * z
    half = z * math.sqrt(k * (n - k) / n + z * z / 4) / scale
    return centre - half, centre + half


def auc(successes: list[float], failures: list[float]) -> float:
    return float(np.mean([(s > f) + 0.5 * (s == f) for s in successes for f in failures]))


def gae(rewards: np.ndarray, values: np.ndarray, gamma: float, lam: float) -> list[float]:
    after = [*values[1:], 0.0]
    delta = [r + gamma * v_next - v for r, v_next, v in zip(rewards, after, values, strict=True)]
    n = len(delta)
    return [sum((gamma * lam) ** (k - i) * delta[k] for k in range(i, n)) for i in range(n)]


def within(opinions: list[list[float]], truths: list[list[float]]) -> float:
    return float(np.nanmean([spearman(c, d) for c, d in zip(opinions, truths, strict=True)]))


def replies(messages: list[dict[str, str]]) -> list[str]:
    groups: list[list[str]] = []
    for message in messages:
        if message["role"] == "assistant":
            groups.append([])
        elif groups:
            groups[-1].append(message["content"])
    return ["\n".join(group) for group in groups]


def escaped(text: str) -> str:
    return "".join("\\" + sign if sign in "&%$#_{}" else sign for sign in text)


RIGHT: list[tuple[str, Callable[..., Any]]] = [
    ("check_supervised", supervised),
    ("check_tempered", tempered),
    ("check_wilson", wilson_ends),
    ("check_other_split", lambda c: c[::-1] if c[0] != c[-1] else np.array([*np.zeros(len(c) - 1), c.sum()])),
    ("check_auc", auc),
    ("check_penalised", lambda c, g, alpha, beta: alpha * c - beta * (1 - g)),
    ("check_advantages", gae),
    ("check_reach", lambda gamma, lam, distance: (gamma * lam) ** distance),
    ("check_standard_error", lambda x: float(np.sqrt(np.var([*x, 0, 1]) / len(x)))),
    ("check_branches", lambda error: math.ceil(0.5 / error**2)),
    ("check_going_on", lambda beta, gamma, left: sum(beta * gamma**k for k in range(left)) > 1 + beta),
    ("check_within", within),
    ("check_replies", replies),
    ("check_gap", lambda c, base, outcome: base + c.sum() - outcome),
    ("check_resample", lambda scores, seeds, tasks: scores[np.ix_(seeds, tasks)].mean()),
    ("check_escaped", escaped),
]
WRONG: list[tuple[str, Callable[..., Any]]] = [
    ("check_supervised", lambda steps, marks: [marks[step] for step in steps]),
    ("check_supervised", lambda steps, marks: [step >= 0 for step in steps]),
    ("check_tempered", lambda z, t: tempered(z, 1.0)),
    ("check_tempered", lambda z, t: tempered(z, 1 / t)),
    ("check_tempered", lambda z, t: tempered(z, t)[:1]),
    ("check_tempered", overflowing),
    ("check_wilson", lambda k, n: (k / n - 0.1, k / n + 0.1)),
    ("check_wilson", lambda k, n: wilson_ends(k, n)[::-1]),
    ("check_other_split", lambda c: c),
    ("check_other_split", lambda c: 2 * c),
    ("check_other_split", lambda c: c[:-1]),
    ("check_auc", lambda s, f: float(np.mean([a > b for a in s for b in f]))),
    ("check_auc", lambda s, f: 1 - auc(s, f)),
    ("check_penalised", lambda c, g, alpha, beta: alpha * c + beta * g),
    ("check_penalised", lambda c, g, alpha, beta: c - beta * (1 - g)),
    ("check_advantages", lambda r, v, gamma, lam: gae(r, v, 1.0, lam)),
    ("check_advantages", lambda r, v, gamma, lam: gae(r, v, gamma, 1.0)),
    ("check_advantages", lambda r, v, gamma, lam: gae(r, 0 * v, gamma, lam)),
    ("check_reach", lambda gamma, lam, distance: gamma**distance),
    ("check_standard_error", lambda x: float(np.std(x) / np.sqrt(len(x)))),
    ("check_standard_error", lambda x: float(np.std([*x, 0, 1]) / np.sqrt(len(x) + 2))),
    ("check_branches", lambda error: math.ceil(0.25 / error**2)),
    ("check_branches", lambda error: math.floor(0.5 / error**2)),
    ("check_going_on", lambda beta, gamma, left: beta * left > 1 + beta),
    ("check_going_on", lambda beta, gamma, left: beta * left >= 1 + beta),
    ("check_within", lambda c, d: spearman(np.concatenate(c), np.concatenate(d))),
    ("check_within", lambda c, d: within(c, d) * len(c)),
    ("check_replies", lambda chat: [message["content"] for message in chat if message["role"] == "user"][1:]),
    ("check_replies", lambda chat: [reply.replace("\n", " ") for reply in replies(chat)]),
    ("check_gap", lambda c, base, outcome: outcome - base - c.sum()),
    ("check_gap", lambda c, base, outcome: c.sum() - outcome),
    ("check_resample", lambda scores, seeds, tasks: scores[sorted(set(seeds))][:, sorted(set(tasks))].mean()),
    ("check_resample", lambda scores, seeds, tasks: scores.mean()),
    ("check_escaped", lambda text: text.replace("%", r"\%").replace("&", r"\&")),
    ("check_escaped", lambda text: text),
]


@pytest.mark.parametrize(("name", "mine"), RIGHT, ids=[name for name, _ in RIGHT])
def test_a_right_answer_is_right(name: str, mine: Callable[..., Any]) -> None:
    assert getattr(exercises, name)(mine).startswith("Right: ")


@pytest.mark.parametrize(("name", "mine"), WRONG, ids=[f"{name}-{i}" for i, (name, _) in enumerate(WRONG)])
def test_a_wrong_answer_is_shown_what_was_expected(name: str, mine: Callable[..., Any]) -> None:
    verdict = getattr(exercises, name)(mine)
    assert verdict.startswith("Not yet: for ") and " expected " in verdict and ", got " in verdict


@pytest.mark.parametrize("name", sorted({name for name, _ in RIGHT}))
def test_an_empty_answer_is_no_answer(name: str) -> None:
    assert getattr(exercises, name)(lambda *arguments: None) == NOT_WRITTEN


def test_every_check_is_tried_here() -> None:
    public = {name for name in vars(exercises) if name.startswith("check_")}
    assert {name for name, _ in RIGHT} == {name for name, _ in WRONG} == public


def test_the_first_case_that_differs_is_told_in_numbers() -> None:
    verdict = exercises.check_advantages(lambda rewards, values, gamma, lam: rewards)
    assert verdict == "Not yet: for [0, 0, 1], [0, 0, 0], 1, 1 expected [1, 1, 1], got [0, 0, 1]."


def test_a_function_may_change_what_it_is_given() -> None:
    def greedy(rewards: np.ndarray, values: np.ndarray, gamma: float, lam: float) -> list[float]:
        answer = gae(rewards, values, gamma, lam)
        rewards[:] = values[:] = 9.0
        return answer

    assert exercises.check_advantages(greedy).startswith("Right: ")
