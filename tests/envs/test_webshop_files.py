"""Reading catalogues: products that the original skips, unusual but legal shapes, and damaged files."""

import gzip
import json
import random
from itertools import product as combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spa_lab.envs.webshop import files
from spa_lab.envs.webshop.files import read_entries, read_instructions, read_labels, read_list, read_products
from spa_lab.envs.webshop.goals import (
    NO_LIMIT,
    draw_limit,
    human_goals,
    limited,
    possible_limits,
    sampled_price,
    shuffled,
    synthetic_goals,
)
from spa_lab.envs.webshop.product import Product, read_product

RECORDED = Path(__file__).parents[1] / "fixtures" / "webshop"
PLAIN: dict[str, Any] = {
    "asin": "B1",
    "name": "Mug",
    "full_description": "A mug.",
    "small_description": ["big", "blue"],
    "pricing": "$12.5",
    "customization_options": {"Size": [{"value": " XL/M "}], "Color": [{"value": "Red"}]},
    "category": "garden",
    "query": " Mugs ",
    "product_category": "Kitchen",
}


def make_product(**fields: Any) -> Product:
    return read_product({**PLAIN, **fields}, ["red"], "items.json: entry 3")


def test_a_product() -> None:
    mug = make_product()
    assert mug.options == (("size", ("xl | m",)), ("color", ("red",)))
    assert (mug.query, mug.price_tag, mug.attributes) == ("mugs", "$12.5", ("red",))
    assert mug.document == "mug a mug. big size: xl | m, and color: red"
    assert read_product(PLAIN, None, "").attributes == ("DUMMY_ATTR",)


@pytest.mark.parametrize(
    ("pricing", "read", "tag"),
    [
        ("", (100.0,), "$100.0"),
        (None, (100.0,), "$100.0"),
        ("$1,200.50", (1200.5,), "$1200.5"),
        ("$16.99$26.99", (16.99, 26.99), "$16.99 to $26.99"),
        ("$16.99 - $26.99", (16.99, 26.99), "$16.99 to $26.99"),
        ("$1$2$3", (1.0, 2.0), "$1.0 to $2.0"),
    ],
)
def test_prices(pricing: str | None, read: tuple[float, ...], tag: str) -> None:
    assert (make_product(pricing=pricing).pricing, make_product(pricing=pricing).price_tag) == (read, tag)


def test_descriptions_and_options_of_odd_shapes() -> None:
    assert make_product(small_description="one").bullets == ("one",)
    assert make_product(small_description=[]).document == "mug a mug.  size: xl | m, and color: red"
    assert make_product(customization_options={"A": None, "B": []}).options == (("b", ()),)
    assert make_product(customization_options="").options == ()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": None}, "product 'B1': 'name' must be a string, got NoneType"),
        ({"asin": 7}, "'asin' must be a string, got int"),
        ({"query": 7}, "'query' must be a string"),
        ({"small_description": [1]}, "'small_description' must be a list of strings"),
        ({"small_description": None}, "'small_description' must be a list of strings"),
        ({"pricing": "12"}, "cannot read the price '12', expected"),
        ({"pricing": "$"}, "cannot read the price"),
        ({"pricing": "$1.2.3"}, "cannot read the price"),
        ({"pricing": 12}, "cannot read the price 12"),
        ({"customization_options": [1]}, "must be an object, got list"),
        ({"customization_options": {"A": [1]}}, "option 'A' must be a list of objects"),
        ({"customization_options": {"A": [{"value": 1}]}}, "option 'A': 'value' must be a string"),
    ],
)
def test_a_damaged_product_is_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"items.json: entry 3.*{message}"):
        make_product(**fields)


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_products_that_the_original_skips(tmp_path: Path) -> None:
    records = [
        {**PLAIN, "asin": asin, "name": f"n{i}"} for i, asin in enumerate(("A", "nan", "A", "B" * 11, "C"))
    ]
    products = list(
        read_products(write(tmp_path / "items.json", records), {"A": {"attributes": ["x"]}, "C": {}})
    )
    assert [(product.asin, product.title, product.attributes) for product in products] == [
        ("A", "n0", ("x",)),
        ("C", "n4", ("DUMMY_ATTR",)),
    ]


def test_a_list_is_read_in_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries: list[Any] = [PLAIN, [1, 2.5, -3], "a]b,[", 12345, None, {"é": "😀" * 9}, []]
    for indent, size in combinations((None, 1), (1, 7, 64, 10_000)):
        monkeypatch.setattr(files, "_CHUNK", size)
        path = tmp_path / "list.json"
        path.write_text(f" \n{json.dumps(entries, indent=indent)}\n")
        assert list(read_list(path)) == entries
    with gzip.open(tmp_path / "list.json.gz", "wt") as file:
        json.dump(entries, file)
    assert list(read_list(tmp_path / "list.json.gz")) == entries
    assert list(read_list(write(tmp_path / "empty.json", []))) == []


def test_an_object_is_read_in_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries: dict[str, Any] = {"a": 1, "b}": {"c": "]"}, "": [2, {}], "é,:": None, "z": -12345}
    for indent, size in combinations((None, 1), (1, 5, 10_000)):
        monkeypatch.setattr(files, "_CHUNK", size)
        path = tmp_path / "object.json"
        path.write_text(json.dumps(entries, indent=indent))
        assert dict(read_entries(path)) == entries
    for text in ("", "[]", '{"a"}', '{"a": 1', "{1: 2}", '{"a": 1 "b": 2}'):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"object\.json: cannot be read after"):
            list(read_entries(path))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[",
        "[1",
        "[1 2]",
        "[1,]",
        "[,1]",
        '[{"a": 1}',
        "[1] 2"[:2],
        "[nul]",
        '["\\ud800',
        "[" * 9999,
    ],
)
def test_a_file_without_a_list_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "list.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"list\.json: cannot be read after \d+ entries"):
        list(read_list(path))


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    whole = (RECORDED / "items_ins_v2.json.gz").read_bytes()
    (tmp_path / "labels.json.gz").write_bytes(whole[:999])
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    write(tmp_path / "list.json", [])
    for name in ("labels.json.gz", "binary.json", "list.json", "none.json"):
        with pytest.raises(ValueError, match=name):
            read_labels(tmp_path / name)
    for entry in (7, {"attributes": "red"}, {"attributes": [1]}):
        with pytest.raises(ValueError, match=r"bad\.json: 'B1'"):
            read_labels(write(tmp_path / "bad.json", {"B1": entry}))


def test_human_goals_and_their_faults() -> None:
    mug = make_product()
    entry = {"instruction": "a mug.", "instruction_attributes": ["red"], "instruction_options": ["xl"]}
    (goal,) = human_goals([mug], {"B1": [entry, {**entry, "instruction_attributes": []}], "B2": 3}, "h")
    assert (goal.instruction, goal.attributes, goal.options, goal.weight) == ("a mug", ("red",), ("xl",), 1)
    for wrong in (3, [3], [{}], [{**entry, "instruction": 3}], [{**entry, "instruction_options": "xl"}]):
        with pytest.raises(ValueError, match="h, product 'B1'"):
            human_goals([mug], {"B1": wrong}, "h")


def test_synthetic_goals_and_their_faults() -> None:
    mug = make_product(
        customization_options={"Size": [{"value": "s"}, {"value": "m"}], "Color": [{"value": "red"}]}
    )
    entry = {"instruction": "Find a mug", "instruction_attributes": ["red", "big"]}
    goals = synthetic_goals([mug], {"B1": entry}, "s")
    assert [goal.instruction for goal in goals] == [
        "Find a mug with color: red, and size: s",
        "Find a mug with color: red, and size: m",
    ]
    assert goals[0].options == (("color", "red"), ("size", "s"))
    assert [goal.weight for goal in goals] == [0.5, 0.5]
    assert synthetic_goals([mug], {"B1": {}}, "s") == []
    for wrong in ({"instruction": 3}, {"instruction": "x", "instruction_attributes": []}):
        with pytest.raises(ValueError, match="s, product 'B1'"):
            synthetic_goals([mug], {"B1": wrong}, "s")


@pytest.mark.parametrize(
    ("price", "limits"),
    [
        (0.5, (20, 30, 40)),
        (10.0, (30, 40, 50)),
        (955.0, (970, 980, 990)),
        (975.0, (990,)),
        (985.0, ()),
        (2000, ()),
    ],
)
def test_price_limits(price: float, limits: tuple[int, ...]) -> None:
    assert possible_limits(price) == limits
    drawn = {draw_limit(price, random.Random(seed)) for seed in range(60)}
    assert drawn == {float(limit) for limit in limits or (NO_LIMIT,)}


def test_goals_are_the_same_in_every_process() -> None:
    labels = read_labels(RECORDED / "items_ins_v2.json.gz")
    products = list(read_products(RECORDED / "items_shuffle.json.gz", labels))
    prices = {product.asin: sampled_price(product) for product in products}
    for product in products:
        assert min(product.pricing) <= prices[product.asin] <= max(product.pricing)
    human = human_goals(products, read_instructions(RECORDED / "items_human_ins.json.gz"), "h")
    synthetic = synthetic_goals(products, labels, "s")
    for goals in (human, synthetic):
        first, again = (shuffled(limited(goals, prices, random.Random(5))) for _ in range(2))
        assert first == again
    limits = {goal.asin: set() for goal in synthetic}
    for goal in limited(synthetic, prices, random.Random(5)):
        limits[goal.asin].add(goal.price_upper)
    assert {len(drawn) for drawn in limits.values()} == {1}, "goals of one product share its limit"


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=5), st.just("$1.5")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(PLAIN)), JSON), st.booleans())
def test_any_record_is_read_or_refused(fields: dict[str, Any], bare: bool) -> None:
    try:
        product = read_product(fields if bare else {**PLAIN, **fields}, None, "here")
    except ValueError as error:
        assert str(error).startswith("here")
    else:
        assert isinstance(product.document, str)


@given(JSON, JSON)
def test_any_instruction_is_read_or_refused(entry: Any, labels: Any) -> None:
    try:
        human_goals([make_product()], {"B1": entry}, "here")
    except ValueError as error:
        assert str(error).startswith("here")
    if isinstance(labels, dict):
        try:
            synthetic_goals([make_product()], {"B1": labels}, "here")
        except ValueError as error:
            assert str(error).startswith("here")


@given(st.text(max_size=30))
def test_any_text_as_a_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(text, encoding="utf-8")
    try:
        expected = json.loads(text)
    except (ValueError, RecursionError):
        expected = None
    if isinstance(expected, list):
        assert list(read_list(path)) == expected
    else:
        with pytest.raises(ValueError, match=r"any\.json"):
            list(read_list(path))
