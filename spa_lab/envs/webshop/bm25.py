"""Search that ranks as Lucene does: BM25 with Anserini's defaults, one-byte lengths, single precision.

score(q, d) = sum over terms t of the query: w - w / (1 + tf / norm(d)), where w = idf(t) * qtf,
idf(t) = ln(1 + (N - n_t + 0.5) / (n_t + 0.5)) and norm(d) = k1 * (1 - b + b * length(d) / average).
N counts documents with at least one term. Source: Lucene 9's BM25Similarity and SmallFloat; every operation
uses their precision, so that near-ties are ordered the same way. Equal scores are ordered by document name.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from spa_lab.envs.webshop.analyzer import analyze

K1, B = np.float32(0.9), np.float32(0.4)
_EXACT = 24
"""Shorter lengths are stored exactly, others with four significant bits."""


@dataclass(frozen=True, eq=False)
class Postings:
    """The documents that contain a term."""

    documents: NDArray[np.int32]
    """(n,) their indices, all different."""
    counts: NDArray[np.float32]
    """(n,) occurrences of the term in each."""


class SearchIndex:
    """An immutable inverted index of D documents; equal scores are ordered by document index."""

    def __init__(
        self,
        names: Sequence[str],
        postings: Callable[[str], Postings | None],
        inverse_norm: NDArray[np.float32],
        n: int,
    ) -> None:
        """An index from precomputed counts.

        Args:
            names: (D,) document names, by index.
            postings: term → the documents that contain it; None if none does.
            inverse_norm: (D,) see `inverse_norms`.
            n: number of documents with at least one term.
        """
        self.names = names
        self._postings = postings
        self._inverse_norm = inverse_norm
        self._n = n

    def search(self, query: str, limit: int = 50) -> list[tuple[str, float]]:
        """The best documents, as (name, score) pairs, best first.

        Args:
            query: any text; it is analysed like the documents.
            limit: largest number of hits.
        """
        scores = np.zeros(len(self._inverse_norm), dtype=np.float64)  # Lucene sums in double precision
        for term, times in Counter(analyze(query)).items():
            postings = self._postings(term)
            if postings is not None:
                weight = idf(self._n, len(postings.documents)) * np.float32(times)
                norms = self._inverse_norm[postings.documents]
                scores[postings.documents] += weight - weight / (np.float32(1.0) + postings.counts * norms)
        return best(scores.astype(np.float32), self.names, limit)


def index_of(documents: Iterable[tuple[str, str]]) -> SearchIndex:
    """An index in memory of (name, text) pairs; equal scores are ordered by name.

    Raises:
        ValueError: two documents have the same name.
    """
    pairs = sorted(documents)
    for (name, _), (next_name, _) in pairwise(pairs):
        if name == next_name:
            raise ValueError(f"search index: two documents are called {name!r}")
    containing: dict[str, list[int]] = {}
    counts: dict[str, list[int]] = {}
    lengths = np.zeros(len(pairs), dtype=np.int64)
    for document, (_, text) in enumerate(pairs):
        terms = analyze(text)
        lengths[document] = len(terms)
        for term, count in Counter(terms).items():
            containing.setdefault(term, []).append(document)
            counts.setdefault(term, []).append(count)
    postings = {
        term: Postings(np.array(indices, np.int32), np.array(counts[term], np.float32))
        for term, indices in containing.items()
    }
    names = tuple(name for name, _ in pairs)
    return SearchIndex(names, postings.get, inverse_norms(lengths), int((lengths > 0).sum()))


def best(scores: NDArray[np.float32], names: Sequence[str], limit: int) -> list[tuple[str, float]]:
    """The `limit` highest positive scores with their names, equal ones in the order of `names`."""
    hits = np.flatnonzero(scores)
    if len(hits) > limit:
        worst = np.partition(scores[hits], -limit)[-limit]
        hits = hits[scores[hits] >= worst]
    order = hits[np.argsort(-scores[hits], kind="stable")][:limit]
    return [(names[i], float(scores[i])) for i in order]


def idf(n: int, containing: int) -> np.float32:
    """Inverse document frequency of a term that `containing` of `n` documents contain."""
    return np.float32(np.log(1 + (n - containing + 0.5) / (containing + 0.5)))


def inverse_norms(lengths: NDArray[np.int64]) -> NDArray[np.float32]:
    """(D,) 1 / norm(d) of documents with these lengths in terms."""
    average = np.float32(lengths.sum() / max((lengths > 0).sum(), 1)) or np.float32(1.0)
    kept = quantized(lengths).astype(np.float32)
    unit = np.float32(1.0)
    return unit / (K1 * ((unit - B) + B * kept / average))


def quantized(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """(D,) the lengths after storing each in one byte."""
    excess = np.maximum(lengths - _EXACT, 0)
    # the exponent of a float64 gives the number of bits below the top four
    dropped = np.maximum(np.frexp(excess.astype(np.float64))[1] - 4, 0)
    return np.where(lengths < _EXACT, lengths, _EXACT + ((excess >> dropped) << dropped))
