"""What a customer of the web shop has read so far: read from the texts alone, never from the shop."""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from spa_lab.envs.webshop.pages import PER_PAGE, SEPARATOR, SUB_PAGES
from spa_lab.envs.webshop.vocabulary import GROUP_NAMES

_PAGE = re.compile(r"Page (\d+) \(Total results: (\d+)\)")
_PRICE = re.compile(r"\$([\d.]+)(?: to \$([\d.]+))?")
_CLICK = re.compile(r"click\[(.+)\]")
_SEARCH = re.compile(r"search\[(.+)\]")


class Row(NamedTuple):
    """A product as a page of results shows it."""

    asin: str
    title: str
    price: float
    """The highest that it may cost, dollars."""


@dataclass
class Memory:
    """Everything read, and where the customer stands now."""

    page: str = "index"
    """"index", "results", "item", "sub" or "done"."""
    rows: tuple[Row, ...] = ()
    """Products on this page, or on the page of results that this product was reached from."""
    more: bool = False
    """Whether there are results behind that page."""
    number: int = 1
    queries: list[str] = field(default_factory=list)
    """Searches made so far, the last one last."""
    known: dict[str, Row] = field(default_factory=dict)
    """All products ever listed, by asin."""
    item: Row | None = None
    """The product that is looked at."""
    left: str = ""
    """asin of the product from which the customer came back to this page of results; else empty."""
    offered: dict[str, str] = field(default_factory=dict)
    """Option value → its group, on the product's page."""
    options: dict[str, dict[str, str]] = field(default_factory=dict)
    """asin → offered option value → its group, for products that were looked at."""
    features: dict[str, str] = field(default_factory=dict)
    """asin → text of its features, for those that were read."""
    chosen: dict[str, str] = field(default_factory=dict)
    """Group → value chosen for the product that is looked at."""

    def observe(self, action: str, observation: str) -> None:
        """Takes in one executed action and the reply to it."""
        pieces = observation.split(SEPARATOR)
        if pieces[0].startswith("Thank you"):
            self.page = "done"
        elif pieces[0] == "WebShop":
            self.page, self.rows, self.item, self.chosen = "index", (), None, {}
        elif len(pieces) > 3 and (found := _PAGE.fullmatch(pieces[3])):
            self._results(action, pieces, int(found[1]), int(found[2]))
        elif any(piece.startswith("Price: ") for piece in pieces):
            self._product(_clicked(action), pieces)
        else:
            self._more_about(_clicked(action), pieces)

    def _results(self, action: str, pieces: list[str], number: int, total: int) -> None:
        if self.item is not None:
            self.left = self.item.asin
        elif _SEARCH.match(action) or number != self.number:
            self.left = ""
        self.page, self.item, self.chosen = "results", None, {}
        self.number, self.more = number, total > number * PER_PAGE
        if search := _SEARCH.match(action):
            self.queries.append(search[1].lower())
        listed = pieces[6 if number > 1 else 5 :]
        rows = []
        for asin, title, tag in zip(listed[::3], listed[1::3], listed[2::3], strict=False):
            if price := _PRICE.fullmatch(tag):
                rows.append(Row(asin, title, float(price[2] or price[1])))
        self.rows = tuple(rows)
        self.known.update({row.asin: row for row in rows})

    def _product(self, clicked: str, pieces: list[str]) -> None:
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

    def _more_about(self, clicked: str, pieces: list[str]) -> None:
        if self.page != "item" or clicked not in SUB_PAGES:
            return  # a refused action: the same page again
        self.page = "sub"
        if clicked == "features" and self.item is not None:
            self.features[self.item.asin] = SEPARATOR.join(pieces[4:])


def _clicked(action: str) -> str:
    found = _CLICK.match(action)
    return found[1].lower() if found else ""
