"""Shares with their intervals, from uniform draws or draws with known probabilities.

Letters in shapes: n drawn items.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from learning.metrics import clopper_pearson, wilson
from learning.types import Bools, Floats, require

CONFIDENCE = 0.95
MOST_WORTH = 10.0  # items that are right or wrong, of one item with parts
# So many items whose parts are all right or all wrong are lent when it is judged how far a few are apart.
LENT = 2.0


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure that is never shown without its interval and what it rests on.

    value: 0 … 1, or None when nothing was drawn that tells of it; low, high: its interval, then
    0 and 1; n: the drawn items that tell of it.
    """

    value: float | None
    low: float
    high: float
    n: int

    @property
    def width(self) -> float:
        """The interval's length, 0 … 1."""
        return self.high - self.low


NOTHING = Estimate(value=None, low=0.0, high=1.0, n=0)


def normal_quantile(confidence: float) -> float:
    """How many standard deviations a two-sided interval reaches: 1.96 at 0.95."""
    require(0 < confidence < 1, f"A confidence lies between 0 and 1, not at {confidence}.")
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def student_quantile(confidence: float, degrees: float) -> float:
    """The same of Student's t with so many degrees of freedom, 3 or more; off by 0.03 at most there.

    Source: Cornish, Fisher 1938, as in Abramowitz, Stegun 26.7.5.
    """
    z = normal_quantile(confidence)
    v = max(degrees, 3.0)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / v + second / v**2 + third / v**3


def wilson_share(share: float, n: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's interval for a share (0 … 1) that tells as much as `n` uniform draws would.

    Source: Wilson 1927; an effective n in it: Kott, Carr 1997.
    """
    if n <= 0:
        return 0.0, 1.0
    z = normal_quantile(confidence)
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def effective_size(weights: Floats) -> float:
    """How many uniform draws weigh as much as these: (Σw)² / Σw². Source: Kish 1965."""
    total = float(np.sum(weights))
    return total * total / float(np.sum(np.square(weights))) if total else 0.0


def weights_of(draw_probabilities: Floats | None) -> NDArray[np.float64] | None:
    """(n,) 1 / p scaled to mean 1, or None where all p are equal and so play no part."""
    if draw_probabilities is None or len(draw_probabilities) == 0:
        return None
    p = np.asarray(draw_probabilities, dtype=np.float64)
    require(
        bool(np.all(np.isfinite(p) & (p > 0) & (p <= 1))),
        "Draw probabilities must lie above 0 and not above 1.",
    )
    if np.ptp(p) <= 1e-12 * p.max():
        return None
    weights = 1 / p
    return np.asarray(weights / weights.mean(), dtype=np.float64)


def linearised(right: Floats, whole: Floats) -> NDArray[np.float64]:
    """(n,) what each item says of `right` by `whole`, summed over items; their mean is that ratio.

    right: (n,) how much of an item is right, 0 … whole; not all wholes are 0. Source: the linearised
    ratio, Cochran 1977, 6.4.
    """
    r, w = np.asarray(right, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    value = r.sum() / w.sum()
    return np.asarray(value + (r - value * w) / w.mean(), dtype=np.float64)


def worth(right: Floats, whole: Floats) -> float:
    """How many items that are right or wrong would tell as much of the ratio; 0 where all wholes are 0.

    Items without a whole tell nothing. Parts of an item hang together, so many of them tell less than as
    many items; an item tells more than one that is right or wrong where its parts are many, up to
    MOST_WORTH times. One item does not show how far items are apart, and a few may be alike by chance: they
    are judged with LENT others. Source: the design effect, Kish 1965.
    """
    kept = np.asarray(whole) > 0
    n = int(np.count_nonzero(kept))
    if n == 0:
        return 0.0
    told = linearised(np.asarray(right)[kept], np.asarray(whole)[kept])
    value = float(told.mean())
    plain = value * (1 - value)
    if plain < 1e-6:  # all right or all wrong: nothing shows how parts hang together
        return float(n)
    variance = (n * float(told.var()) + LENT * plain) / (n + LENT)
    return n * plain / max(variance, plain / MOST_WORTH)


def ratio(right: Floats, whole: Floats, confidence: float = CONFIDENCE) -> Estimate:
    """`right` (n,) by `whole` (n,), summed over uniformly drawn items; n of it: those with a whole.

    Wilson's interval with as many items as the drawn ones are `worth`.
    """
    n = int(np.count_nonzero(np.asarray(whole) > 0))
    if n == 0:
        return NOTHING
    value = min(float(np.sum(right) / np.sum(whole)), 1.0)
    low, high = wilson_share(value, worth(right, whole), confidence)
    return Estimate(value=value, low=low, high=high, n=n)


def share(
    hits: Bools,
    weights: Floats | None = None,
    *,
    exact: bool = False,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """The share of `hits` (n,) in the pool the items were drawn from.

    weights: (n,) from `weights_of`; None is a uniform draw.
    exact: for uniform draws, an interval that covers at least as often as it says, for small n.

    Weighted: Hájek's ratio estimator; its linearised variance gives an effective number of draws,
    which goes into Wilson's interval. Source: Hájek 1971; Särndal, Swensson, Wretman 1992, 5.7.
    """
    n = len(hits)
    if n == 0:
        return NOTHING
    if weights is None:
        count = int(np.count_nonzero(hits))
        low, high = (_exact if exact else wilson)(count, n, confidence)
        return Estimate(value=count / n, low=low, high=high, n=n)
    w = np.asarray(weights, dtype=np.float64)
    y = np.asarray(hits, dtype=np.float64)
    value = float(w @ y / w.sum())
    size = effective_size(w)
    if n > 1:
        variance = float(np.sum(np.square(w * (y - value)))) / float(w.sum()) ** 2 * n / (n - 1)
        if variance > 0:
            size = min(value * (1 - value) / variance, n)
        size *= (normal_quantile(confidence) / student_quantile(confidence, n - 1)) ** 2
    low, high = wilson_share(value, size, confidence)
    return Estimate(value=value, low=low, high=high, n=n)


@lru_cache(maxsize=20_000)
def _exact(count: int, n: int, confidence: float) -> tuple[float, float]:
    """Labels of one schema share most of their counts."""
    return clopper_pearson(count, n, confidence)
