"""Adaptive prediction sets, plain and regularised."""

from dataclasses import dataclass

import numpy as np

from learning.audit.conformal.calibrated import Array, ByLabel
from learning.types import Floats, require


@dataclass(frozen=True, kw_only=True)
class Adaptive(ByLabel):
    """Labels from the likeliest down are in until their probabilities add up to a threshold.
    Source: Romano, Sesia, Candès 2020.

    The last label is in by chance, so that the coverage is met and not exceeded.
    """

    def scores(self, probabilities: Floats, rng: np.random.Generator) -> Array:
        """(n, k) what lies before each label and a random part of its own probability."""
        return _summed(probabilities, rng)[0]


@dataclass(frozen=True, kw_only=True)
class RegularisedAdaptive(ByLabel):
    """Adaptive sets in which every label beyond the first few costs a penalty.
    Source: Angelopoulos et al. 2021.

    penalty: added per rank beyond the `free` first; 0 is the plain method.
    """

    penalty: float = 0.05
    free: int = 2

    def scores(self, probabilities: Floats, rng: np.random.Generator) -> Array:
        """(n, k) the adaptive score, and the penalties up to the label's rank."""
        require(self.penalty >= 0 and self.free >= 0, "Penalty and free ranks are 0 or more.")
        summed, ranks = _summed(probabilities, rng)
        return np.asarray(summed + self.penalty * np.maximum(ranks - self.free, 0))


def _summed(probabilities: Floats, rng: np.random.Generator) -> tuple[Array, Array]:
    """(n, k) scores and (n, k) ranks from 1; equal probabilities in the order of their columns."""
    p = np.asarray(probabilities, dtype=np.float64)
    luck = rng.random((len(p), 1))
    order = np.argsort(-p, axis=1, kind="stable")
    falling = np.take_along_axis(p, order, axis=1)
    scores, ranks = np.empty_like(p), np.empty_like(p)
    np.put_along_axis(scores, order, np.cumsum(falling, axis=1) - falling * (1 - luck), axis=1)
    np.put_along_axis(ranks, order, np.arange(1.0, p.shape[1] + 1)[None], axis=1)
    return scores, ranks
