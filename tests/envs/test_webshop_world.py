"""Pages and actions step by step in a small shop, and arbitrary texts as actions."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spa_lab.envs.base import Task
from spa_lab.envs.webshop.goals import Goal
from spa_lab.envs.webshop.pages import pieces
from spa_lab.envs.webshop.product import Product, read_product
from spa_lab.envs.webshop.shop import make_shop
from spa_lab.envs.webshop.world import WebshopWorld, parse_action

HEAD = "Instruction: [SEP] a red mug"


def product(index: int, **fields: Any) -> Product:
    record = {
        "asin": f"B{index}",
        "name": f"Mug {index}",
        "full_description": "",
        "small_description": [],
        "customization_options": "",
        "pricing": f"${index}",
        "category": "garden",
        "query": "mugs",
        "product_category": "Kitchen",
        **fields,
    }
    return read_product(record, ["red"], "test")


def values(*names: str) -> list[dict[str, str]]:
    return [{"value": name} for name in names]


ODD = product(
    1,
    name="Odd Mug",
    full_description=" ",
    small_description=[" big ", "", "\n", "\xa0"],
    pricing="$1,000.50$9",
    customization_options={
        "Color": values("Red", "Blue"),
        "Finish": values("red", "A/B ", "description", "buy now", "search", "a[b", ""),
        "None": None,
    },
)
GOAL = Goal("B1", "garden", "mugs", "Odd Mug", "Kitchen", "a red mug", ("red",), ("red",), 30.0, 1)


def make_world(attributes: bool = False) -> WebshopWorld:
    products = [ODD, *(product(index) for index in range(2, 13))]
    shop = make_shop(products, {each.asin: each.pricing[0] for each in products})
    shop.show_attributes = attributes
    world = WebshopWorld(shop)
    world.reset(Task("t", "webshop", "train", "garden", GOAL.instruction, 0, GOAL))
    return world


def play(world: WebshopWorld, *actions: str) -> str:
    for action in actions:
        reply = world.step(action)
        assert reply.grounded, action
    return reply.observation


def test_start_and_results() -> None:
    world = make_world()
    assert world.reset(Task("t", "webshop", "", "", "", 0, GOAL)) == f"WebShop [SEP] {HEAD} [SEP] Search"
    assert world.clickables == ("search",)
    text = play(world, "search[mug 7]")
    assert text.startswith(
        f"{HEAD} [SEP] Back to Search [SEP] Page 1 (Total results: 12) [SEP] Next > [SEP] B7 [SEP]"
    )
    assert world.clickables[:3] == ("back to search", "next >", "b7")
    text = play(world, "click[Next >]")
    assert "Page 2 (Total results: 12) [SEP] < Prev [SEP] Next > [SEP]" in text
    assert len(world.clickables) == 3 + 2
    assert play(world, "click[next >]").endswith("Page 3 (Total results: 12) [SEP] < Prev [SEP] Next >")
    assert play(world, "click[< prev]") == text
    assert "Total results: 0" in play(world, "search[ ]")


def test_product_page_and_details() -> None:
    world = make_world()
    text = play(world, "search[odd]", "click[b1]")
    assert text == (
        f"{HEAD} [SEP] Back to Search [SEP] < Prev [SEP] color [SEP] red [SEP] blue [SEP] finish [SEP] red"
        " [SEP] a | b [SEP] description [SEP] buy now [SEP] search [SEP] a[b [SEP] Odd Mug"
        " [SEP] Price: $1000.5 to $9.0 [SEP] Rating: N.A."
        " [SEP] Description [SEP] Features [SEP] Reviews [SEP] Buy Now"
    )
    assert world.clickables == (
        "back to search", "< prev", "description", "features", "reviews", "buy now", "red", "blue", "a | b",
        "search", "a[b", "",
    )  # fmt: skip
    assert (
        play(world, "click[features]") == f"{HEAD} [SEP] Back to Search [SEP] < Prev [SEP] big [SEP]  [SEP] "
    )
    assert play(world, "click[< Prev]") == text
    assert play(world, "click[description]") == f"{HEAD} [SEP] Back to Search [SEP] < Prev [SEP] "


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", []),
        (" ", [""]),
        (" \n ", []),
        (" a ", ["a"]),
        ("\xa0", [""]),
        ("\xa0\n", [""]),
        ("a\nb", ["a\nb"]),
    ],
)
def test_blanks(text: str, shown: list[str]) -> None:
    assert pieces(text) == shown


def test_options_belong_to_the_last_group_and_are_forgotten_with_the_product() -> None:
    world = make_world()
    play(world, "search[odd]", "click[b1]", "click[blue]", "click[red]", "click[A | B]")
    assert world.state.options == (("color", "blue"), ("finish", "a | b"))
    play(world, "click[features]", "click[< prev]")
    assert world.state.options == (("color", "blue"), ("finish", "a | b"))
    play(world, "click[< prev]", "click[b1]")
    assert world.state.options == ()


def test_buying_ends_it() -> None:
    world = make_world()
    play(world, "search[odd]", "click[b1]", "click[blue]", "click[red]")
    reply = world.step("click[Buy Now]")
    assert (reply.grounded, reply.done, reply.outcome) == (True, True, pytest.approx(2 / 3))
    assert 'options [SEP] {"color": "blue", "finish": "red"} [SEP]' in reply.observation
    assert world.reward is not None and not world.reward.r_price
    before = world.snapshot()
    later = world.step("search[mug]")
    assert (later.grounded, later.done, later.outcome) == (False, True, reply.outcome)
    assert (later.observation, later.reason) == (reply.observation, "the episode is over")
    assert (world.snapshot(), world.admissible()) == (before, [])


def test_only_a_purchase_has_an_outcome() -> None:
    world = make_world()
    for action in ("search[odd]", "click[b1]", "click[red]", *["click[description]", "click[< prev]"] * 6):
        reply = world.step(action)
        assert (reply.done, reply.outcome) == (False, 0.0)


def test_the_page_attributes() -> None:
    world = make_world(attributes=True)
    play(world, "search[odd]", "click[b1]")
    assert play(world, "click[Attributes]").endswith("< Prev [SEP] red [SEP] garden [SEP] mugs [SEP] Kitchen")


def test_search_is_possible_everywhere_and_forgets_the_product() -> None:
    world = make_world()
    play(world, "search[odd]", "click[b1]", "click[red]", "click[features]", "search[MUG 5] and more")
    assert world.state == replace_state(world, page="results", query="mug 5")


def replace_state(world: WebshopWorld, **fields: Any) -> object:
    world.reset(Task("t", "webshop", "", "", "", 0, GOAL))
    return world.state._replace(**fields)


@pytest.mark.parametrize(
    ("action", "parsed"),
    [
        ("search[tea]", ("search", "tea")),
        ("click[Buy Now] now", ("click", "buy now")),
        ("click[a]b]", ("click", "a]b")),
        ("search[ ]", ("search", " ")),
        *(
            (text, ("", ""))
            for text in ("search[[tea]]", "search[]", " search[tea]", "Search[tea]", "search[a\nb]")
        ),
        *((text, ("", "")) for text in ("", "search", "think[x]", "click [x]", "\nclick[x]", "click[x")),
    ],
)
def test_grammar(action: str, parsed: tuple[str, str]) -> None:
    assert parse_action(action) == parsed


@pytest.mark.parametrize("operator", ["<r>", "<q> mugs", "<c> garden", "<a> red"])
def test_query_operators_leak_nothing(operator: str) -> None:
    world = make_world()
    plain = play(world, f"search[{operator.partition('> ')[2] or 'r'}]")
    assert play(world, f"search[{operator}]").count("[SEP] B") <= plain.count("[SEP] B")


def test_an_unknown_product_cannot_be_opened() -> None:
    lower = replace(ODD, asin="b99", title="Lower Mug")
    shop = make_shop([lower], {"b99": 1.0})
    world = WebshopWorld(shop)
    world.reset(Task("t", "webshop", "", "", "", 0, GOAL))
    world.step("search[lower]")
    reply = world.step("click[b99]")
    assert (reply.grounded, reply.reason) == (False, "no product 'B99'")
    assert "click[b99]" not in world.admissible()


@pytest.mark.parametrize(
    ("page", "action", "reason"),
    [
        (
            [],
            "search",
            "not an action: expected search[words] or click[target], with text between the brackets",
        ),
        ([], "search red mug", "not an action: expected search[words] or click[target]; use search[red mug]"),
        (
            [],
            "Search[[Red mug]]",
            "not an action: expected search[words] or click[target]; use search[Red mug]",
        ),
        ([], "think[hard]", "not an action: expected search[words] or click[target]"),
        ([], "click[search]", "'search' is a text field, not a button: use search[words]"),
        (
            [],
            "click[red mug]",
            "no target 'red mug' on this page: it has only a search field; use search[words]",
        ),
        (["search[odd]"], "click[ B1 ]", "no target ' b1 ' on this page: use click[b1]"),
        (
            ["search[odd]"],
            "click[b77]",
            "no target 'b77' on this page; it has back to search, next >, b1",
        ),
        (
            ["search[odd]", "click[b1]"],
            "click[ Buy now ]",
            "no target ' buy now ' on this page: use click[buy now]",
        ),
        (["search[odd]", "click[b1]"], "click[buy]", "no target 'buy' on this page: use click[buy now]"),
        (["search[odd]", "click[b1]"], "click[a/b]", "no target 'a/b' on this page: use click[a | b]"),
        (
            ["search[odd]", "click[b1]"],
            "click[fetures]",
            "no target 'fetures' on this page: use click[features]",
        ),
        (
            ["search[odd]", "click[b1]"],
            "Buy Now",
            "not an action: expected search[words] or click[target]; use click[buy now]",
        ),
    ],
)
def test_refusals_name_the_accepted_spelling(page: list[str], action: str, reason: str) -> None:
    world = make_world()
    if page:
        play(world, *page)
    before = world.snapshot()
    reply = world.step(action)
    assert (reply.grounded, world.snapshot()) == (False, before)
    assert reply.reason == reason
    if "use click[" in reason:
        assert world.step(reason.rpartition("use ")[2]).grounded


def test_wrong_tasks_and_tokens_are_refused() -> None:
    world = make_world()
    with pytest.raises(ValueError, match="task 't': payload must be a Goal, got str"):
        world.reset(Task("t", "webshop", "", "", "", 0, "goal"))
    token = world.snapshot()
    world.reset(Task("u", "webshop", "", "", "", 0, replace(GOAL, instruction="other")))
    for wrong in (token, 3):
        with pytest.raises(ValueError, match="not a snapshot of this task"):
            world.restore(wrong)


WORDS = st.sampled_from(
    ["red", "blue", "b1", "B7", "next >", "< prev", "back to search", "buy now", "features", "reviews",
     "search", "description", "attributes", "a | b", "a[b", "", "mug", "odd"]
)  # fmt: skip
ACTIONS = st.one_of(
    st.text(max_size=20),
    st.builds(lambda kind, word: f"{kind}[{word}]", st.sampled_from(["search", "click", "Click"]), WORDS),
    st.builds(
        lambda kind, word: f"{kind}[{word}]", st.sampled_from(["search", "click"]), st.text(max_size=9)
    ),
)


@given(st.lists(ACTIONS, max_size=25), st.booleans())
def test_any_text_is_answered_and_ungrounded_steps_change_nothing(
    actions: list[str], attributes: bool
) -> None:
    world = make_world(attributes)
    last = world.reset(Task("t", "webshop", "", "", "", 0, GOAL))
    for action in actions:
        before, listed = world.snapshot(), world.admissible()
        reply = world.step(action)
        assert reply.grounded == (reply.reason == "")
        assert 0.0 <= reply.outcome <= 1.0
        if action.startswith("click[") and action.endswith("]"):
            lower = f"click[{action[6:-1].lower()}]"
            assert reply.grounded == (lower in listed)
        if not reply.grounded:
            assert (world.snapshot(), world.admissible(), reply.observation) == (before, listed, last)
        last = reply.observation


@given(st.lists(ACTIONS, max_size=12), st.lists(ACTIONS, max_size=12))
def test_snapshots_equal_a_replay(first: list[str], later: list[str]) -> None:
    world, fresh = make_world(), make_world()
    for action in first:
        world.step(action)
    token = world.snapshot()
    replies = [world.step(action) for action in later]
    end = world.snapshot()
    world.restore(token)
    assert [world.step(action) for action in later] == replies
    assert world.snapshot() == end
    for action in first:
        fresh.step(action)
    assert fresh.snapshot() == token


def test_the_shop_is_shared_and_never_changed() -> None:
    first = make_world()
    shop = first._shop
    second = WebshopWorld(shop)
    second.reset(Task("t", "webshop", "", "", "", 0, GOAL))
    play(first, "search[odd]", "click[b1]", "click[blue]")
    assert second.clickables == ("search",)
    assert play(second, "search[odd]", "click[b1]") == play(first, "click[red]")
    assert second.state.options == ()
