"""Products, read from records of the official files."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

LONGEST_ASIN = 10
NO_PRICE = 100.0
"""Price of a product whose record has none, dollars."""
UNKNOWN_ATTRIBUTE = "DUMMY_ATTR"
"""The only attribute of a product without an entry in the label file."""


@dataclass(frozen=True)
class Product:
    """A product of the shop; all texts as shown on pages."""

    asin: str
    title: str
    description: str
    bullets: tuple[str, ...]
    pricing: tuple[float, ...]
    """One price, or the two ends of a range, dollars."""
    options: tuple[tuple[str, tuple[str, ...]], ...]
    """(name, values) of each option group, in the order of the page; lower case."""
    attributes: tuple[str, ...]
    """Hidden labels that the reward compares; shown only on the page "Attributes"."""
    category: str
    query: str
    """The query by which the product was collected, lower case; also a hidden label."""
    product_category: str
    """A path of categories, joined by U+203A."""

    @property
    def price_tag(self) -> str:
        """The price as shown: "$12.99" or "$16.99 to $26.99"."""
        return " to ".join(f"${price}" for price in self.pricing)

    @property
    def document(self) -> str:
        """The text that is indexed for search."""
        groups = ", and ".join(f"{name}: {', '.join(values)}" for name, values in self.options)
        first = self.bullets[0] if self.bullets else ""
        return " ".join((self.title, self.description, first, groups)).lower()


def read_product(record: Any, attributes: Sequence[str] | None, where: str) -> Product:
    """A product from its record in `items_shuffle*.json`.

    Args:
        record: an entry of the file.
        attributes: its labels from `items_ins_v2*.json`; None if it has no entry there.
        where: file and entry, for messages.

    Raises:
        ValueError: a field is missing or of another type; names it.
    """
    if not isinstance(record, dict):
        raise ValueError(f"{where}: expected an object, got {type(record).__name__}")
    where = f"{where}, product {text_field(record, 'asin', where)!r}"
    small = record.get("small_description")
    return Product(
        asin=record["asin"],
        title=text_field(record, "name", where),
        description=text_field(record, "full_description", where),
        bullets=text_list(small if isinstance(small, list) else [small], "small_description", where),
        pricing=_pricing(record.get("pricing"), where),
        options=_options(record.get("customization_options"), where),
        attributes=(UNKNOWN_ATTRIBUTE,) if attributes is None else tuple(attributes),
        category=text_field(record, "category", where),
        query=text_field(record, "query", where).lower().strip(),
        product_category=text_field(record, "product_category", where),
    )


def is_kept(record: Any) -> bool:
    """Whether the original's loader keeps a record, unless its asin is repeated."""
    asin = record.get("asin") if isinstance(record, dict) else None
    return not isinstance(asin, str) or (asin != "nan" and len(asin) <= LONGEST_ASIN)


def text_field(record: dict[str, Any], key: str, where: str) -> str:
    """The string field `key` of a record.

    Raises:
        ValueError: it is missing or no string.
    """
    if not isinstance(record.get(key), str):
        raise ValueError(f"{where}: {key!r} must be a string, got {type(record.get(key)).__name__}")
    return record[key]


def text_list(values: Any, key: str, where: str) -> tuple[str, ...]:
    """A list of strings, as a tuple.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{where}: {key!r} must be a list of strings, got {str(values)[:80]}")
    return tuple(values)


def _pricing(text: Any, where: str) -> tuple[float, ...]:
    if not text:
        return (NO_PRICE,)
    try:
        prices = [float(Decimal(re.sub(r"[^\d.]", "", part))) for part in text.split("$")[1:]]
    except (AttributeError, InvalidOperation) as error:
        raise ValueError(f"{where}: cannot read the price {text!r}") from error
    if not prices or not all(0 <= price < float("inf") for price in prices):
        raise ValueError(f"{where}: cannot read the price {text!r}, expected '$' before each number")
    return tuple(prices[:2])


def _options(groups: Any, where: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not groups:
        return ()
    if not isinstance(groups, dict):
        raise ValueError(f"{where}: 'customization_options' must be an object, got {type(groups).__name__}")
    options: dict[str, tuple[str, ...]] = {}
    for name, contents in groups.items():
        if contents is None:
            continue
        if not isinstance(contents, list) or not all(isinstance(content, dict) for content in contents):
            raise ValueError(f"{where}: option {name!r} must be a list of objects")
        values = (text_field(content, "value", f"{where}, option {name!r}") for content in contents)
        options[name.lower()] = tuple(value.strip().replace("/", " | ").lower() for value in values)
    return tuple(options.items())
