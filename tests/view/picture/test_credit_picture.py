"""The picture of an episode: readable, true to its numbers, inert against any text, in all formats."""

import itertools
import json
import re
import runpy
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from PIL import Image

from spa_lab import credit_picture
from spa_lab.types import Credit, Step, Trajectory, ValueTruth
from spa_lab.view import style
from spa_lab.view.picture.columns import plain_action, wrapped
from spa_lab.view.picture.credit_picture import CreditPicture
from spa_lab.view.picture.plot import plot
from spa_lab.view.picture.scene import SMALL, Box, Polygon, Scene, Words, hatching
from spa_lab.view.picture.svg import inline_svg, svg
from spa_lab.view.picture.tikz import tikz

ROOT = Path(__file__).resolve().parents[3]
SVG = "{http://www.w3.org/2000/svg}"
Drawn = Callable[[int], Trajectory]
Opinion = Callable[..., Credit]
Measured = Callable[[Trajectory], ValueTruth]


@pytest.fixture(scope="module")
def pictures(drawn: Drawn, opinion: Opinion, measured: Measured, hostile: Trajectory) -> list[CreditPicture]:
    """Short, long, narrow, without a truth, of an unknown outcome, of hostile texts."""
    short, long = drawn(5), drawn(40)
    unknown = replace(drawn(1), outcome=None, success=None)
    strange = Credit(
        hostile.id, r"</text><script>alert(1)</script>\input{x} $", np.linspace(-1, 1, len(hostile))
    )
    return [
        credit_picture(short, opinion(short), measured(short)),
        credit_picture(long, opinion(long), measured(long), width=5.5, most=5),
        credit_picture(long, opinion(long), width=2.5),
        credit_picture(unknown, Credit(unknown.id, "zero", [0.0])),
        credit_picture(hostile, strange, measured(hostile), width=6.95),
    ]


def test_nothing_overlaps_or_leaves_the_page(pictures: list[CreditPicture]) -> None:
    for picture in pictures:
        figure = plot(picture.scene)
        renderer = FigureCanvasAgg(figure).get_renderer()
        boxes = []
        for text in figure.findobj(Text):
            if text.get_text():
                assert text.get_fontsize() >= SMALL
                boxes.append((text.get_text(), text.get_window_extent(renderer)))
        for words, box in boxes:
            assert -1 <= box.x0 and box.x1 <= figure.bbox.x1 + 1, words
            assert -1 <= box.y0 and box.y1 <= figure.bbox.y1 + 1, words
        for (words, box), (other, its) in itertools.combinations(boxes, 2):
            across, down = (
                min(box.x1, its.x1) - max(box.x0, its.x0),
                min(box.y1, its.y1) - max(box.y0, its.y0),
            )
            assert across < 1 or down < 3, (words, other)


def _points(scene: Scene, fill: str) -> list[Polygon]:
    return [shape for shape in scene.shapes if isinstance(shape, Polygon) and shape.fill == fill]


def test_bars_and_diamonds_stand_where_the_numbers_are(
    drawn: Drawn, opinion: Opinion, measured: Measured
) -> None:
    trajectory = drawn(6)
    picture = credit_picture(trajectory, opinion(trajectory), measured(trajectory))
    bars = [
        shape
        for shape in picture.scene.shapes
        if isinstance(shape, Box) and shape.fill in (style.POSITIVE, style.NEGATIVE)
    ][:6]
    diamonds = [polygon.points for polygon in _points(picture.scene, style.WHITE)][:6]
    table = picture.table
    ups = (table["contribution"] >= 0).to_numpy()
    assert [bar.fill == style.POSITIVE for bar in bars] == ups.tolist()
    (zero,) = {round(bar.y + bar.height if up else bar.y, 6) for bar, up in zip(bars, ups, strict=True)}
    scale = bars[0].height / table["contribution"].iloc[0]
    heights = [bar.height if up else -bar.height for bar, up in zip(bars, ups, strict=True)]
    np.testing.assert_allclose(heights, table["contribution"] * scale)
    middles = [(points[0][1] + points[2][1]) / 2 for points in diamonds]
    np.testing.assert_allclose([(zero - y) / scale for y in middles], table["progress"], atol=1e-9)
    written = [shape.text for shape in picture.scene.shapes if isinstance(shape, Words)]
    assert written.count("too high") + written.count("too low") == table["differs"].sum() > 0
    marks = [s for s in picture.scene.shapes if isinstance(s, Box) and s.fill == style.SELECTED]
    assert len(marks) == table["differs"].sum()


def test_words_tell_what_happened(drawn: Drawn, opinion: Opinion, measured: Measured) -> None:
    trajectory = drawn(4)
    picture = credit_picture(trajectory, opinion(trajectory), measured(trajectory), title="my estimator")
    words = " ".join(shape.text for shape in picture.scene.shapes if isinstance(shape, Words))
    assert "R = 1" in words and "success" in words and "refused" in words
    assert "by my estimator" in words and "Monte Carlo (16 branches)" in words
    assert "step 3, take candle 3 from countertop 3: credit −0.19, measured +0.19" in picture.description
    exact = ValueTruth(trajectory.id, np.linspace(0, 1, 5), np.zeros(5), 0, "p", 40)
    assert "exact; before" in credit_picture(trajectory, opinion(trajectory), exact).description
    unmeasured = credit_picture(trajectory, opinion(trajectory))
    assert "not measured" in unmeasured.description and "truth" not in unmeasured.description
    assert not _points(unmeasured.scene, style.WHITE)


@pytest.mark.parametrize("width", [8.0, 2.5])
def test_advantages_are_not_called_a_split(drawn: Drawn, opinion: Opinion, width: float) -> None:
    trajectory = drawn(4)
    scene = credit_picture(trajectory, opinion(trajectory, "gigpo"), width=width).scene
    words = " ".join(shape.text for shape in scene.shapes if isinstance(shape, Words))
    assert scene.title == "What gigpo gives every step of an episode" and "split" not in words
    assert ("one number per step, by gigpo" if width > 5 else "gigpo") in words


def test_svg_is_inert_and_has_a_dark_side(pictures: list[CreditPicture]) -> None:
    for picture in pictures:
        for text in (svg(picture.scene, picture.facts), inline_svg(picture.scene)):
            tree = ElementTree.fromstring(text)
            assert {node.tag.removeprefix(SVG) for node in tree.iter()} <= {
                "svg", "title", "desc", "metadata", "style", "rect", "text", "polygon", "polyline",
            }  # fmt: skip
            rules = dict(
                re.findall(r"\.([fs][0-9a-f]{6}) \{ \w+: (#\w{6}) \}", str(tree.findtext(f"{SVG}style")))
            )
            used = {name for node in tree.iter() for name in node.get("class", "").split()} - {"spa-picture"}
            assert used and used <= set(rules)
            words = [node for node in tree.iter(f"{SVG}text")]
            for colour in {str(node.get("fill")) for node in words}:
                for ground in (style.WHITE, style.STRIPE, style.SELECTED):
                    assert style.contrast(colour, ground) >= 4.5
                    assert style.contrast(style.DARK[colour], style.DARK[ground]) >= 4.5
        document = ElementTree.fromstring(svg(picture.scene, picture.facts))
        assert json.loads(str(document.findtext(f"{SVG}metadata"))) == picture.facts
        assert "prefers-color-scheme" in svg(picture.scene) and "prefers" not in inline_svg(picture.scene)


def _check_tex(text: str) -> None:
    r"""Groups are balanced, every path ends, and no command is there that we did not write."""
    comment, *rest = text.rstrip().splitlines()
    assert comment.startswith("% ")
    text, depth = "\n".join(rest), 0
    for token in re.findall(r"\\.|[{}]", text, re.DOTALL):
        depth += {"{": 1, "}": -1}.get(token, 0)
        assert depth >= 0
    assert depth == 0
    head, *lines = rest
    assert (
        head.startswith("% ")
        and lines[0].startswith(r"\begin{tikzpicture}[")
        and lines[-1] == r"\end{tikzpicture}%"
    )
    for line in lines[1:-1]:
        assert re.match(r"\\(definecolor\{|path\[|node\[)", line)
        assert line.startswith(r"\definecolor") or line.endswith(";")
    assert not re.search(r"\\(input|write|def|catcode|csname)\b", text)


def test_tikz_is_well_formed(pictures: list[CreditPicture]) -> None:
    for picture in pictures:
        text = tikz(picture.scene, picture.facts)
        _check_tex(text)
        assert json.loads(text.splitlines()[0].removeprefix("% ")) == picture.facts
        assert len(re.findall(r"^\\(?:path|node)", text, re.MULTILINE)) == len(picture.scene.shapes) + 1
        named, defined = (set(re.findall(pattern, text)) for pattern in (r"=(spa\w{6})\b", r"\{(spa\w{6})\}"))
        assert named == defined
        places = re.findall(
            r"\((-?[\d.]+),(-?[\d.]+)\)", "\n".join(re.findall(r"^\\path.*", text, re.MULTILINE))
        )
        x, y = np.array(places, dtype=float).T
        assert (
            x.min() >= 0
            and x.max() <= picture.scene.width
            and y.min() >= 0
            and y.max() <= picture.scene.height
        )


def test_files(pictures: list[CreditPicture], tmp_path: Path) -> None:
    picture = pictures[0]
    for ending in ("svg", "pdf", "png", "tex"):
        first, again = (picture.save(tmp_path / f"{name}.{ending}", {"seeds": [0]}) for name in "ab")
        assert first.read_bytes() == again.read_bytes() != b""
    with Image.open(tmp_path / "a.png") as image:
        assert json.loads(image.info["Description"]) == {"seeds": [0], **picture.facts}
        assert image.size[0] == 8 * 200
    with pytest.raises(ValueError, match=r"must end in \.svg, \.pdf, \.png, \.tex, not '\.jpg'"):
        picture.save(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match=r"a\.svg: provenance has no JSON form"):
        picture.save(tmp_path / "a.svg", {"x": float("nan")})


def test_what_cannot_be_drawn_is_refused(drawn: Drawn, opinion: Opinion) -> None:
    with pytest.raises(ValueError, match=r"width must be at least 2\.5 inches, got 2"):
        credit_picture(drawn(3), opinion(drawn(3)), width=2)
    with pytest.raises(ValueError, match="most must be at least 1, got 0"):
        credit_picture(drawn(3), opinion(drawn(3)), most=0)


def test_words_of_an_action() -> None:
    assert plain_action(Step("", "", "click[buy now]", "", True)) == "click: buy now"
    assert plain_action(Step("", "", "", "", True)) == "(no action)"
    lines = wrapped("take cup 2 from microwave 1", 52, 5)
    assert lines == ["take cup 2", "from", "microwave 1"]
    assert wrapped("a" * 40, 52, 2)[1].endswith("…")
    assert "".join(wrapped("supercalifragilistic", 52, 5)) == "supercalifragilistic"


def test_hatching_stays_within_its_box() -> None:
    for box in (Box(3, 5, 15, 40), Box(0, 0, 15, 0.5)):
        for line in hatching(box):
            for x, y in line.points:  # type: ignore[union-attr]
                assert box.x <= x <= box.x + box.width and box.y <= y <= box.y + box.height


def test_a_notebook_shows_it(pictures: list[CreditPicture]) -> None:
    page = pictures[-1]._repr_html_()
    assert page.count("<svg ") == 1 and "<script" not in page


def test_the_script_draws_the_picture_of_the_readme(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = runpy.run_path(str(ROOT / "docs/credit_picture.py"))["main"]
    main([str(tmp_path / "credit.svg")])
    assert (tmp_path / "credit.svg").read_bytes() == (ROOT / "data/pictures/credit.svg").read_bytes()
    for option, words in (("--trajectory", "no trajectory 'x' among 24"), ("--source", "no credit by 'x'")):
        with pytest.raises(SystemExit, match="2"):
            main([str(tmp_path / "other.svg"), option, "x"])
        assert words in capsys.readouterr().err
    assert not (tmp_path / "other.svg").exists()
