"""Doubt from probabilities: margin and entropy, computed in float32 before anything is rounded."""

import numpy as np
from numpy.typing import NDArray

from learning.types import Floats


def margins(probabilities: Floats, *, multi_label: bool) -> NDArray[np.float32]:
    """(n, k) -> (n,): 0 undecided … 1 sure.

    Single label: the difference of the two largest probabilities. Multi-label: the smallest
    |2p - 1| over the labels, so one undecided label is enough. Source: Scheffer et al. 2001
    (margin); Brinker 2006 (the multi-label form).
    """
    p = np.asarray(probabilities, dtype=np.float32)
    if multi_label:
        return np.asarray(np.abs(2 * p - 1).min(axis=1, initial=1.0), dtype=np.float32)
    if p.shape[1] < 2:
        return np.ones(len(p), dtype=np.float32)
    two = np.partition(p, p.shape[1] - 2, axis=1)[:, -2:]  # (n, 2), the larger one last
    result: NDArray[np.float32] = two[:, 1] - two[:, 0]
    return result


def entropies(probabilities: Floats, *, multi_label: bool) -> NDArray[np.float32]:
    """(n, k) -> (n,) in nats, larger is more doubtful; multi-label: mean over the labels."""
    p = np.asarray(probabilities, dtype=np.float32)
    plogp = _plogp(p)
    if not multi_label:
        return np.asarray(-plogp.sum(axis=1), dtype=np.float32)
    return np.asarray(-(plogp + _plogp(1 - p)).mean(axis=1), dtype=np.float32)


def _plogp(p: NDArray[np.float32]) -> NDArray[np.float32]:
    result: NDArray[np.float32] = p * np.log(np.maximum(p, np.float32(1e-30)))
    return result
