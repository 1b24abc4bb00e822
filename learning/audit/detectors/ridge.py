"""Students of another kind in closed form: ridge regression on one-hot labels, fold by fold."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.audit.detectors.temperature import Told, scaled, warmth
from learning.students.regression import sigmoid, softmax
from learning.types import TrainingData

RIDGES = (0.3, 3.0)  # penalties, as shares of the mean eigenvalue
SHARPNESS = np.float32(8)  # where the search for a temperature begins

Table = NDArray[np.float32]
Doubles = NDArray[np.float64]
Folds = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Ridges:
    """Ridge regressions that can be had without any folds at once.

    The normal equations of all rows less those of some folds are those without them, so that what
    is left out costs one solve of d equations. Source: Hoerl, Kennard 1970.
    """

    x: Table
    told: Told
    fold: Folds
    squares: Doubles
    mixed: Doubles

    @classmethod
    def of(cls, data: TrainingData, told: Told, fold: Folds) -> "Ridges":
        """The normal equations of every fold, (f, d, d) and (f, d, k)."""
        x = np.asarray(data.encodings, dtype=np.float32)
        x = np.hstack([x, np.full((len(x), 1), 3, dtype=np.float32)])  # a bias, hardly penalised
        y = np.where(told.known, told.targets, 0).astype(np.float32)
        parts = [_normal(x[fold == f], y[fold == f]) for f in range(int(fold.max()) + 1)]
        squares, mixed = zip(*parts, strict=True)
        return cls(x=x, told=told, fold=fold, squares=np.stack(squares), mixed=np.stack(mixed))

    def held_out(self, without: int | None = None) -> Table:
        """(s, n, k) probabilities of each item by students that were fitted without its fold.

        without: a fold from which none of them learns anything; what is said of it is no answer.
        """
        folds, d = self.squares.shape[:2]
        penalty = np.trace(self.squares.sum(axis=0)) / d * np.eye(d)
        undecided = 0.5 if self.told.multi_label else 0.0
        said = np.full((len(RIDGES), *self.told.targets.shape), undecided, dtype=np.float32)
        for f in range(folds):
            if f == without:
                continue
            others = [g for g in range(folds) if g not in (f, without)]
            square, mixed = self.squares[others].sum(axis=0), self.mixed[others].sum(axis=0)
            rows = np.flatnonzero(self.fold == f)
            for table, ridge in zip(said, RIDGES, strict=True):
                weights = np.linalg.solve(square + ridge * penalty, mixed)
                table[rows] = self.x[rows] @ weights.astype(np.float32)
        return np.stack([_probabilities(table, self.told) for table in said])


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
