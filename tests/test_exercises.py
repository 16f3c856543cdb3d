"""Every check accepts a right answer, refuses each plausible wrong one, and says nothing of an empty one."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from docs.teaching.solutions import SOLUTIONS, auc, gae, replies, tempered, wilson_ends, within
from spa_lab import Run, ScriptedPlayer, exercises, make_environment, scoreboard
from spa_lab.credit.methods import gigpo
from spa_lab.exercises.answers import NOT_WRITTEN
from spa_lab.paths import tour_folder
from spa_lab.stats import spearman
from spa_lab.types import Credit

Method = Callable[..., Any]


def overflowing(logits: np.ndarray, temperature: float) -> np.ndarray:
    with np.errstate(all="ignore"):
        weights = np.exp(logits / temperature)
        return weights / weights.sum()


def with_rounded_z(k: int, n: int) -> tuple[float, float]:
    """Wilson's interval with z = 1.96, as notebook 02 writes it."""
    half = 1.96 * math.sqrt(k * (n - k) / n + 1.96**2 / 4)
    return (k + 1.96**2 / 2 - half) / (n + 1.96**2), (k + 1.96**2 / 2 + half) / (n + 1.96**2)


class WithGradient:
    """As a tensor of torch that has a gradient: no array before it is detached."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")

    def detach(self) -> np.ndarray:
        return self.values


RIGHT = list(SOLUTIONS.items())
OTHER_FORMS: list[tuple[str, Method]] = [
    ("check_wilson", with_rounded_z),
    ("check_branches", lambda error: math.ceil((1 / (math.sqrt(2) * error)) ** 2)),
    ("check_branches", lambda error: next(n for n in range(1, 999) if 1 / math.sqrt(2 * n) <= error)),
    ("check_tempered", lambda z, t: tempered(z, t).astype(np.float32)),
    ("check_tempered", lambda z, t: WithGradient(tempered(z, t))),
    ("check_supervised", lambda steps, marks: tuple(int(step >= 0 and marks[step]) for step in steps)),
    ("check_leave_one_out", lambda o, tasks: pd.Series(SOLUTIONS["check_leave_one_out"](o, tasks))),
    ("check_replies", lambda chat: tuple(replies(chat))),
    ("check_replies", lambda chat: np.array(replies(chat))),
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
    ("check_monte_carlo", lambda play, n_steps, n, outcome: [play(t) for t in range(n_steps)]),
    (
        "check_monte_carlo",
        lambda play, n_steps, n, outcome: SOLUTIONS["check_monte_carlo"](play, n_steps, n, 0.5),
    ),
    (
        "check_monte_carlo",
        lambda play, n_steps, n, outcome: SOLUTIONS["check_monte_carlo"](play, n_steps, 2 * n, outcome),
    ),
    ("check_length_baseline", lambda lengths, outcomes: lambda length: float(np.mean(outcomes))),
    (
        "check_length_baseline",
        lambda lengths, outcomes: dict(zip(lengths, outcomes, strict=True)).__getitem__,
    ),
    ("check_length_baseline", lambda lengths, outcomes: np.mean(outcomes)),
    ("check_leave_one_out", lambda outcomes, tasks: np.array(outcomes) - np.mean(outcomes)),
    ("check_leave_one_out", lambda outcomes, tasks: [0.0] * len(outcomes)),
    ("check_credit", lambda trajectory, siblings: np.zeros(len(trajectory))),
    ("check_credit", lambda trajectory, siblings: np.zeros(len(trajectory) - 1)),
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
    ("check_z", lambda k1, n1, k2, n2: (k1 / n1 - k2 / n2) / math.sqrt(0.25 * (1 / n1 + 1 / n2))),
    ("check_z", lambda k1, n1, k2, n2: SOLUTIONS["check_z"](k2, n2, k1, n1)),
    ("check_count", lambda percent, n: round(percent * n / 100)),
    ("check_count", lambda percent, n: int(percent * n / 100)),
    # no numbers at all
    ("check_reach", lambda gamma, lam, distance: f"{(gamma * lam) ** distance:.4f}"),
    ("check_supervised", lambda steps, marks: (step >= 0 and marks[step] for step in steps)),
    ("check_tempered", lambda z, t: dict(enumerate(tempered(z, t)))),
    ("check_other_split", lambda c: [[1.0, 2.0], 3.0]),
    ("check_other_split", lambda c: "another"),
    ("check_credit", lambda trajectory, siblings: "mine"),
    ("check_replies", lambda chat: 7),
    ("check_length_baseline", lambda lengths, outcomes: "a function"),
]


@pytest.fixture(scope="module")
def check(tour: "Tour") -> Callable[[str, Method], str]:
    """(name of a check, a reader's function) -> what the check says."""

    def call(name: str, mine: Method) -> str:
        more = (tour.measured, tour.siblings, tour.rival, tour.scores) if name == "check_credit" else ()
        return getattr(exercises, name)(mine, *more)

    return call


class Tour:
    """What notebook 05 gives to `check_credit`, with fewer resamples."""

    def __init__(self) -> None:
        run = Run.open(tour_folder("household"))
        self.truth = run.truth()
        self.measured = [t for each in run.trajectory_sets() for t in each.load() if t.id in self.truth]
        player = ScriptedPlayer(make_environment("household"), run.config["slips"], run.config["step_cap"])
        tasks = {task.id: task for task in player.environment.tasks("unseen", 240)}
        self.siblings = {
            t.id: [player.play(tasks[t.task_id], seed=1000 + k) for k in range(16)] for t in self.measured
        }
        self.rival = gigpo([t for group in self.siblings.values() for t in group])(self.measured)

    def scores(self, credits: list[Credit]) -> pd.DataFrame:
        truths = [self.truth[trajectory.id] for trajectory in self.measured]
        board = scoreboard(self.measured, credits, truths, rng=np.random.default_rng(0), resamples=20)
        return board[board.metric.eq("pair_accuracy") & board.outcome.eq("both")]


@pytest.fixture(scope="module")
def tour() -> Tour:
    return Tour()


@pytest.mark.parametrize(("name", "mine"), RIGHT, ids=[name for name, _ in RIGHT])
def test_a_right_answer_is_right(name: str, mine: Method, check: Callable[[str, Method], str]) -> None:
    assert check(name, mine).startswith("Right: ")


@pytest.mark.parametrize(
    ("name", "mine"), OTHER_FORMS, ids=[f"{name}-{i}" for i, (name, _) in enumerate(OTHER_FORMS)]
)
def test_a_right_answer_may_have_another_form(
    name: str, mine: Method, check: Callable[[str, Method], str]
) -> None:
    assert check(name, mine).startswith("Right: ")


@pytest.mark.parametrize(("name", "mine"), WRONG, ids=[f"{name}-{i}" for i, (name, _) in enumerate(WRONG)])
def test_a_wrong_answer_is_shown_what_was_expected(
    name: str, mine: Method, check: Callable[[str, Method], str]
) -> None:
    verdict = check(name, mine)
    assert verdict.startswith("Not yet: for ") and " expected " in verdict and ", got " in verdict


@pytest.mark.parametrize("name", [name for name, _ in RIGHT])
def test_an_empty_answer_is_no_answer(name: str, check: Callable[[str, Method], str]) -> None:
    assert check(name, lambda *arguments: None) == NOT_WRITTEN


@pytest.mark.parametrize("name", [name for name, _ in RIGHT])
def test_an_error_of_the_reader_is_told_without_a_traceback(
    name: str, check: Callable[[str, Method], str]
) -> None:
    def broken(*arguments: Any) -> Any:
        raise KeyError("step")

    assert check(name, broken).endswith("expected no error, got KeyError: 'step'")


def test_every_check_is_tried_here() -> None:
    public = {name for name in vars(exercises) if name.startswith("check_")}
    assert {name for name, _ in RIGHT} == {name for name, _ in WRONG} == public


def test_no_notebook_shows_the_way_to_the_solutions() -> None:
    root = Path(__file__).resolve().parents[1]
    pages = [*(root / "notebooks").glob("*.ipynb"), *(root / "docs").glob("*.md"), root / "README.md"]
    assert [page.name for page in pages if "solutions" in page.read_text(encoding="utf-8")] == []


def test_a_credit_that_wins_by_little_is_told_so(check: Callable[[str, Method], str]) -> None:
    verdict = check("check_credit", SOLUTIONS["check_credit"])
    assert "gigpo has" in verdict and "The intervals overlap" in verdict


def test_the_first_case_that_differs_is_told_in_numbers() -> None:
    verdict = exercises.check_advantages(lambda rewards, values, gamma, lam: rewards)
    assert verdict == "Not yet: for [0, 0, 1], [0, 0, 0], 1, 1 expected [1, 1, 1], got [0, 0, 1]."


def test_a_small_difference_is_shown_with_the_digits_that_differ() -> None:
    verdict = exercises.check_gap(lambda c, base, outcome: base + c.sum() - outcome + 0.000004)
    assert verdict.endswith("expected 0, got 4e-06.")
    verdict = exercises.check_auc(lambda s, f: auc(s, f) * 0.99999)
    assert verdict.endswith("expected 1, got 0.99999.")


def test_a_step_that_does_not_exist_is_not_played() -> None:
    def one_more(play: Callable[[int], float], n_steps: int, n: int, outcome: float) -> np.ndarray:
        return np.diff([np.mean([play(t) for _ in range(n)]) for t in range(n_steps + 1)])

    verdict = exercises.check_monte_carlo(one_more)
    assert "for a world of 3 steps, 4, 1 expected no error, got ValueError: play(3)" in verdict


def test_a_function_may_change_what_it_is_given() -> None:
    def greedy(rewards: np.ndarray, values: np.ndarray, gamma: float, lam: float) -> list[float]:
        answer = gae(rewards, values, gamma, lam)
        rewards[:] = values[:] = 9.0
        return answer

    assert exercises.check_advantages(greedy).startswith("Right: ")
