import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from spa_lab.learn.methods import METHODS
from spa_lab.pipeline.sources import SOURCES
from spa_lab.view import style

# Linear RGB as seen with a missing cone type: Machado, Oliveira & Fernandes 2009, severity 1.
VISION = {
    "normal": np.eye(3),
    "protanopia": [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.052]],
    "deuteranopia": [[0.3673, 0.8606, -0.228], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]],
    "tritanopia": [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def _lab(colour: str, vision: str = "normal") -> np.ndarray:
    part = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(VISION[vision]) @ linear, 0, 1)
    x, y, z = np.cbrt(np.maximum(TO_XYZ @ seen / TO_XYZ.sum(axis=1), 0.008856))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize(
    "colours",
    [style.SERIES, (style.POSITIVE, style.NEGATIVE), tuple(style.DARK[colour] for colour in style.SERIES)],
)
def test_colours_differ_for_every_eye(vision: str, colours: tuple[str, ...]) -> None:
    for colour, other in itertools.combinations(colours, 2):
        assert np.linalg.norm(_lab(colour, vision) - _lab(other, vision)) > 22, (colour, other)


@pytest.mark.parametrize("colours", [style.SERIES, (style.POSITIVE, style.NEGATIVE)])
def test_colours_differ_in_grey(colours: tuple[str, ...]) -> None:
    lightness = sorted(_lab(colour)[0] for colour in colours)
    assert min(np.diff(lightness)) > 4


def test_contrast() -> None:
    assert style.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert style.contrast("#777777", "#777777") == 1
    for text in (style.INK, style.MUTED):
        for ground in (style.WHITE, style.STRIPE):
            assert style.contrast(text, ground) >= 4.5
    for mark in (style.POSITIVE, style.NEGATIVE, style.BAND, *style.SERIES):
        assert style.contrast(mark, style.WHITE) >= 3


def test_every_known_name_has_a_look_of_its_own() -> None:
    """Two that share a colour differ in marker and in dash, which a grey print keeps."""
    for (name, look), (other, its) in itertools.combinations(style.LOOKS.items(), 2):
        assert look != its, (name, other)
        if look.colour == its.colour and "truth" not in (name, other):
            assert look.marker != its.marker, (name, other)


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("PPO, SPA-RL", "spa"),
        ("ppo-spa", "spa"),
        ("spa@run-3", "spa"),
        ("held-out-spa", "spa"),
        ("fidelity-critic_gae", "critic_gae"),
        ("ppo", "terminal"),
        ("PPO, terminal reward", "terminal"),
        ("cloned (SFT)", "cloned"),
        ("ipr_5", "ipr"),
        ("mc_possible_8", "math_shepherd"),
        ("clock", "step_index"),
        ("monte-carlo-again", "truth"),
    ],
)
def test_titles_and_runs_look_like_their_method(name: str, same: str) -> None:
    assert style.look(name) == style.LOOKS[same]


@pytest.mark.parametrize("table", [METHODS, {key: it for key, it in SOURCES.items() if key[-1:] != "8"}])
def test_titles_of_the_package_look_like_their_names(table: Mapping[str, Any]) -> None:
    """All but those with a number of continuations at the end, which their titles have, too."""
    for name, entry in table.items():
        assert style.is_known(entry.title) == style.is_known(name), name
        assert not style.is_known(name) or style.look(entry.title) == style.look(name), name


def test_unknown_names_keep_a_look_that_no_known_name_has() -> None:
    strangers = ["my credit", "<b>judge</b>", "שלום", ""]
    looks = [style.look(name) for name in strangers]
    assert looks == [style.look(name) for name in strangers]
    assert len({look.colour for look in looks} | {look.marker for look in looks}) > 3
    assert not {look.marker for look in looks} & {look.marker for look in style.LOOKS.values()}


def test_sources_beside_each_other_have_colours_of_their_own() -> None:
    """As far as the palette goes; the first of a colour and all markers and dashes stay as they are."""
    names = ["spa", "spa_progress", "terminal", "spa@run-2", "my credit"]
    looks = style.looks_beside(names)
    assert list(looks) == names and len({look.colour for look in looks.values()}) == len(names)
    assert looks["spa"] == style.LOOKS["spa"] and looks["terminal"] == style.LOOKS["terminal"]
    assert all(
        (look.marker, look.dash) == (style.look(name).marker, style.look(name).dash)
        for name, look in looks.items()
    )
    assert style.looks_beside(["spa_progress"]) == {"spa_progress": style.LOOKS["spa_progress"]}
    many = style.looks_beside(style.LOOKS)
    assert len(many) == len(style.LOOKS) and set(style.SERIES) <= {look.colour for look in many.values()}


def test_policies_beside_each_other_are_told_apart() -> None:
    """A name that adds to a known one has its colour where that is free, never one of another method."""
    assert style.look("RLOO, groups of 4").colour == style.LOOKS["rloo"].colour
    assert style.look("PPO, my credit, twice").marker not in {look.marker for look in style.LOOKS.values()}
    names = [
        "terminal reward, released",
        "base",
        "cloned",
        "terminal reward",
        "SPA-RL, progress",
        "SPA-RL, hindsight",
    ]
    names += ["PPO, goal conditions, kept", "PPO, goal conditions", *(f"arm {i}" for i in range(9))]
    looks = style.looks_beside(names)
    for name in names[1:6]:
        assert looks[name] == style.look(name), name
    for (name, look), (other, its) in itertools.combinations(looks.items(), 2):
        if look.colour == its.colour:
            assert look.marker != its.marker and look.dash != its.dash, (name, other)
    assert looks["terminal reward, released"].colour not in {looks[name].colour for name in names[1:8]}


def test_screen_and_paper_have_the_same_looks() -> None:
    for look in (*style.LOOKS.values(), style.look("unknown"), style.look("another")):
        assert look.symbol and look.screen_dash
        assert look.colour in style.DARK
    assert [style.cycled("abc", index) for index in range(4)] == ["a", "b", "c", "a"]


def test_dark_counterparts_stand_out() -> None:
    dark = style.DARK[style.WHITE]
    for colour in (style.INK, style.MUTED):
        assert style.contrast(style.DARK[colour], dark) >= 4.5
    for colour in (style.BAND, *style.SERIES):
        assert style.contrast(style.DARK[colour], dark) >= 3
