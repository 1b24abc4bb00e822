"""From which probability on a label is given, where an item may have several."""

import numpy as np
from numpy.typing import NDArray

from learning.types import Floats

HALF = 0.5


def best_cut(probabilities: Floats) -> float:
    """The least probability, above 0 and at most 0.5, at which labels are given for the best expected F1 over
    all labels and items together: half of that F1.

    probabilities: (n, k) in 0 … 1, what a student says of items that it has not learnt from; what they are
    right in is not asked, so few items do. 0.5 where none is above 0. Source: Lipton, Elkan, Naryanaswamy 2014.
    """
    sure = np.sort(np.asarray(probabilities, dtype=np.float64).ravel())[::-1]
    total = float(sure.sum())
    if total <= 0:
        return HALF
    given = np.arange(1, len(sure) + 1)
    return float((np.cumsum(sure) / (given + total)).max())


def tilt(cut: float) -> np.float32:
    """What logits gain, so that a label of probability `cut` gets one half."""
    return np.float32(np.log1p(-cut) - np.log(cut))


def tilted(logits: NDArray[np.float32], cut: float) -> NDArray[np.float32]:
    """The same logits, in place, a half where the probability was `cut`."""
    if cut != HALF:
        logits += tilt(cut)
    return logits
