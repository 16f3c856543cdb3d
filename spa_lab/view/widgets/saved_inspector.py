"""The inspector as one page without a kernel: every episode is drawn beforehand, the page only chooses.

The page runs the same `host.js` as a live widget. In place of a kernel a small model in `saved_inspector.js`
answers its messages from the episodes that the page holds, gzipped. Tags and labels of the notes are drawn in
the page, where they can be changed; episodes beside these are not part of it.
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spa_lab.store import replacing
from spa_lab.store.lines import SCHEMA
from spa_lab.view.html import markup
from spa_lab.view.html.episodes import SORTS, episode_rows, list_head
from spa_lab.view.tables.collection import Query, successes
from spa_lab.view.widgets.episode import CHARTS, STEPS_PER_PAGE, Episode, n_pages
from spa_lab.view.widgets.host import dark_colours, page_scripts
from spa_lab.view.widgets.inspector_forms import filters_html, saved_drawing_html
from spa_lab.view.widgets.plotly_library import page_script

if TYPE_CHECKING:
    from spa_lab.view.widgets.inspector import Inspector

HERE = Path(__file__).parent
LEVEL = 6
"""Of gzip."""


def saved_page(view: "Inspector", path: Path) -> None:
    """Write the page, see `Inspector.save`."""
    data = json.dumps(_data(view), separators=(",", ":")).encode()
    packed = base64.b64encode(gzip.compress(data, compresslevel=LEVEL, mtime=0)).decode()
    scripts = [(HERE / name).read_text(encoding="utf-8") for name in ("host.js", "saved_inspector.js")]
    code = "\n".join([page_script(), dark_colours(), *scripts])
    body = (
        f'<div id="spa-lab-page" class="spa-lab-host">{view.static_body()}</div>'
        f'<script type="text/plain" id="episodes-gzip">{packed}</script>'
        f'{page_scripts()}<script type="module">{code}</script>'
    )
    with replacing(path) as partial:
        partial.write_text(markup.page(f"{view.name}: {view.collection.name}", body), encoding="utf-8")


def _data(view: "Inspector") -> dict[str, Any]:
    collection, query = view.collection, Query(source=view.query.source)
    positions = range(len(collection))
    rows = episode_rows(collection, positions, source=query.source)
    gaps = collection.disagreements(query.source)
    known = successes(collection.index)
    episodes = []
    for at, record in enumerate(collection.index.to_dict("records")):
        name = str(record["trajectory_id"])
        episode = Episode(collection, at, view.sources, view.focus, view.scale)
        keys = {"task": str(record["instruction"]).lower(), "steps": record["n_steps"]}
        keys |= {"outcome": _number(record["outcome"]), "gap": _number(gaps[at])}
        episodes.append(
            {
                "id": _plain(name),
                "n_steps": len(episode.trajectory),
                "pivotal": episode.pivotal(),
                "kind": _plain(str(record["kind"])),
                "success": known[at],
                "keys": {key: _plain(value) for key, value in keys.items()},
                "text": _plain(collection.text(at).lower()),
                "row": rows[at],
                "head": episode.head(),
                "charts": {kind: episode.chart(kind).to_json() for kind in CHARTS},
                "steps": [episode.steps(page) for page in range(n_pages(len(episode.trajectory)))],
            }
        )
    return {
        "schema": SCHEMA,
        "name": view.name,
        "collection": _plain(collection.name),
        "digest": _digest(collection.index["trajectory_id"]),
        "shown": view.index,
        "step": max(view.step, 0),
        "chart": view.chart_kind,
        "per_page": STEPS_PER_PAGE,
        "orders": {column: list(orders) for column, (_, *orders) in SORTS.items()},
        "list_head": list_head(collection),
        "filters": filters_html(collection, query, sources=[query.source]),
        "controls": saved_drawing_html(view.chart_kind, view.focus, left_out=view.beside_set),
        "notes": [asdict(note) for note in view.notes],
        "episodes": episodes,
    }


def _digest(ids: Iterable[str]) -> str:
    """Tells collections apart that share a name: their notes are kept in the same browser."""
    return hashlib.sha256(json.dumps(list(map(str, ids))).encode()).hexdigest()[:16]


def _number(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _plain(value: Any) -> Any:
    """A string without lone surrogates, which a page's JSON cannot hold; anything else as it is."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
