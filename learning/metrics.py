"""Measures of quality and the intervals around them. All results lie in 0 … 1."""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from learning.errors import ShapeError
from learning.types import Bools, Floats, Ints, require


def wilson(successes: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval for a share of `successes` in `n` draws; (0, 1) when nothing was drawn.

    Close to its nominal coverage from a few draws on. Source: Wilson 1927.
    """
    _check_counts(successes, n, confidence)
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / n
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if successes == 0 else (centre - spread) / scale
    high = 1.0 if successes == n else (centre + spread) / scale
    return max(0.0, low), min(1.0, high)


def clopper_pearson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact interval for a share: covers at least `confidence`. Source: Clopper, Pearson 1934.

    The ends are where the binomial tails reach half of what is left, found by bisection.
    """
    _check_counts(successes, n, confidence)
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else 1 - _upper_end(n - successes, n, tail)
    high = 1.0 if successes == n else _upper_end(successes, n, tail)
    return low, high


def _upper_end(successes: int, n: int, tail: float) -> float:
    """The share p at which at most `successes` of `n` has probability `tail`."""
    counts = np.arange(successes + 1)
    ways = np.array([-math.lgamma(i + 1) - math.lgamma(n - i + 1) for i in range(successes + 1)])
    ways += math.lgamma(n + 1)  # log binomial coefficients
    low, high = 0.0, 1.0
    for _ in range(60):
        p = (low + high) / 2
        below = float(np.exp(ways + counts * math.log(p) + (n - counts) * math.log1p(-p)).sum())
        low, high = (p, high) if below > tail else (low, p)
    return (low + high) / 2


def _check_counts(successes: float, n: int, confidence: float) -> None:
    if not 0 <= successes <= n:
        raise ShapeError(f"{successes} successes of {n} is not a share.")
    if not 0 < confidence < 1:
        raise ShapeError(f"A confidence lies between 0 and 1, not at {confidence}.")


def accuracy(truth: Ints, predicted: Ints) -> float:
    """Share of equal entries of two (n,) arrays of columns."""
    _check_pair(truth, predicted)
    return float(np.mean(truth == predicted))


def macro_f1(truth: Ints, predicted: Ints, labels: int) -> float:
    """Mean F1 over the columns that occur in the truth or the prediction."""
    _check_pair(truth, predicted)
    hit = np.bincount(truth[truth == predicted], minlength=labels)
    both = np.bincount(truth, minlength=labels) + np.bincount(predicted, minlength=labels)
    seen = both > 0
    return float(np.mean(2 * hit[seen] / both[seen]))


def quadratic_kappa(truth: Ints, predicted: Ints) -> float:
    """Weighted kappa of two (n,) arrays of grades, errors counting by the square of their steps.

    1 is best, 0 as by chance; 1 too where both give one and the same grade throughout. Source:
    Cohen 1968; Fleiss, Cohen 1973.
    """
    _check_pair(truth, predicted)
    t, p = truth.astype(np.float64), predicted.astype(np.float64)
    observed = float(np.square(t - p).mean())
    expected = float(t.var() + p.var() + np.square(t.mean() - p.mean()))
    return 1 - observed / expected if expected > 0 else 1.0


def micro_macro_f1(truth: Bools, predicted: Bools) -> tuple[float, float]:
    """(micro, macro) F1 of two (n, k) tables of yes and no.

    Macro is the mean over the labels that occur in the truth or the prediction; when no label
    occurs in either, both are 1, because nothing was missed.
    """
    _check_pair(truth, predicted)
    hit = np.sum(truth & predicted, axis=0)
    both = np.sum(truth, axis=0) + np.sum(predicted, axis=0)
    seen = both > 0
    if not seen.any():
        return 1.0, 1.0
    return float(2 * hit.sum() / both.sum()), float(np.mean(2 * hit[seen] / both[seen]))


def calibration_error(confidence: Floats, correct: Bools, bins: int = 10) -> float:
    """Expected calibration error, 0 best: mean gap of confidence and accuracy over equal-width bins.

    Source: Naeini et al. 2015.
    """
    _check_pair(confidence, correct)
    place = np.minimum((np.asarray(confidence, dtype=np.float64) * bins).astype(np.int64), bins - 1)
    size = np.bincount(place, minlength=bins)
    sure = np.bincount(place, weights=confidence.astype(np.float64), minlength=bins)
    right = np.bincount(place, weights=correct.astype(np.float64), minlength=bins)
    return float(np.abs(sure - right).sum() / size.sum())


def _check_pair(a: NDArray[np.generic], b: NDArray[np.generic]) -> None:
    require(a.shape == b.shape, f"Shapes {a.shape} and {b.shape} differ.")
    require(len(a) > 0, "There is nothing to measure: no item.")
