"""Labels that are rare count more, so that frequent ones do not outvote them."""

import numpy as np
from numpy.typing import NDArray

from learning.types import TrainingData

MOST = 20.0  # a label with one example must not drown the others


def label_weights(data: TrainingData) -> NDArray[np.float32]:
    """(k,) what a present label counts: the inverse of its share, at most MOST between two labels.

    One label an item: scaled so that items count 1 on average. Several: the most frequent label
    counts 1 (a positive weight; absent labels count 1 as ever). Source: King, Zeng 2001.
    """
    targets = np.asarray(data.targets, dtype=np.float64)
    weights = np.ones(data.rows) if data.weights is None else np.asarray(data.weights, np.float64)
    counts = weights @ targets  # (k,)
    seen = counts > 0
    most = counts.max(initial=0.0)
    result = np.where(seen, np.minimum(most / np.where(seen, counts, 1), MOST), 1.0)
    if not data.multi_label:
        result *= counts.sum() / max(float(counts @ result), 1e-12)
    return result.astype(np.float32)
