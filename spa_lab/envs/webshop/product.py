"""One product, and how it is read from a record of the official files."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

LONGEST_ASIN = 10
NO_PRICE = 100.0
"""Price, in dollars, of a product whose record has none."""
UNKNOWN_ATTRIBUTE = "DUMMY_ATTR"
"""What stands for the attributes of a product that the attribute file does not have."""


@dataclass(frozen=True)
class Product:
    """What the shop knows of one product; all texts as they are shown."""

    asin: str
    title: str
    description: str
    bullets: tuple[str, ...]
    pricing: tuple[float, ...]
    """One price in dollars, or the two ends of a range."""
    options: tuple[tuple[str, tuple[str, ...]], ...]
    """(name, values) of each group of options, in the order of the page; lower case."""
    attributes: tuple[str, ...]
    """Hidden labels that the reward compares; never shown but on the page "Attributes"."""
    category: str
    query: str
    """The search it was found by, lower case: a hidden label too."""
    product_category: str
    """A path of categories, joined by U+203A."""

    @property
    def price_tag(self) -> str:
        """The price as shown: "$12.99" or "$16.99 to $26.99"."""
        return " to ".join(f"${price}" for price in self.pricing)

    @property
    def document(self) -> str:
        """The text that search looks into."""
        groups = ", and ".join(f"{name}: {', '.join(values)}" for name, values in self.options)
        first = self.bullets[0] if self.bullets else ""
        return " ".join((self.title, self.description, first, groups)).lower()


def read_product(record: Any, attributes: Sequence[str] | None, where: str) -> Product:
    """A product from its record in `items_shuffle*.json`.

    Args:
        record: One entry of the file.
        attributes: Its labels from `items_ins_v2*.json`; None if it has no entry there.
        where: File and entry, for errors.

    Raises:
        ValueError: Names the field that is missing or of another type.
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
    """Whether the original's loader keeps a record, repeated names aside."""
    asin = record.get("asin") if isinstance(record, dict) else None
    return not isinstance(asin, str) or (asin != "nan" and len(asin) <= LONGEST_ASIN)


def text_field(record: dict[str, Any], key: str, where: str) -> str:
    """The text `key` of a record.

    Raises:
        ValueError: It is missing or no text.
    """
    if not isinstance(record.get(key), str):
        raise ValueError(f"{where}: {key!r} must be a text, got {type(record.get(key)).__name__}")
    return record[key]


def text_list(values: Any, key: str, where: str) -> tuple[str, ...]:
    """A list of texts, as a tuple.

    Raises:
        ValueError: It is something else.
    """
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{where}: {key!r} must be a list of texts, got {str(values)[:80]}")
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
        if not isinstance(contents, list) or not all(isinstance(one, dict) for one in contents):
            raise ValueError(f"{where}: option {name!r} must be a list of objects")
        values = (text_field(one, "value", f"{where}, option {name!r}") for one in contents)
        options[name.lower()] = tuple(value.strip().replace("/", " | ").lower() for value in values)
    return tuple(options.items())
