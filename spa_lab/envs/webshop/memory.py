"""What a shopper has read so far, taken from the observations alone, never from the shop's data."""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from spa_lab.envs.webshop.pages import PER_PAGE, SEPARATOR, SUB_PAGES
from spa_lab.envs.webshop.vocabulary import GROUP_NAMES

_PAGE = re.compile(r"Page (\d+) \(Total results: (\d+)\)")
_PRICE = re.compile(r"\$([\d.]+)(?: to \$([\d.]+))?")
_CLICK = re.compile(r"click\[(.+)\]")
_SEARCH = re.compile(r"search\[(.+)\]")


class ListedProduct(NamedTuple):
    """A product as a page of results shows it."""

    asin: str
    title: str
    price: float
    """The highest price shown, dollars."""


@dataclass
class Memory:
    """Everything read, and the page that is shown now."""

    page: str = "index"
    """"index", "results", "item", "sub" or "done"."""
    listed: tuple[ListedProduct, ...] = ()
    """Products on this page of results, or on the one from which the current product was opened."""
    more: bool = False
    """Whether that page has a next page with results."""
    page_number: int = 1
    """Of that page of results, from 1."""
    queries: list[str] = field(default_factory=list)
    """Searches made so far, oldest first, lower case."""
    known: dict[str, ListedProduct] = field(default_factory=dict)
    """All products ever listed, by asin."""
    item: ListedProduct | None = None
    """The product whose page, or page with details, is shown."""
    left: str = ""
    """asin of the product from which the shopper returned to this page of results; empty otherwise."""
    offered: dict[str, str] = field(default_factory=dict)
    """Option value → its group, on the product's page."""
    options: dict[str, dict[str, str]] = field(default_factory=dict)
    """asin → offered option value → its group, for products whose page was shown."""
    features: dict[str, str] = field(default_factory=dict)
    """asin → text of the page "Features", where it was read."""
    chosen: dict[str, str] = field(default_factory=dict)
    """Group → value chosen for the current product."""

    def observe(self, action: str, observation: str) -> None:
        """Record an executed action and the reply to it."""
        pieces = observation.split(SEPARATOR)
        if pieces[0].startswith("Thank you"):
            self.page = "done"
        elif pieces[0] == "WebShop":
            self.page, self.listed, self.item, self.chosen = "index", (), None, {}
        elif len(pieces) > 3 and (heading := _PAGE.fullmatch(pieces[3])):
            self._read_results(action, pieces, int(heading[1]), int(heading[2]))
        elif any(piece.startswith("Price: ") for piece in pieces):
            self._read_product(_clicked(action), pieces)
        else:
            self._read_details(_clicked(action), pieces)

    def _read_results(self, action: str, pieces: list[str], page_number: int, total: int) -> None:
        search = _SEARCH.match(action)
        if self.item is not None:
            self.left = self.item.asin
        elif search or page_number != self.page_number:
            self.left = ""
        self.page, self.item, self.chosen = "results", None, {}
        self.page_number, self.more = page_number, total > page_number * PER_PAGE
        if search:
            self.queries.append(search[1].lower())
        entries = pieces[6 if page_number > 1 else 5 :]
        listed = []
        for asin, title, tag in zip(entries[::3], entries[1::3], entries[2::3], strict=False):
            if price := _PRICE.fullmatch(tag):
                listed.append(ListedProduct(asin, title, float(price[2] or price[1])))
        self.listed = tuple(listed)
        self.known.update({product.asin: product for product in listed})

    def _read_product(self, clicked: str, pieces: list[str]) -> None:
        if self.page == "results":
            self.item, self.chosen = self.known.get(clicked.upper()), {}
        elif clicked in self.offered and self.page == "item":
            self.chosen[self.offered[clicked]] = clicked
        self.page = "item"
        end = next(i for i, piece in enumerate(pieces) if piece.startswith("Price: "))
        self.offered, group = {}, ""
        for piece in pieces[4 : end - 1]:
            if piece in GROUP_NAMES:
                group = piece
            else:
                self.offered[piece] = group
        if self.item is not None:
            self.options[self.item.asin] = self.offered

    def _read_details(self, clicked: str, pieces: list[str]) -> None:
        if self.page != "item" or clicked not in SUB_PAGES:
            return  # a refused action: the shop repeats the page
        self.page = "sub"
        if clicked == "features" and self.item is not None:
            self.features[self.item.asin] = SEPARATOR.join(pieces[4:])


def _clicked(action: str) -> str:
    """Target of a click in lower case; empty if the action is no click."""
    click = _CLICK.match(action)
    return click[1].lower() if click else ""
