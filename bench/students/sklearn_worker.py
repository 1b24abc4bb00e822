"""scikit-learn's logistic regression on given vectors; needs nothing of ours.

`python sklearn_worker.py FOLDER STRENGTH …`: reads x (n, d), y (n, k) of ones and zeros, test_x
(.npy), and whether several labels may hold (multi.npy); writes for each strength, in this order,
said-0.npy, said-1.npy …: (t, k) probabilities.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression


def main(folder: Path, strengths: list[float]) -> None:
    x, y, test_x, multi = (
        np.load(folder / f"{name}.npy", allow_pickle=False)
        for name in ("x", "y", "test_x", "multi")
    )
    warnings.simplefilter("ignore")
    for place, strength in enumerate(strengths):
        said = several(x, y, test_x, strength) if multi else one(x, y, test_x, strength)
        np.save(folder / f"said-{place}.npy", said)


def several(x, y, test_x, strength):
    """Any number of labels a row: one regression for each label that some rows have and some have not."""
    said = np.zeros((len(test_x), y.shape[1]), dtype=np.float32)
    for column in range(y.shape[1]):
        if 0 < y[:, column].sum() < len(y):
            model = LogisticRegression(C=strength, max_iter=1000).fit(x, y[:, column])
            said[:, column] = model.predict_proba(test_x)[:, 1]
    return said


def one(x, y, test_x, strength):
    """One label a row."""
    said = np.zeros((len(test_x), y.shape[1]), dtype=np.float32)
    model = LogisticRegression(C=strength, max_iter=1000).fit(x, y.argmax(axis=1))
    said[:, model.classes_] = model.predict_proba(test_x)
    return said


if __name__ == "__main__":
    main(Path(sys.argv[1]), [float(strength) for strength in sys.argv[2:]])
