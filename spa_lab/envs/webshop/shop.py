"""The shop: products, prices and search. Immutable, shared by all episodes."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from spa_lab.envs.webshop import pages
from spa_lab.envs.webshop.bm25 import index_of
from spa_lab.envs.webshop.noun_scorer import RULE, NounScorer
from spa_lab.envs.webshop.pages import Page
from spa_lab.envs.webshop.product import Product

HITS = 50
"""Largest number of search results."""
_PAGES_KEPT = 1 << 13


class Shop:
    """Products, their prices and their search. Pages are built once and cached."""

    def __init__(
        self,
        products: Mapping[str, Product],
        prices: Mapping[str, float],
        search: Callable[[str], Sequence[str]],
        *,
        scorer: NounScorer = RULE,
        show_attributes: bool = False,
    ) -> None:
        """A shop.

        Args:
            products: asin → product.
            prices: asin → price that the reward uses, dollars.
            search: query → asins, best first, at most `HITS`.
            scorer: finds the nouns of names, for the reward.
            show_attributes: whether product pages have the button "Attributes", which shows hidden labels.
        """
        self.products = products
        self.prices = prices
        self.scorer = scorer
        self.show_attributes = show_attributes
        self._search = search
        self.results = lru_cache(_PAGES_KEPT)(self._results)
        """(query, page number) → page of results."""
        self.item = lru_cache(_PAGES_KEPT)(self._item)
        """asin → product page."""
        self.sub = lru_cache(_PAGES_KEPT)(self._sub)
        """(asin, one of `SUB_PAGES`) → page with details of a product."""
        self.option_groups = lru_cache(_PAGES_KEPT)(self._option_groups)
        """asin → {option value: its group}."""
        self._hits = lru_cache(_PAGES_KEPT)(self._find)

    def _find(self, query: str) -> tuple[Product, ...]:
        return tuple(self.products[asin] for asin in self._search(query))

    def _results(self, query: str, page_number: int) -> Page:
        return pages.results_page(self._hits(query), page_number)

    def _item(self, asin: str) -> Page:
        return pages.item_page(self.products[asin], attributes=self.show_attributes)

    def _sub(self, asin: str, name: str) -> Page:
        return pages.sub_page(self.products[asin], name)

    def _option_groups(self, asin: str) -> dict[str, str]:
        return pages.option_groups(self.products[asin])


def make_shop(products: Sequence[Product], prices: Mapping[str, float], *, scorer: NounScorer = RULE) -> Shop:
    """A shop with these products and a search index in memory."""
    index = index_of((product.asin, product.document) for product in products)

    def search(query: str) -> list[str]:
        return [asin for asin, _ in index.search(query, HITS)]

    return Shop({product.asin: product for product in products}, prices, search, scorer=scorer)
