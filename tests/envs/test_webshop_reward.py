"""The components and edge cases of the reward, and the similarity of phrases."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spa_lab.envs.webshop import noun_scorer
from spa_lab.envs.webshop.fuzzy import token_set_ratio
from spa_lab.envs.webshop.goals import Goal, WantedOption
from spa_lab.envs.webshop.noun_scorer import RULE, rule_nouns, spacy_nouns
from spa_lab.envs.webshop.product import Product
from spa_lab.envs.webshop.reward import COLORS, Reward, normalize_color, reward_of

PRODUCT = Product(
    asin="B1",
    title="Nova Cotton Shirt",
    description="Made for summer",
    bullets=("Machine washable", ""),
    pricing=(20.0,),
    options=(("color", ("red", "blue")),),
    attributes=("slim fit",),
    category="fashion",
    query="shirts",
    product_category="Clothing \u203a Men \u203a Shirts",
)
GOAL = Goal(
    asin="B1",
    category="fashion",
    query="shirts",
    name="Nova Cotton Shirt",
    product_category="Clothing \u203a Men \u203a Shirts",
    instruction="",
    attributes=("slim fit",),
    options=("red",),
    price_upper=30.0,
    weight=1,
)


def reward(
    product: Product = PRODUCT, goal: Goal = GOAL, price: float = 20.0, options: tuple[str, ...] = ("red",)
) -> Reward:
    return reward_of(product, goal, price=price, options=options, scorer=RULE)


def test_a_perfect_purchase() -> None:
    all_right = reward()
    assert (all_right.total, all_right.r_type, all_right.title_score) == (1.0, 1.0, 1.0)
    assert (all_right.w_att, all_right.w_option, all_right.w_price) == (1 / 3, 1 / 3, 1 / 3)
    assert all_right.type_scorer == "rule"


def test_each_part_counts_once() -> None:
    assert reward(price=30.01).total == pytest.approx(2 / 3)
    assert reward(price=30.0).total == 1.0
    assert reward(options=()).total == pytest.approx(2 / 3)
    assert reward(options=("blue", "red", "xl")).total == 1.0  # extra options cost nothing
    assert reward(goal=replace(GOAL, attributes=("slim fit", "waterproof"))).total == pytest.approx(3 / 4)


def test_without_wanted_options_there_are_no_option_parts() -> None:
    bare = reward(goal=replace(GOAL, options=()), options=())
    assert (bare.total, bare.r_option, bare.w_option) == (1.0, None, None)


@pytest.mark.parametrize("attribute", ["fit slim", "SLIM-FIT", "cotton", "washable", "summer", "machine"])
def test_attributes_are_found_in_labels_and_texts(attribute: str) -> None:
    assert reward(goal=replace(GOAL, attributes=(attribute,))).r_att == 1.0


@pytest.mark.parametrize(
    ("name", "query", "category", "r_type"),
    [
        ("Nova Cotton Shirt", "other", "Toys", 1.0),
        ("Nova Alpha Beta Gamma Delta", "other", "Toys", 0.5),  # title score 0.2 exactly
        ("Nova Alpha Beta Gamma Delta", "shirts", "Toys", 1.0),
        ("Nova Alpha Beta Gamma Delta", "other", "Shirts \u203a Men", 1.0),  # two parts, in any position
        ("Nova Alpha Beta Gamma Delta", "other", "Shirts \u203a Women", 0.5),
        ("Nova " + " ".join(f"Word{letter}" for letter in "abcdefghij"), "shirts", "Toys", 0.1),
        ("Alpha Beta", "shirts", "Clothing \u203a Men \u203a Shirts", 0.0),  # no shared noun: nothing helps
        ("The 100 New", "other", "Toys", 0.5),  # no nouns at all: title score 0.2
    ],
)
def test_type(name: str, query: str, category: str, r_type: float) -> None:
    goal = replace(GOAL, name=name, query=query, product_category=category)
    assert reward(goal=goal).r_type == r_type


@pytest.mark.parametrize(
    ("chosen", "wanted", "met"),
    [
        ("navy blue", "blue", True),  # both are "blue": the first colour word wins
        ("standard", "tan", True),
        ("colored", "red", True),
        ("washed", "ash", True),
        ("x-large", "large", True),  # one set of words contains the other
        ("small", "large", False),
        ("red", ("color", "red"), True),  # a pair is a colour if name or value is just that
        ("navy red", ("color", "navy red"), True),
        ("xl", ("size", "xl"), True),  # else its name is a word of it too, and does no harm
        ("size", ("size", "xl"), True),
        ("xs", ("size", "xl"), False),
        ("", "red", False),
    ],
)
def test_options(chosen: str, wanted: WantedOption, met: bool) -> None:
    assert reward(goal=replace(GOAL, options=(wanted,)), options=(chosen,)).r_option == float(met)


def test_one_value_may_satisfy_several() -> None:
    assert reward(goal=replace(GOAL, options=("red", "dark red")), options=("dark red",)).r_option == 0.5
    assert reward(goal=replace(GOAL, options=("xl", "size xl")), options=("xl",)).r_option == 1.0


def test_colors_are_alphabetical() -> None:
    assert len(COLORS) == 102
    assert list(COLORS) == sorted(COLORS)
    assert normalize_color("no colour at all") == "no colour at all"


def test_nouns_by_rule() -> None:
    assert rule_nouns("The 12-Pack of T.V. A&B's soft 5.5mm Cups, cups") == (
        "pack",
        "t.v.",
        "a&b's",
        "cups",
        "cups",
    )


def test_a_missing_model_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoModels:
        class util:
            is_package = staticmethod(lambda name: False)

    monkeypatch.setattr(noun_scorer, "import_module", lambda name: NoModels)
    with pytest.raises(ImportError, match="'no_such_model' is not installed"):
        spacy_nouns("no_such_model")


def test_a_model_is_named_and_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    class Token:
        def __init__(self, text: str) -> None:
            self.text, self.pos_ = text, "PROPN" if text[0].isupper() else "VERB"

    class Language:
        meta = {"version": "3.7"}  # noqa: RUF012

        def __call__(self, text: str) -> list[Token]:
            return [Token(word) for word in text.split()]

    class Spacy:
        load = staticmethod(lambda name: Language())

        class util:
            is_package = staticmethod(lambda name: True)

    monkeypatch.setattr(noun_scorer, "import_module", lambda name: Spacy)
    scorer = spacy_nouns("toy_model")
    assert (scorer.name, scorer.nouns("Red runs Mug")) == ("spacy:toy_model 3.7", ("red", "mug"))


@given(st.text(max_size=30), st.text(max_size=30))
def test_similarity_is_symmetric_and_bounded(first: str, second: str) -> None:
    ratio = token_set_ratio(first, second)
    assert 0 <= ratio <= 100
    assert ratio == token_set_ratio(second, first)
    assert token_set_ratio(first, first) in (0, 100)


def subsequence(first: str, second: str) -> int:
    rows = [[0] * (len(second) + 1)]
    for letter in first:
        row = [0]
        for j, other_letter in enumerate(second):
            row.append(rows[-1][j] + 1 if letter == other_letter else max(row[-1], rows[-1][j + 1]))
        rows.append(row)
    return rows[-1][-1]


@given(st.text("abc", min_size=1, max_size=12), st.text("abc", min_size=1, max_size=12))
def test_similarity_of_two_words_is_their_common_subsequence(first: str, second: str) -> None:
    expected = (
        100 if first == second else round(200 * subsequence(first, second) / (len(first) + len(second)))
    )
    assert token_set_ratio(first, second) == expected
