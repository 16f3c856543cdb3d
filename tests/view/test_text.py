import html

import pytest

from spa_lab.types import Credit, Trajectory, ValueTruth
from spa_lab.view import text


def test_one_line_holds_nothing_that_breaks_a_layout() -> None:
    assert text.one_line(" a\n\tb\r\n c ") == "a b c"
    assert text.one_line("\ud800\x00\x1b\u202e") == "\ufffd" * 4
    family, persian = "\U0001f469\u200d\U0001f467", "\u0645\u06cc\u200c\u0631\u0648\u0645"
    assert text.one_line(family) == family and text.one_line(persian) == persian


def test_shortened_says_that_it_was() -> None:
    assert text.shortened("abcdef", 6) == "abcdef"
    assert text.shortened("abcdefg", 6) == "abcde…"
    assert text.shortened("abcd efgh", 6) == "abcd…"


def test_inert_text_is_shown_as_it_is_written(hostile: Trajectory) -> None:
    for step in hostile.steps:
        shown = text.inert(step.action)
        assert not set(shown) & set("<>$")
        assert html.unescape(shown) == step.action
    assert text.inert("a < b & $c") == "a &lt; b &amp; &#36;c"


@pytest.mark.parametrize(
    ("value", "places", "shown"),
    [(0.205, 2, "+0.20"), (-0.5, 2, "−0.50"), (0.0, 2, "0"), (-0.001, 2, "0.00")],
)
def test_numbers_carry_their_sign(value: float, places: int, shown: str) -> None:
    assert text.signed(value, places) == shown


def test_ends_of_intervals_have_all_their_places() -> None:
    ends = [text.signed_in_full(value, 1) for value in (0.0, -0.0, -0.04, 10.7, -3.0)]
    assert ends == ["0.0", "0.0", "0.0", "+10.7", "−3.0"]


def test_small_values_get_more_decimals() -> None:
    assert [text.decimal_places([value]) for value in (2, 0.5, 0.1, 0.05, 0.004, 1e-9, 0)] == [
        2,
        2,
        2,
        3,
        4,
        5,
        2,
    ]
    assert text.decimal_places([]) == 2


def test_captions(trajectory: Trajectory, credit: Credit) -> None:
    assert text.facts(trajectory) == "R = 1.00 (success) · 3 steps, 1 ungrounded · t1"
    assert text.sum_caption(credit) == "base +0.25, Σĉ = +0.75"
    assert text.sum_caption(Credit("t1", "mean", [-1, 0, 0])) == "Σĉ = −1.00"
    assert text.truth_label(ValueTruth("t1", [0, 1], [0, 0], 16, "p", 40)) == "Monte Carlo (16 branches)"
    exact = ValueTruth("t1", [0, 1], [0, 0], 0, "p", 40)
    assert text.truth_label(exact) == text.truth_and_error(exact) == "exact"
    sampled = ValueTruth("t1", [0, 1], [0.1, 0], 16, "p", 40)
    assert text.truth_and_error(sampled) == "Monte Carlo (16 branches) ± 1 s.e."
