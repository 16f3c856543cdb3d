"""The vocabulary of the generated shop: kinds of products, their attributes and their options.

It is small on purpose: a small model must be able to read a page. No two attributes of a kind and no two
values of a group are equal for the reward (tests check this).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from spa_lab.envs.webshop.noun_scorer import NounScorer

Groups = tuple[tuple[str, tuple[str, ...]], ...]
"""(name, values) of each group of options."""


@dataclass(frozen=True)
class Kind:
    """One kind of product."""

    noun: str
    category: str
    attributes: tuple[str, ...]
    """Six; a product of this kind has `ATTRIBUTES_EACH` of them."""
    groups: Groups
    """Two; a product offers some values of each group."""
    price: int
    """Index of its lowest price in `PRICES`."""


_COLORS = ("color", ("black", "white", "blue", "green", "pink", "red", "yellow", "purple"))
_SIZES = ("size", ("small", "medium", "large", "xl"))
_BOTTLES = ("size", ("100 ml", "250 ml", "500 ml"))
_SCENTS = ("scent", ("rose", "lavender", "vanilla", "coconut", "citrus"))
_PACKS = ("pack", ("single", "6 pack", "12 pack"))

KINDS = (
    Kind(
        "t-shirt",
        "fashion",
        ("machine washable", "quick drying", "organic cotton", "slim fit", "long sleeve", "wrinkle free"),
        (_COLORS, _SIZES),
        0,
    ),
    Kind(
        "shampoo",
        "beauty",
        ("cruelty free", "paraben free", "fragrance free", "tea tree", "dry hair", "travel size"),
        (_SCENTS, _BOTTLES),
        0,
    ),
    Kind(
        "headphones",
        "electronics",
        (
            "noise cancelling",
            "fast charging",
            "hands free",
            "water resistant",
            "long lasting",
            "light weight",
        ),
        (_COLORS, ("style", ("over ear", "in ear", "clip on"))),
        8,
    ),
    Kind(
        "pillow",
        "garden",
        ("machine washable", "super soft", "memory foam", "organic cotton", "easy clean", "wrinkle free"),
        (_COLORS, ("size", ("18 inch", "26 inch", "30 inch"))),
        2,
    ),
    Kind(
        "green tea",
        "grocery",
        ("caffeine free", "sugar free", "plant based", "low calorie", "gluten free", "resealable bag"),
        (("flavor", ("lemon", "ginger", "mint", "honey")), _PACKS),
        0,
    ),
    Kind(
        "jacket",
        "fashion",
        ("machine washable", "water resistant", "slim fit", "light weight", "quick drying", "heavy duty"),
        (_COLORS, _SIZES),
        8,
    ),
    Kind(
        "face cream",
        "beauty",
        (
            "cruelty free",
            "fragrance free",
            "sensitive skin",
            "paraben free",
            "long lasting",
            "alcohol free",
        ),
        (_SCENTS, _BOTTLES),
        2,
    ),
    Kind(
        "keyboard",
        "electronics",
        ("light weight", "easy clean", "energy efficient", "long lasting", "space saving", "fast charging"),
        (_COLORS, ("layout", ("compact", "full"))),
        7,
    ),
    Kind(
        "curtains",
        "garden",
        (
            "machine washable",
            "wrinkle free",
            "energy efficient",
            "easy install",
            "light blocking",
            "super soft",
        ),
        (_COLORS, ("length", ("63 inch", "84 inch", "95 inch"))),
        4,
    ),
    Kind(
        "protein bar",
        "grocery",
        ("gluten free", "sugar free", "plant based", "low calorie", "dairy free", "keto friendly"),
        (("flavor", ("vanilla", "caramel", "peanut", "lemon")), _PACKS),
        1,
    ),
    Kind(
        "sneakers",
        "fashion",
        ("rubber sole", "memory foam", "arch support", "water resistant", "light weight", "quick drying"),
        (_COLORS, ("size", ("7", "8", "9", "10"))),
        7,
    ),
    Kind(
        "lipstick",
        "beauty",
        ("long lasting", "cruelty free", "paraben free", "water resistant", "alcohol free", "travel size"),
        (_COLORS, ("finish", ("matte", "glossy"))),
        0,
    ),
    Kind(
        "speaker",
        "electronics",
        (
            "water resistant",
            "hands free",
            "fast charging",
            "long lasting",
            "energy efficient",
            "easy install",
        ),
        (_COLORS, ("size", ("mini", "medium", "large"))),
        6,
    ),
    Kind(
        "bookshelf",
        "garden",
        ("solid wood", "space saving", "easy install", "heavy duty", "easy clean", "light weight"),
        (_COLORS, ("height", ("3 tier", "5 tier", "7 tier"))),
        8,
    ),
    Kind(
        "dark chocolate",
        "grocery",
        ("sugar free", "dairy free", "gluten free", "plant based", "keto friendly", "resealable bag"),
        (("flavor", ("mint", "caramel", "honey", "coconut")), _PACKS),
        0,
    ),
    Kind(
        "jeans",
        "fashion",
        ("slim fit", "machine washable", "organic cotton", "heavy duty", "wrinkle free", "light weight"),
        (_COLORS, _SIZES),
        5,
    ),
    Kind(
        "perfume",
        "beauty",
        ("long lasting", "alcohol free", "cruelty free", "travel size", "sensitive skin", "paraben free"),
        (_SCENTS, _BOTTLES),
        6,
    ),
    Kind(
        "desk lamp",
        "electronics",
        ("energy efficient", "space saving", "easy install", "easy clean", "light weight", "heavy duty"),
        (_COLORS, ("style", ("clamp", "base", "floor"))),
        4,
    ),
    Kind(
        "rug",
        "garden",
        (
            "machine washable",
            "super soft",
            "easy clean",
            "heavy duty",
            "quick drying",
            "stain resistant",
        ),
        (_COLORS, ("size", ("2x3 ft", "4x6 ft", "5x8 ft"))),
        5,
    ),
    Kind(
        "granola",
        "grocery",
        ("gluten free", "low calorie", "plant based", "resealable bag", "dairy free", "sugar free"),
        (("flavor", ("honey", "vanilla", "coconut", "ginger")), _PACKS),
        0,
    ),
)
"""Categories alternate."""
CATEGORIES: Mapping[str, str] = MappingProxyType(
    {
        "fashion": "Clothing",
        "beauty": "Beauty",
        "electronics": "Electronics",
        "garden": "Home",
        "grocery": "Grocery",
    }
)
"""Category in the files -> its name in a category path."""
BRANDS = (
    "alto", "brio", "cora", "dune", "elba", "fjord", "gala", "halo", "iris", "juno", "kite", "luma",
)  # fmt: skip
PRICES = (
    6.49, 8.99, 11.49, 13.99, 16.49, 18.99, 22.49, 24.99, 27.49, 31.99, 34.49, 38.99, 42.49, 46.99, 51.49,
    56.99, 63.49, 68.99, 74.49, 82.99,
)  # fmt: skip
PRICES_EACH = 12
"""Number of prices of a kind, from its lowest."""
ATTRIBUTES_EACH = 3
GROUP_NAMES = frozenset(name for kind in KINDS for name, _ in kind.groups)


@lru_cache(maxsize=1 << 12)
def kind_of(text: str) -> Kind | None:
    """The kind whose noun occurs in a text; None if there is none."""
    return next((kind for kind in KINDS if kind.noun in text), None)


def _noun(title: str) -> tuple[str, ...]:
    kind = kind_of(title)
    return tuple(kind.noun.split()) if kind else ()


NOUNS = NounScorer("generated", _noun)
"""The nouns of generated names are known, so another kind of product earns reward 0."""


def phrases() -> list[str]:
    """Every word or fixed phrase with a meaning of its own in the generated shop's texts, sorted.

    For tokenizers: each is always written in the same way.
    """
    texts = {*BRANDS, *(f"${price}" for price in PRICES), *(f"{limit}.00" for limit in range(10, 140, 10))}
    for kind in KINDS:
        texts |= {kind.noun, *kind.attributes, *(value for _, values in kind.groups for value in values)}
    return sorted(texts)
