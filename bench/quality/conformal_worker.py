"""MAPIE and crepes on given probabilities and splits. Runs in .venv-bench and imports nothing of ours.

argv: folder with p.npy (n, k), y.npy (n,), splits.npy (s, n); calibration items; coverage; seed.
Prints one JSON object: method -> mean coverage and size.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
from crepes import ConformalClassifier
from mapie.classification import SplitConformalClassifier
from sklearn.base import BaseEstimator, ClassifierMixin


class Known(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose items are rows of a table of probabilities."""

    def __init__(self, table):
        self.table = table

    def fit(self, x, y=None):
        return self

    def __sklearn_is_fitted__(self):
        return True

    @property
    def classes_(self):
        return np.arange(self.table.shape[1])

    def predict_proba(self, x):
        return self.table[np.asarray(x)[:, 0].astype(int)]

    def predict(self, x):
        return self.predict_proba(x).argmax(axis=1)


def mapie(score, p, y, ours, later, coverage, seed):
    made = SplitConformalClassifier(
        estimator=Known(p),
        confidence_level=coverage,
        conformity_score=score,
        prefit=True,
        random_state=seed,
    )
    made.conformalize(ours[:, None], y[ours])
    _, sets = made.predict_set(later[:, None])
    return sets[:, :, 0]


def crepes(p, y, ours, later, coverage, seed):
    made = ConformalClassifier()
    made.fit(1 - p[ours, y[ours]], seed=seed)
    return made.predict_set(1 - p[later], confidence=coverage, seed=seed)


def main():
    warnings.filterwarnings("ignore")
    folder, size, coverage, seed = Path(sys.argv[1]), int(sys.argv[2]), *map(float, sys.argv[3:])
    p = np.load(folder / "p.npy").astype(np.float64)
    p /= p.sum(axis=1, keepdims=True)
    y, splits = np.load(folder / "y.npy"), np.load(folder / "splits.npy")
    found = {}
    for number, split in enumerate(splits):
        ours, later = split[:size], split[size:]
        luck = int(seed) * 1000 + number
        sets = {f"mapie {s}": mapie(s, p, y, ours, later, coverage, luck) for s in ("lac", "aps")}
        # It splits the calibration items once more and wants each label on both sides: a tenth of them
        # has to be as many as there are labels, and each label there twice.
        counts = np.unique(y[ours], return_counts=True)[1]
        if counts.min() > 1 and size // 10 >= len(counts):
            sets["mapie raps"] = mapie("raps", p, y, ours, later, coverage, luck)
        sets["crepes hinge"] = crepes(p, y, ours, later, coverage, luck)
        for name, said in sets.items():
            each = np.asarray(said, dtype=bool)
            rows = np.arange(len(later))
            found.setdefault(name, []).append(
                [
                    each[rows, y[later]].mean(),
                    each.sum(axis=1).mean(),
                    (each.sum(1) == 1).mean(),
                    (~each.any(axis=1)).mean(),
                ]
            )
    keys = ("coverage", "size", "one", "none")
    whole = {name: rows for name, rows in found.items() if len(rows) == len(splits)}
    means = {name: np.mean(rows, axis=0).tolist() for name, rows in whole.items()}
    print(json.dumps({name: dict(zip(keys, row, strict=True)) for name, row in means.items()}))


if __name__ == "__main__":
    main()
