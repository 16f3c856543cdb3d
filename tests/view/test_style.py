import itertools

import numpy as np
import pytest

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
@pytest.mark.parametrize("colours", [style.SERIES, style.SOURCES, (style.POSITIVE, style.NEGATIVE)])
def test_colours_differ_for_every_eye(vision: str, colours: tuple[str, ...]) -> None:
    for one, other in itertools.combinations(colours, 2):
        assert np.linalg.norm(_lab(one, vision) - _lab(other, vision)) > 22, (one, other)


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
    for mark in (style.POSITIVE, style.NEGATIVE, style.BAND, *style.SERIES, *style.SOURCES):
        assert style.contrast(mark, style.WHITE) >= 3


def test_signed_scale_is_symmetric_and_always_readable() -> None:
    assert style.signed_colour(0, 2) == style.WHITE
    assert style.signed_colour(2, 2) == style.signed_colour(9, 2) == style.POSITIVE
    assert style.signed_colour(-2, 2) == style.signed_colour(-9, 2) == style.NEGATIVE
    for value in np.linspace(-1, 1, 41):
        ground = style.signed_colour(value, 1)
        assert style.contrast(style.text_colour(ground), ground) >= 4.5
    assert style.signed_limit([0.25, -0.5]) == 0.5
    assert style.signed_limit([0, 0]) == style.signed_limit([]) == 1
    with pytest.raises(ValueError, match="must be > 0, got 0"):
        style.signed_colour(1, 0)


def test_both_media_have_the_same_looks() -> None:
    assert len(style.MARKERS) == len(style.SCREEN_MARKERS) > len(style.SERIES)
    assert len(style.DASHES) == len(style.SCREEN_DASHES) > len(style.SOURCES)
    assert [style.cycled("abc", number) for number in range(4)] == ["a", "b", "c", "a"]
