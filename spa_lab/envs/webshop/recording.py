"""Reads a folder of recordings of the original WebShop: its catalogue, and what the engine did.

The keys of a line of a `*.jsonl.gz` file determine its kind (`KINDS`). The catalogue is in the official
formats, gzipped, and `prices*.json.gz` gives the price of each product for each block of episodes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from spa_lab.envs.parity import recorded_lines
from spa_lab.envs.webshop.files import read_instructions, read_labels, read_products
from spa_lab.envs.webshop.goals import Goal, human_goals, shuffled, synthetic_goals
from spa_lab.envs.webshop.product import Product, text_field, text_list

KINDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "episode": frozenset({"steps", "block", "goal"}),
        "goal": frozenset({"goal_options", "block", "index"}),
        "search": frozenset({"query", "hits"}),
        "analysis": frozenset({"text", "tokens"}),
        "document": frozenset({"id", "contents"}),
        "reward case": frozenset({"product", "goal", "reward"}),
        "fuzzy pair": frozenset({"a", "b", "token_set_ratio"}),
        "color": frozenset({"option", "normalize_color"}),
    }
)
"""Kind of a recorded line → the keys that identify it."""
Line = tuple[str, dict[str, Any]]
"""(file and line number, line)."""


@dataclass(frozen=True)
class Recording:
    """The content of a folder."""

    products: tuple[Product, ...]
    prices: Mapping[str, Mapping[str, float]]
    """Block → asin → dollars."""
    human: tuple[Goal, ...]
    """Our goals without price limits, in the original's order."""
    synthetic: tuple[Goal, ...]
    lines: Mapping[str, list[Line]] = field(default_factory=dict)
    """Kind → lines."""

    def goals(self, wanted_options: object) -> tuple[Goal, ...]:
        """Human goals if the options of a recorded goal are a list, synthetic ones otherwise."""
        return self.human if isinstance(wanted_options, list) else self.synthetic


def read_recording(folder: Path) -> Recording:
    """Read a folder of recordings.

    Raises:
        ValueError: a part of the catalogue is missing, or a file is damaged or of another kind.
    """
    labels = read_labels(_only(folder, "items_ins_v2"))
    products = tuple(read_products(_only(folder, "items_shuffle"), labels))
    instructions = _only(folder, "items_human_ins")
    human = human_goals(products, read_instructions(instructions), instructions.name)
    synthetic = synthetic_goals(products, labels, "items_ins_v2")
    lines: dict[str, list[Line]] = {kind: [] for kind in KINDS}
    for path in sorted(folder.glob("*.jsonl.gz")):
        for where, line in recorded_lines(path):
            lines[_kind(line, where)].append((where, line))
    prices = _prices(_only(folder, "prices"), products)
    return Recording(products, prices, tuple(shuffled(human)), tuple(shuffled(synthetic)), lines)


def recorded_goal(record: dict[str, Any], where: str) -> Goal:
    """A goal as the original recorded it.

    Raises:
        ValueError: a field is missing or of another type.
    """
    options = record.get("goal_options")
    if not isinstance(options, dict):
        options = text_list(options, "goal_options", where)
    for key in ("price_upper", "weight"):
        if not isinstance(record.get(key), int | float):
            raise ValueError(f"{where}: {key!r} must be a number, got {type(record.get(key)).__name__}")
    return Goal(
        asin=text_field(record, "asin", where),
        category=text_field(record, "category", where),
        query=text_field(record, "query", where),
        name=text_field(record, "name", where),
        product_category=text_field(record, "product_category", where),
        instruction=text_field(record, "instruction_text", where),
        attributes=text_list(record.get("attributes"), "attributes", where),
        options=tuple(options.items()) if isinstance(options, dict) else options,
        price_upper=record["price_upper"],
        weight=record["weight"],
    )


def _kind(line: dict[str, Any], where: str) -> str:
    for kind, keys in KINDS.items():
        if keys <= line.keys():
            return kind
    raise ValueError(f"{where}: a line with {sorted(line)[:8]} is none of: {', '.join(KINDS)}")


def _only(folder: Path, name: str) -> Path:
    paths = sorted(folder.glob(f"{name}*.json.gz"))
    if len(paths) != 1:
        raise ValueError(f"{folder}: expected one file {name}*.json.gz, found {len(paths)}")
    return paths[0]


def _prices(path: Path, products: tuple[Product, ...]) -> dict[str, dict[str, float]]:
    blocks = read_instructions(path)
    for block, prices in blocks.items():
        if not isinstance(prices, dict):
            raise ValueError(f"{path.name}: block {block!r} must be an object")
        for product in products:
            if not isinstance(prices.get(product.asin), int | float):
                raise ValueError(f"{path.name}: block {block!r} has no price of {product.asin!r}")
    return blocks
