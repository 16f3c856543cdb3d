"""Human trajectories of WebShop: a page event a line, an episode a file; the last page has the reward."""

from collections.abc import Iterator
from urllib.parse import unquote

from spa_lab.importers.adapter import Adapter, Located, objects, rest
from spa_lab.importers.documents import Document
from spa_lab.importers.ledger import Ledger
from spa_lab.importers.outcomes import number
from spa_lab.importers.rows import Row


def why_not(document: Document) -> str:
    """Page events with the goal."""
    good = all("page" in event and "url" in event and "goal" in event for event in objects(document.records))
    return "" if objects(document.records) and good else "no page events with 'page', 'url' and 'goal'"


def episodes(document: Document, ledger: Ledger) -> Iterator[Located]:
    """Every page after the first is the reply to the action that led to it."""
    first, *pages = document.records
    if not pages:
        ledger.drop("session", "one page, and so no action")
        return
    steps: list[Row] = [{"action": _action(page), "observation": _place(page)} for page in pages]
    for step, page in zip(steps, pages, strict=True):
        step["meta"] = ledger.carry(rest(page, "page", "url", "goal", "reward"), "event.")
    row: Row = {"initial_observation": first["page"], "steps": steps, "env": "webshop", "policy": "human"}
    row |= {"instruction": str(first["goal"].get("instruction_text", "")), "id": _session(first)}
    reward = number(pages[-1].get("reward"))
    row |= {"outcome": reward, "meta": ledger.carry({"goal": first["goal"]})}
    row |= {} if reward is None else {"success": reward == 1}
    yield document.name, row


def _action(page: Row) -> str:
    """The action in WebShop's form, as far as the page that it led to tells it."""
    content = page.get("content") or {}
    if page["page"] == "search_results":
        place = content.get("page", 1)
        return f"search[{' '.join(content.get('keywords') or [])}]" if place == 1 else f"click[page {place}]"
    if page["page"] == "item_page":
        chosen = list((content.get("options") or {}).values())
        return f"click[{chosen[-1] if chosen else content.get('asin', '')}]"
    if page["page"] == "item_sub_page":
        return f"click[{content.get('path') or str(page['url']).split('/')[-2]}]"
    return "click[buy now]" if page["page"] == "done" else f"click[{page['page']}]"


def _place(page: Row) -> str:
    """The page's address without the server."""
    return unquote(str(page["url"]).partition("://")[2].partition("/")[2])


def _session(page: Row) -> str:
    return str(page["url"]).rstrip("/").rpartition("/")[2]


ADAPTER = Adapter("WebShop human trajectory", why_not, episodes)
