"""Logistic regression on a handful of features: how likely a teacher is wrong."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.students.head import Head
from learning.types import Bools, Floats, TrainingData, no_report

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Logistic:
    """P = 1 / (1 + exp(-(slopes · (x - centre) / scale + intercept))).

    centre, scale, slopes: (f,), plain tuples so that a record can hold them; a slope is the change
    in log-odds by one standard deviation of its feature.
    """

    centre: tuple[float, ...]
    scale: tuple[float, ...]
    slopes: tuple[float, ...]
    intercept: float

    def parts(self, x: Floats) -> Array:
        """(n, f) what each feature adds to the log-odds."""
        away = (np.asarray(x, dtype=np.float64) - np.array(self.centre)) / np.array(self.scale)
        return np.asarray(away * np.array(self.slopes), dtype=np.float64)

    def log_odds(self, x: Floats) -> Array:
        """(n, f) features -> (n,)."""
        total: Array = self.parts(x).sum(axis=1) + self.intercept
        return total

    def predict(self, x: Floats) -> Array:
        """(n, f) features -> (n,) in 0 … 1."""
        return sigmoid(self.log_odds(x))


def sigmoid(score: Floats) -> Array:
    """(n,) log-odds -> (n,) probabilities."""
    odds = np.clip(np.asarray(score, dtype=np.float64), -60, 60)
    return np.asarray(1 / (1 + np.exp(-odds)), dtype=np.float64)


def fit_logistic(x: Floats, hit: Bools, weights: Floats, strength: float) -> Logistic:
    """Weighted logistic regression with an L2 penalty on standardised features.

    x: (n, f); hit: (n,); weights: (n,) above 0; strength: of the data against the penalty.
    The targets are a little inside of 0 and 1, so that a seed without a single error has an answer.
    Source: Cox 1958; the targets, Platt 1999.
    """
    x, weights = np.asarray(x, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    centre = np.average(x, axis=0, weights=weights)
    spread = np.sqrt(np.average(np.square(x - centre), axis=0, weights=weights))
    scale = np.where(spread > 1e-9, spread, 1.0)
    yes, no = int(hit.sum()), int((~hit).sum())
    target = np.where(hit, (yes + 1) / (yes + 2), 1 / (no + 2))
    data = TrainingData(
        targets=np.stack([1 - target, target], axis=1),
        encodings=((x - centre) / scale).astype(np.float32),
        weights=weights,
    )
    # The generator only draws the rows on which a strength is chosen, and this one is given.
    head = Head(strength=strength, tolerance=1e-4).fit(data, np.random.default_rng(0), no_report)
    slopes = (head.weights[:, 1] - head.weights[:, 0]).astype(np.float64)
    return Logistic(
        centre=tuple(centre.tolist()),
        scale=tuple(scale.tolist()),
        slopes=tuple(slopes.tolist()),
        intercept=float(head.bias[1] - head.bias[0]),
    )
