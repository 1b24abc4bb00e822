"""How labels get mixed up: counts of what is confidently another label than it was given."""

import numpy as np
from numpy.typing import NDArray

from learning.types import Floats

Doubles = NDArray[np.float64]
Rows = NDArray[np.int64]


def confident_joint(probabilities: Floats, given: Rows) -> Doubles:
    """(k, k) estimated share of the items by given label (rows) and true label (columns).

    An item counts for its likeliest label among those whose probability reaches the mean
    probability of the items that were given it; rows are then scaled to the labels given.
    Source: Northcutt, Jiang, Chuang 2021 (confident learning).
    """
    p = np.asarray(probabilities, dtype=np.float64)
    n, k = p.shape
    sizes = np.bincount(given, minlength=k).astype(np.float64)
    own = np.bincount(given, weights=p[np.arange(n), given], minlength=k)
    threshold = np.where(sizes > 0, own / np.maximum(sizes, 1), np.inf)
    above = np.where(p >= threshold, p, -1.0)
    sure = above.max(axis=1) >= 0
    counts = np.zeros((k, k))
    np.add.at(counts, (given[sure], above.argmax(axis=1)[sure]), 1)
    empty = counts.sum(axis=1) == 0
    counts[empty, empty] = 1  # nothing is known of a label on which nobody is sure
    counts *= (sizes / counts.sum(axis=1))[:, None]
    return np.asarray(counts / n)


def posterior(
    probabilities: Floats, given: Rows, pseudo: float = 10.0, error: float = 0.1
) -> Doubles:
    """(n, k) the true label, given the label that was given: p(j) T(given | j), normalised.

    T is the confident joint by true label, with `pseudo` items per label that count as evenly mixed
    up, a share `error` of them wrong, so that rare labels are not judged by two or three confusions.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    mixed = confident_joint(p, given) * len(p)
    k = len(mixed)
    even = np.full((k, k), error / max(1, k - 1))
    np.fill_diagonal(even, 1 - error)
    mixed += pseudo * even
    mixed /= mixed.sum(axis=0)
    beliefs = p * mixed[given]
    total = beliefs.sum(axis=1, keepdims=True)
    return np.asarray(beliefs / np.where(total > 0, total, 1))
