"""The pages of the shop: their texts and their click targets.

The text of a page is its visible text nodes, joined by " [SEP] ". Button texts and layout are WebShop's (MIT,
(c) Princeton Natural Language Processing); the treatment of white space follows from how WebShop parses its
own HTML.
"""

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from spa_lab.envs.webshop.product import Product

SEPARATOR = " [SEP] "
PER_PAGE = 10
"""Products on one page of results."""
SEARCH, BACK, PREVIOUS, NEXT, BUY = "search", "back to search", "< prev", "next >", "buy now"
SUB_PAGES = ("description", "features", "reviews", "attributes")
_HTML_SPACE = " \n\t\f\r"
_RULES = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&'"})


class Page(NamedTuple):
    """A page without the instruction at its top."""

    text: str
    clickables: tuple[str, ...]
    """Lower case, in the order of the page."""


def pieces(text: str) -> list[str]:
    """The text nodes of a text: itself; none if empty; an empty one for blanks without a line break."""
    if text.strip(_HTML_SPACE):
        return [text.strip()]
    return [""] if text and "\n" not in text else []


def join(texts: Iterable[str]) -> str:
    """The text of a page with these text nodes."""
    return SEPARATOR.join(texts)


def heading(instruction: str) -> str:
    """The top of every page."""
    return join(["Instruction:", *pieces(instruction)])


def index_page(head: str) -> str:
    """The start page; its only button is "Search"."""
    return join(["WebShop", head, "Search"])


def results_page(products: Sequence[Product], page_number: int) -> Page:
    """Page `page_number` (from 1) of these hits; pages after the last one are empty."""
    shown = products[(page_number - 1) * PER_PAGE : page_number * PER_PAGE]
    texts = ["Back to Search", f"Page {page_number} (Total results: {len(products)})"]
    buttons = [BACK]
    if page_number > 1:
        texts.append("< Prev")
        buttons.append(PREVIOUS)
    texts.append("Next >")
    for product in shown:
        texts += [*pieces(product.asin), *pieces(product.title), *pieces(product.price_tag)]
    links = (product.asin.lower() for product in shown)
    return Page(join(texts), tuple(dict.fromkeys((*buttons, NEXT, *links))))


def item_page(product: Product, *, attributes: bool) -> Page:
    """A product's page; chosen options are not marked. `attributes` adds the button "Attributes"."""
    texts = ["Back to Search", "< Prev"]
    for name, values in product.options:
        texts += pieces(name)
        for value in values:
            texts += pieces(value)
    texts += pieces(product.title)
    texts += [f"Price: {product.price_tag}", "Rating: N.A.", "Description", "Features", "Reviews"]
    texts += ["Attributes", "Buy Now"] if attributes else ["Buy Now"]
    buttons = (BACK, PREVIOUS, *(SUB_PAGES if attributes else SUB_PAGES[:3]), BUY)
    return Page(join(texts), tuple(dict.fromkeys((*buttons, *option_groups(product)))))


def option_groups(product: Product) -> dict[str, str]:
    """Option value → its group; a value of several groups belongs to the last one."""
    return {value: name for name, values in product.options for value in values}


def sub_page(product: Product, name: str) -> Page:
    """One of `SUB_PAGES` of a product; reviews are always empty."""
    texts = ["Back to Search", "< Prev"]
    if name == "description":
        texts += pieces(product.description)
    elif name == "features":
        for bullet in product.bullets:
            texts += pieces(f" {bullet}")
    elif name == "attributes":
        for attribute in product.attributes:
            texts += pieces(f" {attribute}")
        for label in (product.category, product.query, product.product_category):
            texts += pieces(label)
    return Page(join(texts), (BACK, PREVIOUS))


def done_page(asin: str, options: dict[str, str], reward: float) -> str:
    """The page after a purchase; the original prints "None" where its web site prints labels."""
    chosen = json.dumps(options, sort_keys=True).translate(_RULES)
    return join(
        [
            "Thank you for shopping with us!", "Your code:", "None", "(Paste it in your MTurk interface.)",
            "Purchased", "asin", asin, "options", chosen, "attrs", "None", "category", "None", "query",
            "None", "product category", "None", "Target", "asin", "options", "attrs", "price upper",
            "instuction text", "category", "product category", "query", "Goal", "None", "Reward",
            "Your score (min 0.0, max 1.0)", str(reward), "Reward Details", "None",
        ]
    )  # fmt: skip
