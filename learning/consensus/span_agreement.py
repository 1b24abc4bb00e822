"""How far voices agree on spans: F1 of every two answers, and Krippendorff's alpha word by word.

Letters: n items, b resamples, s different sets of labels on a word.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from learning.consensus.agreement import Agreement, with_interval
from learning.spans import Span
from learning.spans.scores import exact_f1, near_f1
from learning.spans.tags import touched
from learning.types import Ints

Table = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Marked:
    """An item that several voices answered: its words (w, 2), and what each of them marked."""

    words: Ints
    answers: Sequence[Sequence[Span]]


def span_f1(
    items: Sequence[Marked], rng: np.random.Generator | None = None, *, near: bool = False
) -> Agreement:
    """F1 between the spans of every two answers to an item, over all of them: 1 equal, 0 apart.

    No chance is taken off: which spans two voices would mark at random is not defined. With `near` a
    pair of equal label counts by its overlap. Source: Hripcsak, Rothschild 2005.
    """
    rows = []
    for item in items:
        common = total = 0.0
        for a, b in combinations(item.answers, 2):
            size = len(a) + len(b)
            common += (near_f1(a, b) if near else exact_f1(a, b)) * size
            total += size
        rows.append((common, total))
    table = np.array(rows, dtype=np.float64).reshape(-1, 2)

    def value(weights: Table) -> Table:
        common, total = (weights @ table).T
        f1 = np.full_like(total, np.nan)
        np.divide(common, total, out=f1, where=total > 0)
        return np.asarray(f1)

    return _estimate(items, value, rng)


def word_alpha(items: Sequence[Marked], rng: np.random.Generator | None = None) -> Agreement:
    """Krippendorff's alpha where each word is a unit and its value the set of labels upon it.

    Intervals resample items, since the words of one text hang together. Source: Krippendorff 2011.
    """
    place: dict[frozenset[int], int] = {}
    inner, counted = np.zeros(len(items)), []
    for row, item in enumerate(items):
        said = [_sets(item.words, spans) for spans in item.answers]
        numbers = np.array([[place.setdefault(one, len(place)) for one in each] for each in said])
        v = len(said)
        for column in numbers.T:
            _, times = np.unique(column, return_counts=True)
            inner[row] += (v * v - np.square(times).sum()) / (v - 1)
        counted.append(numbers.ravel())
    counts = np.zeros((len(items), len(place)))
    for row, numbers in enumerate(counted):
        np.add.at(counts[row], numbers.astype(np.int64), 1)

    def value(weights: Table) -> Table:
        each = weights @ counts  # (b, s)
        n = each.sum(axis=1)
        observed = weights @ inner / np.maximum(n, 1)
        expected = (np.square(n) - np.square(each).sum(axis=1)) / np.maximum(n * (n - 1), 1)
        ratio = np.full_like(observed, np.nan)
        np.divide(observed, expected, out=ratio, where=expected > 1e-12)
        return np.asarray(1 - ratio)

    return _estimate(items, value, rng)


def _sets(words: Ints, spans: Sequence[Span]) -> list[frozenset[int]]:
    """The labels upon each word."""
    upon: list[set[int]] = [set() for _ in words]
    for span in spans:
        for at in range(*touched(span, words)):
            upon[at].add(span.label)
    return [frozenset(labels) for labels in upon]


def _estimate(
    items: Sequence[Marked],
    value: Callable[[Table], Table],
    rng: np.random.Generator | None,
) -> Agreement:
    n = len(items)
    if not n:
        return Agreement(value=None, low=None, high=None, same=None, items=0, answers=0)
    found, low, high = with_interval(n, value, rng)
    equal = [set(a) == set(b) for item in items for a, b in combinations(item.answers, 2)]
    return Agreement(
        value=found,
        low=low,
        high=high,
        same=float(np.mean(equal)) if equal else None,
        items=n,
        answers=sum(len(item.answers) for item in items),
    )
