"""The full official catalogue on disk: read once, then searched and looked up with little memory.

A cache folder contains `shop.sqlite` (compressed products, and the offset of each term's postings) and three
memory-mapped arrays: `documents.npy` and `counts.npy` (P,), the concatenated postings of all terms, and
`lengths.npy` (D,). Documents are indexed in the order of their asins. `complete.json` is written last;
without it the cache is built again.
"""

import json
import sqlite3
import zlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from spa_lab.envs.webshop.analyzer import analyze
from spa_lab.envs.webshop.bm25 import Postings, SearchIndex, inverse_norms
from spa_lab.envs.webshop.files import read_entries, read_products
from spa_lab.envs.webshop.goals import sampled_price
from spa_lab.envs.webshop.noun_scorer import NounScorer
from spa_lab.envs.webshop.product import Product, text_list
from spa_lab.envs.webshop.shop import HITS, Shop

_VERSION = 1
_PART = 1 << 22
"""Postings held in memory while building."""
_KEPT = 1 << 12
"""Products kept in memory."""
_TABLES = """
    CREATE TABLE labels (asin TEXT PRIMARY KEY, attributes TEXT) WITHOUT ROWID;
    CREATE TABLE products (number INTEGER PRIMARY KEY, asin TEXT, packed BLOB);
    CREATE TABLE terms (term TEXT PRIMARY KEY, start INTEGER, n INTEGER) WITHOUT ROWID;
"""


def is_complete(folder: Path) -> bool:
    """Whether the folder contains a complete cache of this version."""
    try:
        return bool(json.loads((folder / "complete.json").read_text())["version"] == _VERSION)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def build_cache(items: Path, labels: Path, folder: Path) -> None:
    """Read the official files product by product and write a cache.

    Args:
        items: an `items_shuffle*.json`.
        labels: an `items_ins_v2*.json`.
        folder: output; the files of an interrupted build are replaced.

    Raises:
        ValueError: a file cannot be read; names it and the entry.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in (*folder.glob("*.npy"), folder / "complete.json", folder / "shop.sqlite"):
        path.unlink(missing_ok=True)
    database = sqlite3.connect(folder / "shop.sqlite")
    try:
        database.executescript(_TABLES)
        database.executemany("INSERT INTO labels VALUES (?, ?)", _label_rows(labels))
        terms = _Terms(folder)
        products = read_products(items, _Labels(database))
        database.executemany("INSERT INTO products VALUES (?, ?, ?)", _product_rows(products, terms))
        database.executescript("DROP TABLE labels; CREATE UNIQUE INDEX by_asin ON products (asin);")
        order = [
            row_number for (row_number,) in database.execute("SELECT number FROM products ORDER BY asin")
        ]
        rows = terms.write(np.array(order, dtype=np.int64))
        database.executemany("INSERT INTO terms VALUES (?, ?, ?)", rows)
        database.commit()
    finally:
        database.close()
    done = folder / "complete.json.part"
    done.write_text(json.dumps({"version": _VERSION, "products": len(order)}))
    done.replace(folder / "complete.json")


@dataclass(frozen=True)
class Cache:
    """An opened cache."""

    products: "Products"
    index: SearchIndex

    def shop(self, scorer: NounScorer) -> Shop:
        """The shop with all products."""

        def search(query: str) -> list[str]:
            return [asin for asin, _ in self.index.search(query, HITS)]

        return Shop(self.products, Prices(self.products), search, scorer=scorer)

    def in_order(self, asins: Iterable[str]) -> list[Product]:
        """The existing products among `asins`, in the order of the official file."""
        positions = ((self.products.position(asin), asin) for asin in asins)
        ordered = sorted((position, asin) for position, asin in positions if position is not None)
        return [self.products[asin] for _, asin in ordered]


def open_cache(folder: Path) -> Cache:
    """Open a cache for reading.

    Raises:
        ValueError: the folder contains no complete cache.
    """
    if not is_complete(folder):
        raise ValueError(f"{folder}: no complete cache of the web shop's products")
    database = sqlite3.connect(
        f"{(folder / 'shop.sqlite').resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False
    )
    documents, counts, lengths = (
        np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("documents", "counts", "lengths")
    )

    def postings(term: str) -> Postings | None:
        row = database.execute("SELECT start, n FROM terms WHERE term = ?", (term,)).fetchone()
        if row is None:
            return None
        part = slice(row[0], row[0] + row[1])
        return Postings(documents[part], counts[part].astype(np.float32))

    names = tuple(asin for (asin,) in database.execute("SELECT asin FROM products ORDER BY asin"))
    index = SearchIndex(names, postings, inverse_norms(lengths[:]), int((lengths > 0).sum()))
    return Cache(Products(database), index)


class Products(Mapping[str, Product]):
    """asin → product, read from the database on access."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._read = lru_cache(_KEPT)(self._read_one)

    def __getitem__(self, asin: str) -> Product:
        return self._read(asin)

    def __iter__(self) -> Iterator[str]:
        return (asin for (asin,) in self._database.execute("SELECT asin FROM products ORDER BY number"))

    def __len__(self) -> int:
        return int(self._database.execute("SELECT COUNT(*) FROM products").fetchone()[0])

    def position(self, asin: str) -> int | None:
        """Index of a product in the official file; None if there is no such product."""
        row = self._database.execute("SELECT number FROM products WHERE asin = ?", (asin,)).fetchone()
        return None if row is None else int(row[0])

    def _read_one(self, asin: str) -> Product:
        row = self._database.execute("SELECT packed FROM products WHERE asin = ?", (asin,)).fetchone()
        if row is None:
            raise KeyError(asin)
        return _unpacked(row[0])


class Prices(Mapping[str, float]):
    """asin → dollars, see `sampled_price`."""

    def __init__(self, products: Products) -> None:
        self._products = products

    def __getitem__(self, asin: str) -> float:
        return sampled_price(self._products[asin])

    def __iter__(self) -> Iterator[str]:
        return iter(self._products)

    def __len__(self) -> int:
        return len(self._products)


class _Labels(Mapping[str, dict[str, Any]]):
    """asin → its entry of the label file, while a cache is built."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __getitem__(self, asin: str) -> dict[str, Any]:
        row = self._database.execute("SELECT attributes FROM labels WHERE asin = ?", (asin,)).fetchone()
        if row is None:
            raise KeyError(asin)
        return {"attributes": json.loads(row[0])}

    def __iter__(self) -> Iterator[str]:
        return (asin for (asin,) in self._database.execute("SELECT asin FROM labels"))

    def __len__(self) -> int:
        return int(self._database.execute("SELECT COUNT(*) FROM labels").fetchone()[0])


class _Terms:
    """Counts the terms of documents; writes the counts to disk in parts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ids: dict[str, int] = {}
        self._lengths = array("q")
        self._parts: list[Path] = []
        self._postings = array("i")
        """Concatenated (term id, document, count) triples."""

    def add(self, text: str) -> None:
        """Count the next document."""
        terms = analyze(text)
        document = len(self._lengths)
        self._lengths.append(len(terms))
        for term, count in Counter(terms).items():
            term_id = self._ids.setdefault(term, len(self._ids))
            self._postings.extend((term_id, document, count))
        if len(self._postings) >= 3 * _PART:
            self._flush()

    def write(self, order: NDArray[np.int64]) -> Iterator[tuple[str, int, int]]:
        """Write the arrays, with document `order[i]` at index i; returns the rows of the table `terms`."""
        self._flush()
        rank = np.empty(len(order), dtype=np.int32)
        rank[order] = np.arange(len(order), dtype=np.int32)
        np.save(self._folder / "lengths.npy", np.array(self._lengths, dtype=np.int64)[order])
        sizes = np.zeros(len(self._ids), dtype=np.int64)
        for path in self._parts:
            sizes += np.bincount(np.load(path)[:, 0], minlength=len(sizes))
        starts = np.cumsum(sizes) - sizes
        self._merge(rank, starts.copy(), int(sizes.sum()))
        return (
            (term, int(starts[term_id]), int(sizes[term_id])) for term, term_id in sorted(self._ids.items())
        )

    def _merge(self, rank: NDArray[np.int32], cursor: NDArray[np.int64], total: int) -> None:
        documents = open_memmap(self._folder / "documents.npy", "w+", np.int32, (total,))
        counts = open_memmap(self._folder / "counts.npy", "w+", np.int32, (total,))
        for path in self._parts:
            part = np.load(path)
            part = part[np.argsort(part[:, 0], kind="stable")]
            terms, firsts, sizes = np.unique(part[:, 0], return_index=True, return_counts=True)
            targets = np.repeat(cursor[terms] - firsts, sizes) + np.arange(len(part))
            documents[targets] = rank[part[:, 1]]
            counts[targets] = part[:, 2]
            cursor[terms] += sizes
            path.unlink()
        documents.flush()
        counts.flush()

    def _flush(self) -> None:
        path = self._folder / f"part-{len(self._parts)}.npy"
        np.save(path, np.array(self._postings, dtype=np.int32).reshape(-1, 3))
        self._parts.append(path)
        self._postings = array("i")


def _label_rows(path: Path) -> Iterator[tuple[str, str]]:
    for asin, entry in read_entries(path):
        if not isinstance(entry, dict):
            raise ValueError(f"{path.name}: {asin!r} must be an object, got {type(entry).__name__}")
        if "attributes" in entry:
            where = f"{path.name}: {asin!r}"
            yield asin, json.dumps(text_list(entry["attributes"], "attributes", where))


def _product_rows(products: Iterable[Product], terms: _Terms) -> Iterator[tuple[int, str, bytes]]:
    for position, product in enumerate(products):
        terms.add(product.document)
        yield position, product.asin, zlib.compress(json.dumps(asdict(product)).encode())


def _unpacked(packed: bytes) -> Product:
    fields = json.loads(zlib.decompress(packed))
    for key in ("bullets", "pricing", "attributes"):
        fields[key] = tuple(fields[key])
    fields["options"] = tuple((name, _texts(values)) for name, values in fields["options"])
    return Product(**fields)


def _texts(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(values)
