"""How far voices agree on values that have parts: alpha over the parts, and how close answers are.

Letters: n items, u parts of items with several answers, s different things said, b resamples.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.consensus.agreement import Agreement, with_interval

Table = NDArray[np.float64]
Facets = Mapping[Any, Any]


def facet_alpha(
    items: Sequence[Sequence[Facets]],
    apart: Callable[[Any, Any], float],
    rng: np.random.Generator | None = None,
) -> Agreement:
    """Krippendorff's alpha over the parts of answers; two answers or more to each item.

    rng: for the interval, which resamples whole items, since the parts of one hang together. Source:
    Krippendorff 2011.
    """
    place: dict[Any, int] = {}
    rows: list[tuple[int, list[int]]] = []
    for number, answers in enumerate(items):
        for part in dict.fromkeys(part for answer in answers for part in answer):
            said = [answer[part] for answer in answers if part in answer]
            rows.append((number, [place.setdefault(one, len(place)) for one in said]))
    values = list(place)
    table = np.zeros((len(values), len(values)))
    for (a, one), (b, other) in combinations(enumerate(values), 2):
        table[a, b] = table[b, a] = apart(one, other)
    inner, counts = np.zeros(len(items)), np.zeros((len(items), len(values)))
    for number, said in rows:
        if len(said) > 1:
            np.add.at(counts[number], said, 1)
            inner[number] += table[np.ix_(said, said)].sum() / (len(said) - 1)

    def value(weights: Table) -> Table:
        each = weights @ counts  # (b, s)
        n = each.sum(axis=1)
        observed = weights @ inner / np.maximum(n, 1)
        expected = np.einsum("bs,bs->b", each @ table, each) / np.maximum(n * (n - 1), 1)
        ratio = np.full_like(observed, np.nan)
        np.divide(observed, expected, out=ratio, where=expected > 1e-12)
        return np.asarray(1 - ratio)

    return _estimate(items, value, rng)


def closeness(
    items: Sequence[Sequence[Facets]],
    apart: Callable[[Any, Any], float],
    rng: np.random.Generator | None = None,
) -> Agreement:
    """1 minus the mean distance of two answers to an item, chance not taken off."""
    near = np.array(
        [np.mean([_near(a, b, apart) for a, b in combinations(one, 2)]) for one in items]
    )
    return _estimate(items, lambda weights: weights @ near / weights.sum(axis=1), rng)


def _near(a: Facets, b: Facets, apart: Callable[[Any, Any], float]) -> float:
    parts = a.keys() & b.keys()
    return 1 - sum(apart(a[part], b[part]) for part in parts) / len(parts) if parts else 1.0


def _estimate(
    items: Sequence[Sequence[Facets]],
    value: Callable[[Table], Table],
    rng: np.random.Generator | None,
) -> Agreement:
    n = len(items)
    if not n:
        return Agreement(value=None, low=None, high=None, same=None, items=0, answers=0)
    found, low, high = with_interval(n, value, rng)
    return Agreement(
        value=found,
        low=low,
        high=high,
        same=float(np.mean([a == b for one in items for a, b in combinations(one, 2)])),
        items=n,
        answers=sum(map(len, items)),
    )
