"""Students of another kind in closed form: ridge regression on one-hot labels, fold by fold."""

import numpy as np
from numpy.typing import NDArray

from learning.audit.detectors.temperature import Told, scaled, warmth
from learning.students.regression import sigmoid, softmax
from learning.types import TrainingData

RIDGES = (0.3, 3.0)  # penalties, as shares of the mean eigenvalue
SHARPNESS = np.float32(8)  # where the search for a temperature begins

Table = NDArray[np.float32]
Doubles = NDArray[np.float64]


def held_out_ridge(data: TrainingData, told: Told, fold: NDArray[np.int64]) -> Table:
    """(s, n, k) probabilities of each item by ridge regressions that were fitted without it.

    The normal equations of all rows less those of a fold are those without it, so that a fold
    costs one solve of d equations. Source: Hoerl, Kennard 1970.
    """
    x = np.asarray(data.encodings, dtype=np.float32)
    x = np.hstack([x, np.full((len(x), 1), 3, dtype=np.float32)])  # a bias, hardly penalised
    y = np.where(told.known, told.targets, 0).astype(np.float32)
    parts = [_normal(x[fold == f], y[fold == f]) for f in range(int(fold.max()) + 1)]
    square = np.sum([part[0] for part in parts], axis=0)
    mixed = np.sum([part[1] for part in parts], axis=0)
    penalty = np.trace(square) / len(square) * np.eye(len(square))
    found = []
    for ridge in RIDGES:
        said = np.empty(y.shape, dtype=np.float32)
        for f, (own_square, own_mixed) in enumerate(parts):
            rows = fold == f
            left = square - own_square + ridge * penalty
            said[rows] = x[rows] @ np.linalg.solve(left, mixed - own_mixed).astype(np.float32)
        found.append(_probabilities(said, told))
    return np.stack(found)


def _normal(x: Table, y: Table) -> tuple[Doubles, Doubles]:
    return (x.T @ x).astype(np.float64), (x.T @ y).astype(np.float64)


def _probabilities(said: Table, told: Told) -> Table:
    """Scores around 0 … 1 as probabilities, as sure as the labels bear out."""
    if told.multi_label:
        table = sigmoid(SHARPNESS * (said - np.float32(0.5)))
    else:
        table = softmax(SHARPNESS * said)
    warm, _ = warmth(table, told)
    return scaled(table, warm, multi_label=told.multi_label)
