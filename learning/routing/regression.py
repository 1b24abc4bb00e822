"""Logistic regression on a handful of features: how likely a teacher is wrong."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.types import Bools, Floats

Array = NDArray[np.float64]

STEPS = 50
SHORTEST = 1e-6


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


def fit_logistic(
    x: Floats, hit: Bools, weights: Floats, strength: float, home: Floats | None = None
) -> Logistic:
    """Weighted logistic regression whose slopes are pulled to `home`, by Newton's steps.

    x: (n, f); hit: (n,); weights: (n,) above 0; strength: of the data against the pull; home: (f,)
    slopes by a standard deviation that are likely before any data, None for zeros. The intercept is
    free. The targets are a little inside of 0 and 1, so that a seed without a single error has an
    answer. Source: Cox 1958; the targets, Platt 1999.
    """
    x, weights = np.asarray(x, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    centre = np.average(x, axis=0, weights=weights)
    spread = np.sqrt(np.average(np.square(x - centre), axis=0, weights=weights))
    scale = np.where(spread > 1e-9, spread, 1.0)
    yes, no = int(hit.sum()), int((~hit).sum())
    z = np.concatenate([(x - centre) / scale, np.ones((len(x), 1))], axis=1)
    begin = np.zeros(z.shape[1]) if home is None else np.append(home, 0.0)
    found = _newton(
        z,
        np.where(hit, (yes + 1) / (yes + 2), 1 / (no + 2)),
        np.asarray(strength * weights, dtype=np.float64),
        begin,
        np.append(np.ones(x.shape[1]), 1e-6),
    )
    return Logistic(
        centre=tuple(centre.tolist()),
        scale=tuple(scale.tolist()),
        slopes=tuple(found[:-1].tolist()),
        intercept=float(found[-1]),
    )


def _newton(z: Array, target: Array, weights: Array, home: Array, pull: Array) -> Array:
    """(f + 1,) where Σ weight · cross-entropy + Σ pull · (slope - home)² / 2 is least. Convex."""

    def cost(slopes: Array) -> float:
        score = z @ slopes
        away = pull @ np.square(slopes - home)
        return float(weights @ (np.logaddexp(0, score) - target * score) + away / 2)

    here = home.copy()
    now = cost(here)
    for _ in range(STEPS):
        p = sigmoid(z @ here)
        gradient = z.T @ (weights * (p - target)) + pull * (here - home)
        curved = (z * (weights * p * (1 - p))[:, None]).T @ z + np.diag(pull)
        step = np.linalg.solve(curved, gradient)
        size = 1.0
        while size > SHORTEST and (then := cost(here - size * step)) > now:
            size /= 2
        if size <= SHORTEST or now - then < 1e-10:
            break
        here, now = here - size * step, then
    return here
