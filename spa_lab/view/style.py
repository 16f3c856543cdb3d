"""How everything looks: colours, markers, dashes, fonts and sizes, the same on screen and on paper.

`look(name)` is the one registry: every training method, policy, credit source and the truth has its colour,
marker and dash here, and charts, pages, widgets and paper figures all ask it; `looks_beside` keeps those
apart that stand beside each other. The colours stay apart for
readers with protanopia, deuteranopia and tritanopia and differ in lightness, so that a grey print still tells
them apart; names that share a colour differ in marker and dash. Text has a contrast of at least 4.5 to its
background, marks of at least 3 to white (WCAG 2.2).
"""

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

_T = TypeVar("_T")
Dash = str | tuple[int, tuple[int, ...]]

INK = "#222222"
"""Text, axes, the outcome, the truth."""
MUTED = "#595959"
"""Secondary text."""
GRID = "#e2e2e2"
BAND = "#8c8c8c"
"""Standard errors of a source: broad and without caps; those of a truth are thin and have caps."""
STRIPE = "#f6f6f6"
"""Background of every second row."""
WHITE = "#ffffff"
SELECTED = "#fdf0c4"
"""Background of the selected step."""

POSITIVE = "#0b4f8f"
NEGATIVE = "#db6a12"
"""Always hatched or signed as well."""

SERIES = ("#0b4f8f", "#db6a12", "#332120", "#826ce3", "#8a4729", "#8b6385", "#30a878")
"""The palette; pairs differ by at least 22 (CIELAB) for every kind of colour vision."""
BLUE, ORANGE, BLACK, VIOLET, BROWN, PLUM, GREEN = SERIES
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""matplotlib's names."""
SYMBOLS: Mapping[str, str] = MappingProxyType(
    {
        "o": "circle", "s": "square", "^": "triangle-up", "D": "diamond", "v": "triangle-down", "P": "cross",
        "X": "x", "*": "star", "<": "triangle-left", ">": "triangle-right", "p": "pentagon", "h": "hexagon",
    }
)  # fmt: skip
"""matplotlib's name of a marker -> plotly's."""
DASHES: tuple[Dash, ...] = ("-", "--", "-.", ":", (0, (8, 2)), (0, (6, 2, 1, 2, 1, 2)))
SCREEN_DASHES: Mapping[Dash, str] = MappingProxyType(
    dict(zip(DASHES, ("solid", "dash", "dashdot", "dot", "longdash", "longdashdot"), strict=True))
)
"""matplotlib's dash -> plotly's."""
DARK: Mapping[str, str] = MappingProxyType(
    {
        INK: "#ececec", MUTED: "#b3b6bc", GRID: "#3d424a", BAND: "#8d939c", STRIPE: "#1e2126",
        WHITE: "#16181c", SELECTED: "#4a3f14", BLUE: "#6cb6ff", ORANGE: "#f7a35c", BLACK: "#e6d8d6",
        VIOLET: "#984eff", BROWN: "#bf5d3c", PLUM: "#b35cb0", GREEN: "#50887a",
    }
)  # fmt: skip
"""Colour on a light background -> its counterpart on a dark one; charts are recoloured in the page. The
series stay apart here, too, for every kind of colour vision."""

SCREEN_FONT = "DejaVu Sans, Verdana, Arial, sans-serif"
SCREEN_SIZE = 12
"""Pixels."""
PAPER_FONT = ("DejaVu Sans", "Verdana", "Arial", "Helvetica")
"""The first comes with matplotlib and is embedded; an SVG names the others for viewers that lack it."""
PAPER_SIZE = 8
"""Points, the smallest that is printed."""

PAPER_RC: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": list(PAPER_FONT),
    "font.size": PAPER_SIZE,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.labelsize": PAPER_SIZE,
    "axes.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": PAPER_SIZE,
    "ytick.labelsize": PAPER_SIZE,
    "hatch.linewidth": 0.7,
    "text.parse_math": False,
    "text.usetex": False,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "spa_lab",
}
"""matplotlib settings of every paper figure: text from agents is never parsed as mathematics, fonts are
embedded as far as they are used, and the same figure gives the same bytes."""


@dataclass(frozen=True)
class Look:
    """How one method, policy, source or the truth is drawn, in every chart and figure."""

    colour: str
    """"#rrggbb" on a light background; `DARK` has its counterpart on a dark one."""
    marker: str
    """matplotlib's name."""
    dash: Dash
    """matplotlib's line style."""

    @property
    def symbol(self) -> str:
        """Plotly's name of the marker."""
        return SYMBOLS[self.marker]

    @property
    def screen_dash(self) -> str:
        """Plotly's name of the dash."""
        return SCREEN_DASHES[self.dash]


_SOLID, _DASHED, _DASHDOT, _DOTTED, _LONG, _LONGDOT = DASHES
TRUTH = Look(INK, "D", _SOLID)
"""Measured values and progress: white markers with an ink outline and capped error bars."""
LOOKS: Mapping[str, Look] = MappingProxyType(
    {
        "truth": TRUTH,
        "spa": Look(BLUE, "o", _SOLID),
        "spa_released_head": Look(BLUE, "v", _DASHED),
        "spa_prefix": Look(BLUE, "^", _DOTTED),
        "spa_linear": Look(BLUE, "s", _DASHDOT),
        "spa_offline": Look(BLUE, "P", _LONGDOT),
        "spa_progress": Look(BLUE, "D", _LONG),
        "spa_progress_bisection": Look(BLUE, "p", _LONGDOT),
        "spa_hindsight": Look(BLUE, "h", _SOLID),
        "spa_released": Look(BLUE, "X", _DOTTED),
        "terminal": Look(ORANGE, "s", _DASHED),
        "ragen": Look(ORANGE, "o", _SOLID),
        "ragen_s": Look(ORANGE, "^", _DASHDOT),
        "prm4a": Look(ORANGE, "D", _LONG),
        "archer": Look(ORANGE, "v", _DOTTED),
        "base": Look(MUTED, "X", _DOTTED),
        "cloned": Look(BLACK, "^", _DASHDOT),
        "rft": Look(BLACK, "s", _LONG),
        "stepagent": Look(BLACK, "o", _SOLID),
        "stepagent_inverse": Look(BLACK, "D", _DASHED),
        "critic": Look(VIOLET, "D", _LONG),
        "critic_td": Look(VIOLET, "v", _DOTTED),
        "critic_gae": Look(VIOLET, "P", _DASHED),
        "math_shepherd": Look(BROWN, "v", _DASHED),
        "ipr": Look(BROWN, "P", _DOTTED),
        "mc_difference": Look(BROWN, "o", _SOLID),
        "mc_bisection": Look(BROWN, "h", _LONG),
        "monte_carlo": Look(BROWN, "X", _DASHDOT),
        "goal_conditions": Look(PLUM, "D", _LONGDOT),
        "mean": Look(PLUM, "P", _DOTTED),
        "random": Look(PLUM, "X", _DASHDOT),
        "progress_advantage": Look(PLUM, "o", _SOLID),
        "grounding": Look(PLUM, "^", _DASHED),
        "step_index": Look(PLUM, "s", _LONG),
        "rloo": Look(GREEN, "s", _DOTTED),
        "grpo": Look(GREEN, "P", _SOLID),
        "gigpo": Look(GREEN, "o", _LONG),
        "gigpo_progress": Look(GREEN, "h", _SOLID),
        "leave_one_out": Look(GREEN, "^", _DASHDOT),
        "rudder": Look(GREEN, "D", _DASHED),
        "occlusion": Look(GREEN, "v", _DOTTED),
    }
)
"""Name -> look. One family shares a colour: SPA, critics, Monte Carlo, trivial credit, groups and others."""
_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "spa_rl": "spa", "terminal_reward": "terminal", "ppo": "terminal", "sft": "cloned", "clone": "cloned",
        "cloned_sft": "cloned", "critic_s_credit": "critic", "critic_s_td_errors": "critic",
        "outcome_spread_evenly": "mean", "outcome_split_at_random": "random", "critic_credit": "critic",
        "critic_heads": "critic", "ensemble_critic": "critic", "spa_rl_progress": "spa_progress",
        "spa_rl_progress_corrected": "spa_progress_bisection", "monte_carlo_bisection": "mc_bisection",
        "spa_rl_hindsight": "spa_hindsight", "spa_rl_offline": "spa_offline", "ragen_starpo_s": "ragen_s",
        "spa_rl_released_rule": "spa_released", "spa_rl_released_head": "spa_released_head",
        "spa_rl_every_prefix": "spa_prefix", "stepagent_inverse_rl": "stepagent_inverse",
        "mean_credit": "mean", "random_credit": "random", "clock": "step_index",
        "mc_possible": "math_shepherd", "mc_value": "ipr", "mc": "mc_difference",
        "monte_carlo_values": "ipr", "monte_carlo_differences": "mc_difference",
        "monte_carlo_few": "monte_carlo", "monte_carlo_5_branches": "monte_carlo",
        "monte_carlo_again": "truth", "second_measurement": "truth",
        "measured": "truth",
    }
)  # fmt: skip
"""Titles and former names -> the name in `LOOKS`."""


def look(name: str) -> Look:
    """How a method, policy or source is drawn; the same for its name, its title and any of its runs.

    "spa", "ppo-spa", "PPO, SPA-RL", "spa@run-3" and "held-out-spa" look the same, and so do sources that
    differ only in a number at the end, such as "ipr_5" and "ipr_8". A name that is not in `LOOKS` gets a look
    that depends on the name alone, not on what else is in the figure: "terminal reward, short", which adds
    something to a known name, has the colour of that name and a marker of its own.
    """
    return _look(name)


def looks_beside(names: Iterable[str]) -> dict[str, Look]:
    """How sources or policies look that are shown beside each other: no two in one colour as far as it goes.

    Each has its look of `look`, but where another one has the same colour it takes one that none of them has.
    Of two, the one in the registry keeps its colour, else the first. With more names than `SERIES` has
    colours, those in the registry keep theirs, and names that share a colour differ in marker and dash.
    """
    usual = {name: look(name) for name in names}
    ranked = sorted(usual, key=lambda name: not is_known(name))
    owners: dict[str, str] = {}
    for name in ranked:
        owners.setdefault(usual[name].colour, name)
    free = [colour for colour in _SPARE if colour not in owners]
    shown: dict[str, Look] = {name: usual[name] for name in owners.values()}
    # a colour that two share says of names in the registry that they are of one family, of others nothing
    for name in sorted((name for name in ranked if name not in shown), key=is_known):
        colours = [own.colour for own in shown.values()]
        if free:
            colour = free.pop(0)
        elif is_known(name):
            colour = usual[name].colour
        else:
            colour = min(_SPARE, key=colours.count)
        beside = [own for own in shown.values() if own.colour == colour]
        shown[name] = _apart(replace(usual[name], colour=colour), beside)
    return {name: shown[name] for name in usual}


def _apart(wanted: Look, beside: Sequence[Look]) -> Look:
    """The look with the first marker and dash, its own before others, that none of `beside` has."""
    markers = [other.marker for other in beside]
    dashes = [other.dash for other in beside]
    marker = min((wanted.marker, *_OTHER_MARKERS, *SYMBOLS), key=markers.count)
    return Look(wanted.colour, marker, min((wanted.dash, *DASHES), key=dashes.count))


_SPARE = (VIOLET, BROWN, PLUM, GREEN, ORANGE, BLACK, BLUE)
"""Colours for those whose own is taken: first of what stands in few figures of policies, last of the clone
and of SPA."""


def is_known(name: str) -> bool:
    """Whether the registry has a look for this name, title or run of it."""
    return _registered(_key(name)) is not None


@cache
def _look(name: str) -> Look:
    key = _key(name)
    known = _registered(key)
    if known is not None:
        return known
    digest = zlib.crc32(key.encode())
    family = _family(name)
    colour = family.colour if family else SERIES[digest % len(SERIES)]
    return Look(colour, _OTHER_MARKERS[digest // 7 % len(_OTHER_MARKERS)], DASHES[digest // 35 % len(DASHES)])


def _family(name: str) -> Look | None:
    """The look of the method that a title such as "terminal reward, short" begins with."""
    while "," in name:
        name = name.rpartition(",")[0]
        known = _registered(_key(name))
        if known and _key(name) != "ppo":  # how a policy is trained, not by what reward
            return known
    return None


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.partition("@")[0].casefold()).strip("_")


def _registered(key: str) -> Look | None:
    for candidate in (key, re.sub(r"_\d+$", "", key)):
        short = re.sub(r"^(ppo|fidelity|held_out|explore|eval)_(?=.)", "", candidate)
        for known in (candidate, short):
            known = _ALIASES.get(known, known)
            if known in LOOKS:
                return LOOKS[known]
    return None


_OTHER_MARKERS = ("*", "<", ">", "p")
"""Of names that are not in the registry, so that they are never taken for one that is."""


def cycled(looks: Sequence[_T], number: int) -> _T:
    """The look of series `number` of things without a name in the registry; starts over after the last."""
    return looks[number % len(looks)]


def contrast(colour: str, other: str) -> float:
    """Contrast ratio of two colours "#rrggbb", 1 to 21 (WCAG 2.2)."""
    dark, light = sorted((_luminance(colour), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    """Relative luminance in [0, 1], sRGB."""
    part = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))
