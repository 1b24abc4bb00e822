"""Scores as log-odds, the scale on which evidence adds up."""

import numpy as np
from numpy.typing import NDArray

from learning.types import Floats

EDGE = 1e-6  # scores nearer to 0 or 1 are read as this far away


def log_odds(scores: Floats, edge: float = EDGE) -> NDArray[np.float64]:
    """log(s / (1 - s)), finite also at 0 and 1."""
    s = np.clip(np.asarray(scores, dtype=np.float64), 0, 1)
    return np.asarray(np.log((s + edge) / (1 - s + edge)))
