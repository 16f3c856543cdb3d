"""Compares the other recorded data with ours: catalogue, goals, search, components of the reward."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from spa_lab.envs.parity import field_of
from spa_lab.envs.webshop.analyzer import analyze
from spa_lab.envs.webshop.bm25 import SearchIndex
from spa_lab.envs.webshop.fuzzy import token_set_ratio
from spa_lab.envs.webshop.goals import NO_LIMIT, possible_limits, with_limit
from spa_lab.envs.webshop.noun_scorer import RULE
from spa_lab.envs.webshop.product import Product, text_field, text_list
from spa_lab.envs.webshop.recording import Recording, recorded_goal
from spa_lab.envs.webshop.reward import Reward, normalize_color, reward_of
from spa_lab.envs.webshop.shop import HITS

Difference = tuple[str, object, object]
"""(what differs, recorded value, our value)."""
NEAR_TIE = 2e-4
"""Scores with a smaller relative difference may be in either order: recorded ones are rounded."""


def _documents(recording: Recording, index: SearchIndex) -> Iterator[list[Difference]]:
    products = {product.asin: product.document for product in recording.products}
    for where, line in recording.lines["document"]:
        asin = field_of(line, "id", str, where)
        yield _unequal(f"document {asin}", line["contents"], products.get(asin))


def _prices(recording: Recording, index: SearchIndex) -> Iterator[list[Difference]]:
    for block, prices in recording.prices.items():
        for product in recording.products:
            price, (low, high) = prices[product.asin], (product.pricing[0], product.pricing[-1])
            inside = min(low, high) <= price <= max(low, high)
            yield [] if inside else [(f"price of {product.asin} in {block}", price, product.pricing)]


def _goals(recording: Recording, index: SearchIndex) -> Iterator[list[Difference]]:
    counts: dict[str, tuple[int, int]] = {}
    for where, line in recording.lines["goal"]:
        theirs = recorded_goal(line, where)
        index_in_block = field_of(line, "index", int, where)
        block = field_of(line, "block", str, where)
        goals = recording.goals(line["goal_options"])
        counts[block] = counts.get(block, (0, 0))[0] + 1, len(goals)
        what = f"{block} {index_in_block}"
        if not 0 <= index_in_block < len(goals):
            yield [(what, theirs, f"there are {len(goals)}")]
            continue
        differences = _unequal(what, theirs, with_limit(goals[index_in_block], theirs.price_upper))
        price = recording.prices.get(block, {}).get(theirs.asin)
        if price is not None:  # the limit was drawn at random, from these
            limits = possible_limits(price) or (NO_LIMIT,)
            if theirs.price_upper not in limits:
                differences.append((f"{what}: limit", theirs.price_upper, limits))
        yield differences
    for block, (recorded, ours) in counts.items():
        yield _unequal(f"number of goals in {block}", recorded, ours)


def _search(recording: Recording, index: SearchIndex) -> Iterator[list[Difference]]:
    for where, line in recording.lines["search"]:
        query = field_of(line, "query", str, where)
        hits = [_hit(hit, where) for hit in field_of(line, "hits", list, where)]
        our_hits = index.search(query, HITS)
        differences = different_hits(index, query, [asin for asin, _ in hits])
        if "n_hits_50" in line:
            differences += _unequal(f"hits of {query!r}", line["n_hits_50"], len(our_hits))
        for (asin, theirs), (_, ours) in zip(hits, our_hits, strict=False):
            if abs(theirs - ours) > NEAR_TIE * theirs:
                differences.append((f"score of {asin} for {query!r}", theirs, ours))
        if "tokens" in line:
            differences += _unequal(f"terms of {query!r}", line["tokens"], analyze(query))
        yield differences


def different_hits(index: SearchIndex, query: str, theirs: list[str]) -> list[Difference]:
    """Differences between our search results and recorded ones; near-ties may be in any order."""
    scores = dict(index.search(query, len(index.names)))
    ours = [asin for asin, _ in zip(scores, theirs, strict=False)]
    if len(ours) < len(theirs):
        return [(f"products found for {query!r}", len(theirs), len(ours))]
    for their_asin, our_asin in zip(theirs, ours, strict=True):
        if their_asin != our_asin and not _tied(scores.get(their_asin, 0.0), scores[our_asin]):
            return [(f"products found for {query!r}", theirs, ours)]
    return _unequal(f"repeated products for {query!r}", len(theirs), len(set(theirs)))


def _analyses(recording: Recording, index: SearchIndex) -> Iterator[list[Difference]]:
    for where, line in recording.lines["analysis"]:
        text = field_of(line, "text", str, where)
        yield _unequal(f"terms of {text[:80]!r}", line["tokens"], analyze(text))


def _reward_cases(recording: Recording, index: SearchIndex) -> Iterator[list[Difference]]:
    for where, line in recording.lines["reward case"]:
        goal = recorded_goal(field_of(line, "goal", dict, where), where)
        product = _recorded_product(field_of(line, "product", dict, where), where)
        chosen = text_list(list(field_of(line, "options", dict, where).values()), "options", where)
        price = line.get("price")
        if not isinstance(price, int | float):
            raise ValueError(f"{where}: 'price' must be a number, got {type(price).__name__}")
        ours = reward_of(product, goal, price=price, options=chosen, scorer=RULE)
        differences = _unequal(f"{where}: reward", line["reward"], ours.total)
        yield differences + _different_parts(where, field_of(line, "info", dict, where), ours)


def _different_parts(where: str, info: dict[str, Any], ours: Reward) -> list[Difference]:
    differences: list[Difference] = []
    for name, value in info.items():
        differences += _unequal(f"{where}: {name}", value, getattr(ours, name, None))
    return differences


def _fuzzy(recording: Recording, index: SearchIndex) -> Iterator[list[Difference]]:
    for where, line in recording.lines["fuzzy pair"]:
        first, second = field_of(line, "a", str, where), field_of(line, "b", str, where)
        yield _unequal(f"{first!r} and {second!r}", line["token_set_ratio"], token_set_ratio(first, second))


def _colors(recording: Recording, index: SearchIndex) -> Iterator[list[Difference]]:
    for where, line in recording.lines["color"]:
        option = field_of(line, "option", str, where)
        yield _unequal(repr(option), line["normalize_color"], normalize_color(option))


CHECKS: Mapping[str, Callable[[Recording, SearchIndex], Iterator[list[Difference]]]] = MappingProxyType(
    {
        "documents": _documents,
        "prices": _prices,
        "goals": _goals,
        "searches": _search,
        "analyses": _analyses,
        "reward cases": _reward_cases,
        "fuzzy pairs": _fuzzy,
        "colors": _colors,
    }
)
"""Name → one list of differences per comparison."""


def _unequal(what: str, theirs: object, ours: object) -> list[Difference]:
    return [] if theirs == ours else [(what, theirs, ours)]


def _tied(first: float, second: float) -> bool:
    return abs(first - second) <= NEAR_TIE * max(first, second)


def _hit(hit: object, where: str) -> tuple[str, float]:
    if not isinstance(hit, list) or len(hit) != 2 or not isinstance(hit[1], int | float):
        raise ValueError(f"{where}: a hit must be a [name, score], got {hit!r}")
    return str(hit[0]), float(hit[1])


def _recorded_product(record: dict[str, Any], where: str) -> Product:
    return Product(
        asin=text_field(record, "asin", where),
        title=text_field(record, "Title", where),
        description=text_field(record, "Description", where),
        bullets=text_list(record.get("BulletPoints"), "BulletPoints", where),
        pricing=(),
        options=(),
        attributes=text_list(record.get("Attributes"), "Attributes", where),
        category="",
        query=text_field(record, "query", where),
        product_category=text_field(record, "product_category", where),
    )
