"""The controls of the inspector: search, filters and order above the list, the drawing above the chart."""

from collections.abc import Callable, Mapping, Sequence
from typing import get_args

import pandas as pd

from spa_lab.view.html.markup import safe
from spa_lab.view.html.steps import Scale
from spa_lab.view.tables.collection import Collection, Query, successes
from spa_lab.view.tables.trajectory import MEASURED
from spa_lab.view.text import shortened
from spa_lab.view.widgets import controls
from spa_lab.view.widgets.episode import CHARTS

MOST_KINDS = 100
"""Kinds of tasks that are offered."""
NUMBERS: Mapping[str, tuple[str, Callable[[str], float]]] = {
    "shortest": ("steps from", int),
    "longest": ("steps to", int),
    "disagreement": ("|ĉ − Δ| at least", float),
}
"""Field of a number -> its title, and how it is read."""

LEGEND = {
    "R": "outcome of the episode, 0 to 1",
    "ĉ": "contribution of a step, as a source of credit says; bars, hatched where negative",
    "V": "measured probability of success (expected outcome) before a step; white diamonds",
    "Δ": "progress, the measured V after a step minus the V before it; ± is one standard error",
    "base": "the part of a prediction that belongs to no step",
    "running sum": "base + Σĉ so far; its end is the outcome R that the source predicts, if it predicts one",
    "pivotal": "the step of most Δ in a success, of least in a failure; without a truth, of ĉ",
    "✗ ungrounded": "the world could not execute the action",
}
"""What the signs of the inspector mean."""


def legend_html() -> str:
    """The legend, folded."""
    entries = "".join(f"<dt>{safe(sign)}</dt><dd>{safe(meaning)}</dd>" for sign, meaning in LEGEND.items())
    return controls.folded("legend", "?", f"<dl>{entries}</dl>")


def filters_html(
    collection: Collection,
    query: Query,
    *,
    sets: Sequence[str] = (),
    shown_set: str = "",
    tags: Sequence[str] = (),
    tag: str = "",
    only_differing: bool | None = None,
    sources: Sequence[str] | None = None,
) -> str:
    """Search, chips and folded filters of the list.

    Args:
        collection: what is listed.
        query: the filters that are set.
        sets: names of the collections to choose from.
        shown_set: the one that is shown.
        tags: of the reader's notes.
        tag: the tag that is listed; "" for all.
        only_differing: whether only episodes whose partner ends otherwise are listed; None: no partners.
        sources: those whose disagreement is offered; all of the collection's if None.
    """
    first = [controls.choice("trajectory_set", "episodes", shown_set, list(sets))] if len(sets) > 1 else []
    first.append(controls.field("text", "", query.text, "search", "search all text ( / )"))
    chips = _outcome_chips(collection.index, query)
    if only_differing is not None:
        chips.append(controls.chip("differing", "outcomes differ", "", pressed=only_differing))
    active = _active(query, tag)
    chips += [
        f'<button type="button" class="chip on" name="clear" value="{name}">{title} ×</button>'
        for name, title in active.items()
    ]
    chips.append(
        controls.folded(
            "filters", "more filters", _more(collection, query, sources or collection.sources, tags, tag)
        )
    )
    plain = Query(source=query.source, order=query.order)
    if query != plain or tag or only_differing:
        chips.append(controls.button("reset", "Reset"))
    return (
        controls.row(*first) + f'<div class="chips" role="group" aria-label="filters">{"".join(chips)}</div>'
    )


def drawing_html(
    collection: Collection,
    *,
    chart: str,
    focus: str,
    sources: Sequence[str],
    scale: Scale,
    pivotal: bool,
    beside: str = "",
) -> str:
    """What is drawn, and the buttons that walk through the episodes.

    Args:
        collection: what is shown.
        chart: key of `CHARTS`.
        focus: source of the waterfall and the tint.
        sources: whose credit is drawn.
        scale: of the bars.
        pivotal: whether there is a pivotal step to jump to.
        beside: the choice of another episode, HTML.
    """
    known = collection.sources
    options = {MEASURED: MEASURED} if collection.has_truths else {}
    focuses = options | {source: source for source in known}
    drawing = controls.ticks("sources", "credit by", sources, known) + controls.choice(
        "scale", "scale of the bars", scale, get_args(Scale)
    )
    return controls.row(
        controls.button("previous", "◂", key="[", hint="previous episode, key ["),
        controls.button("next", "▸", key="]", hint="next episode, key ]"),
        controls.button("pivotal", "Pivotal", key="p", hint="pivotal step, key p", enabled=pivotal),
        controls.choice("chart", "", chart, CHARTS, "chart"),
        controls.choice("focus", "of", focus, focuses, "source of the waterfall and of the tint"),
        controls.folded("sources", f"credit by {len(sources)}/{len(known)}", drawing),
        controls.look("full", "all text"),
        controls.look("tinted", "tint"),
        beside,
        legend_html(),
    )


def saved_drawing_html(chart: str, focus: str, left_out: str = "") -> str:
    """The controls above the chart of a saved page, whose sources and scale are fixed.

    Args:
        chart: key of `CHARTS`.
        focus: source of the waterfall and the tint.
        left_out: the collection whose episodes the view shows beside these, which the page does not hold.
    """
    note = f'<span class="facts">saved without the episodes beside, of {safe(shortened(left_out, 60))}</span>'
    titles = CHARTS | {"waterfall": f"waterfall of {shortened(focus, 40)}"}
    return controls.row(
        controls.button("previous", "◂", key="[", hint="previous episode, key ["),
        controls.button("next", "▸", key="]", hint="next episode, key ]"),
        controls.button("pivotal", "Pivotal", key="p", hint="pivotal step, key p"),
        controls.choice("chart", "", chart, titles, "chart"),
        controls.look("full", "all text"),
        controls.look("tinted", f"tint by {shortened(focus, 40)}"),
        note if left_out else "",
        legend_html(),
    )


def beside_choice(sets: Mapping[str, object], chosen: str, partners: Mapping[str, str], partner: str) -> str:
    """The choice of another episode of the same task.

    Args:
        sets: names of the collections that may hold one.
        chosen: the one that is looked through; "" for none.
        partners: position in it -> title, of the episodes of the task.
        partner: the position that is shown.
    """
    names = {"": "nothing"} | {name: name for name in sets}
    parts = [controls.choice("beside_set", "beside", chosen, names, "another episode of this task, from")]
    if len(partners) > 1:
        parts.append(controls.choice("partner", "episode", partner, partners))
    return "".join(parts)


def _outcome_chips(index: pd.DataFrame, query: Query) -> list[str]:
    known = successes(index)
    counts = {"all": len(known), "success": known.count(True), "failure": known.count(False)}
    if None in known:
        counts["unknown"] = known.count(None)
    marks = {"all": "all", "success": "✓", "failure": "✗", "unknown": "?"}
    return [
        controls.chip("outcome", f"{marks[name]} {count:,}", name, pressed=query.outcome == name)
        for name, count in counts.items()
    ]


def _active(query: Query, tag: str) -> dict[str, str]:
    """Name of a folded filter that is set -> what it says, HTML."""
    named = {
        "kind": f"type {shortened(query.kind, 24)}" if query.kind else "",
        "shortest": f"steps ≥ {query.shortest}" if query.shortest is not None else "",
        "longest": f"steps ≤ {query.longest}" if query.longest is not None else "",
        "disagreement": f"|ĉ − Δ| ≥ {query.disagreement:g}" if query.disagreement is not None else "",
        "tag": f"tag {shortened(tag, 24)}" if tag else "",
    }
    return {name: safe(title) for name, title in named.items() if title}


def _more(collection: Collection, query: Query, sources: Sequence[str], tags: Sequence[str], tag: str) -> str:
    kinds = {"": "all"} | {kind: kind for kind in sorted(set(collection.index["kind"]))[:MOST_KINDS]}
    parts = [
        controls.choice("kind", "task type", query.kind, kinds),
        controls.field("shortest", "steps from", _shown(query.shortest), "number"),
        controls.field("longest", "to", _shown(query.longest), "number"),
    ]
    if collection.has_truths:
        parts.append(controls.choice("source", "|ĉ − Δ| of", query.source, sources))
        parts.append(controls.field("disagreement", "at least", _shown(query.disagreement), "number"))
    if tags:
        parts.append(controls.choice("tag", "tag", tag, {"": "all"} | {name: name for name in tags}))
    return "".join(parts)


def as_number(name: str, value: str) -> float:
    """What was typed into a field of `NUMBERS`; raises ValueError if that is no number."""
    title, kind = NUMBERS[name]
    try:
        return kind(value)
    except ValueError:
        whole = "a whole number" if kind is int else "a number"
        raise ValueError(f"{title}: needs {whole}, got {value!r:.60}") from None


def _shown(number: float | None) -> str:
    return "" if number is None else f"{number:g}"
