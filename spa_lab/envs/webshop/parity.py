"""Replays recorded episodes of the original WebShop and compares all of its output with ours.

Pages are replayed with the recorded search results. Our search is compared separately
(`parity_checks.py`), as are goals, prices and the components of the reward.
"""

import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spa_lab.envs.base import Reply, Task
from spa_lab.envs.parity import SHOWN, Mismatch, ParityReport, field_of
from spa_lab.envs.webshop.bm25 import index_of
from spa_lab.envs.webshop.goals import Goal, with_limit
from spa_lab.envs.webshop.parity_checks import CHECKS, Difference, different_hits
from spa_lab.envs.webshop.product import text_list
from spa_lab.envs.webshop.recording import Recording, read_recording, recorded_goal
from spa_lab.envs.webshop.reward import Reward
from spa_lab.envs.webshop.shop import HITS, Shop
from spa_lab.envs.webshop.world import WebshopWorld

PARTS = (
    "r_type", "query_match", "category_match", "title_score", "r_att", "w_att", "r_option", "w_option",
    "r_price", "w_price",
)  # fmt: skip
"""Components of a reward that the original reports; it omits those of options if the goal has none."""


def replay_folder(folder: Path) -> ParityReport:
    """Replay every recorded episode of a folder, and compare everything else in it.

    Raises:
        ValueError: a part of the catalogue is missing, or a file is damaged or of another kind.
    """
    recording = read_recording(folder)
    tally = _Tally()
    index = index_of((product.asin, product.document) for product in recording.products)
    for name, check in CHECKS.items():
        tally.check(name, check(recording, index))
    searches = dict(_searches(recording))
    tally.check(
        "searches in episodes", (different_hits(index, query, hits) for query, hits in searches.items())
    )
    shops = {block: _shop(recording, block, searches) for block in recording.prices}
    for where, episode in recording.lines["episode"]:
        _replay(recording, shops, episode, where, tally)
    return tally.report()


class _Tally:
    """Counts comparisons, mismatches and episodes."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.first: list[Mismatch] = []
        self.not_replayed: list[str] = []
        self.notes: list[str] = []

    def check(self, name: str, comparisons: Iterator[list[Difference]]) -> None:
        """Add the comparisons of one check, each a list of differences."""
        before, total = self.counts["mismatches"], 0
        for differences in comparisons:
            self.add(name, differences)
            total += 1
        self.notes.append(f"{name}: {total}, {self.counts['mismatches'] - before} mismatches")

    def add(self, name: str, differences: list[Difference]) -> None:
        """Add one comparison with its differences."""
        self.counts["mismatches"] += bool(differences)
        free = SHOWN - len(self.first)
        self.first += [
            Mismatch(f"{name}, {what}", str(theirs), str(ours)) for what, theirs, ours in differences[:free]
        ]

    def report(self) -> ParityReport:
        """The counts, and the first differences."""
        return ParityReport(
            self.counts["episodes"], self.counts["steps"], self.counts["mismatches"],
            tuple(self.not_replayed), tuple(self.first), tuple(self.notes),
        )  # fmt: skip


def _searches(recording: Recording) -> Iterator[tuple[str, list[str]]]:
    """(query, recorded asins) of every search in the episodes."""
    for where, episode in recording.lines["episode"]:
        for step in field_of(episode, "steps", list, where):
            if isinstance(step, dict) and "search" in step:
                search = field_of(step, "search", dict, where)
                hits = text_list(search.get("hits"), "hits", where)
                yield field_of(search, "query", str, where), list(hits)


def _shop(recording: Recording, block: str, searches: dict[str, list[str]]) -> Shop:
    """The shop of a block, in which searches return the recorded results."""
    products = {product.asin: product for product in recording.products}
    shown = any(
        episode["block"] == block and episode.get("show_attrs") is True
        for _, episode in recording.lines["episode"]
    )

    def search(query: str) -> list[str]:
        return [asin for asin in searches.get(query, ()) if asin in products][:HITS]

    return Shop(products, recording.prices[block], search, show_attributes=shown)


def _replay(
    recording: Recording, shops: dict[str, Shop], episode: dict[str, Any], where: str, tally: _Tally
) -> None:
    name = field_of(episode, "episode_id", str, where)
    index = field_of(episode, "goal_index", int, where)
    theirs = recorded_goal(field_of(episode, "goal", dict, where), where)
    goals = recording.goals(episode["goal"]["goal_options"])
    shop = shops.get(field_of(episode, "block", str, where))
    if shop is None or not 0 <= index < len(goals):
        missing = "prices of its block" if shop is None else f"goal {index} of {len(goals)}"
        tally.not_replayed.append(f"{name}: {missing} not in the folder")
        return
    tally.counts["episodes"] += 1
    tally.counts["steps"] += len(field_of(episode, "steps", list, where))
    ours = with_limit(goals[index], theirs.price_upper)
    if ours != theirs:
        tally.add(name, [("goal", theirs, ours)])
    for differences in _compared(WebshopWorld(shop), ours, episode, where):
        tally.add(name, differences)


def _compared(
    world: WebshopWorld, goal: Goal, episode: dict[str, Any], where: str
) -> Iterator[list[Difference]]:
    """The differences of the opening and of each step of an episode."""
    initial = field_of(episode, "initial", dict, where)
    opening = world.reset(Task("", "webshop", "recorded", goal.category, goal.instruction, 0, goal))
    yield _differences("opening", {"observation": opening, "available": _available(world)}, initial, where)
    for count, step in enumerate(episode["steps"], start=1):
        if not isinstance(step, dict):
            raise ValueError(f"{where}: step {count} is not an object")
        action = field_of(step, "action", str, f"{where}: step {count}")
        reply = world.step(action)
        what = f"step {count} of {len(episode['steps'])}, action {textwrap.shorten(repr(action), 80)}"
        yield _differences(what, _answer(world, reply, step), step, where)


def _answer(world: WebshopWorld, reply: Reply, step: dict[str, Any]) -> dict[str, Any]:
    """Our answer to a step under the keys of the recording; some keys are recorded at some steps only."""
    answer: dict[str, Any] = {
        "observation": reply.observation,
        "available": _available(world),
        "reward": reply.outcome if reply.grounded else 0,
        "done": reply.done,
    }
    state = world.state
    if "search" in step:
        answer["search"] = {"query": state.query, "hits": step["search"].get("hits")}
    if "options" in step:
        answer["options"] = dict(state.options)
    if state.reward is not None and reply.grounded:
        purchase = {"asin": state.asin, "price": world.price, "options": dict(state.options)}
        answer["purchase"] = {**purchase, **parts(state.reward)}
    return answer


def _available(world: WebshopWorld) -> dict[str, Any]:
    return {"has_search_bar": world.state.page == "index", "clickables": list(world.clickables)}


def parts(reward: Reward) -> dict[str, Any]:
    """The components of a reward under the original's names."""
    values = {name: getattr(reward, name) for name in PARTS}
    return {name: value for name, value in values.items() if value is not None}


def _differences(what: str, ours: dict[str, Any], recorded: dict[str, Any], where: str) -> list[Difference]:
    differences: list[Difference] = []
    for key, value in ours.items():
        if key not in recorded:
            raise ValueError(f"{where}: {what}: {key!r} is missing")
        if recorded[key] != value:
            differences.append((f"{what}: {key}", recorded[key], value))
    return differences
