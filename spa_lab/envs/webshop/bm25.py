"""Search that ranks as Lucene does: BM25 with Anserini's defaults, one byte a length, single precision.

score(q, d) = sum over terms t of the query: w - w / (1 + tf / norm(d)), where w = idf(t) * qtf,
idf(t) = ln(1 + (N - n_t + 0.5) / (n_t + 0.5)) and norm(d) = k1 * (1 - b + b * length(d) / average).
N counts documents with at least one term. Source: Lucene 9's BM25Similarity and SmallFloat; every operation
is done in the precision that they use, so that near-ties fall the same way. Equal scores go by document name.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from spa_lab.envs.webshop.analyzer import analyze

K1, B = np.float32(0.9), np.float32(0.4)
_EXACT = 24
"""Lengths below this are kept exactly, longer ones with four significant bits."""


@dataclass(frozen=True, eq=False)
class Postings:
    """The documents that hold one term."""

    documents: NDArray[np.int32]
    """(n,) rising."""
    counts: NDArray[np.float32]
    """(n,) how often each of them holds it."""


class SearchIndex:
    """An immutable inverted index of D documents; order among equal scores is that of their names."""

    def __init__(self, documents: Iterable[tuple[str, str]]) -> None:
        """`documents` are (name, text) pairs; names must differ.

        Raises:
            ValueError: If two documents have the same name.
        """
        pairs = sorted(documents)
        self.names: Sequence[str] = tuple(name for name, _ in pairs)
        for one, other in pairwise(self.names):
            if one == other:
                raise ValueError(f"search index: two documents are called {one!r}")
        places: dict[str, list[int]] = {}
        counts: dict[str, list[int]] = {}
        lengths = np.zeros(len(pairs), dtype=np.int64)
        for document, (_, text) in enumerate(pairs):
            terms = analyze(text)
            lengths[document] = len(terms)
            for term, count in Counter(terms).items():
                places.setdefault(term, []).append(document)
                counts.setdefault(term, []).append(count)
        self._postings: Mapping[str, Postings] = {
            term: Postings(np.array(found, np.int32), np.array(counts[term], np.float32))
            for term, found in places.items()
        }
        self._n = int((lengths > 0).sum())
        self._inverse_norm = inverse_norms(lengths, self._n)

    def search(self, query: str, limit: int = 50) -> list[tuple[str, float]]:
        """The best documents, as (name, score) pairs, best first.

        Args:
            query: Any text; it is analysed as the documents were.
            limit: Most hits.
        """
        terms = Counter(analyze(query))
        scores = np.zeros(len(self.names), dtype=np.float64)  # Lucene adds up in double precision
        for term, times in terms.items():
            postings = self._postings.get(term)
            if postings is not None:
                weight = idf(self._n, len(postings.documents)) * np.float32(times)
                norms = self._inverse_norm[postings.documents]
                part = weight - weight / (np.float32(1.0) + postings.counts * norms)
                scores[postings.documents] += part
        return best(scores.astype(np.float32), self.names, limit)


def best(scores: NDArray[np.float32], names: Sequence[str], limit: int) -> list[tuple[str, float]]:
    """The `limit` highest positive scores with their names, equal ones in the order of `names`."""
    found = np.flatnonzero(scores)
    if len(found) > limit:
        worst = np.partition(scores[found], -limit)[-limit]
        found = found[scores[found] >= worst]
    order = found[np.argsort(-scores[found], kind="stable")][:limit]
    return [(names[i], float(scores[i])) for i in order]


def idf(n: int, containing: int) -> np.float32:
    """How rare a term is that `containing` of `n` documents hold."""
    return np.float32(np.log(1 + (n - containing + 0.5) / (containing + 0.5)))


def inverse_norms(lengths: NDArray[np.int64], n: int) -> NDArray[np.float32]:
    """(D,) 1 / norm of documents with these numbers of terms, `n` of which are not empty."""
    average = np.float32(lengths.sum() / max(n, 1)) or np.float32(1.0)
    kept = quantized(lengths).astype(np.float32)
    one = np.float32(1.0)
    return one / (K1 * ((one - B) + B * kept / average))


def quantized(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """(D,) the lengths as they are after having been kept in one byte each."""
    excess = np.maximum(lengths - _EXACT, 0)
    # float64 splits into mantissa and exponent: how many bits stand behind the top four
    behind = np.maximum(np.frexp(excess.astype(np.float64))[1] - 4, 0)
    return np.where(lengths < _EXACT, lengths, _EXACT + ((excess >> behind) << behind))
