"""scikit-learn's logistic regression on given vectors; needs nothing of ours.

`python sklearn_worker.py FOLDER STRENGTH`: reads x (n, d), y (n, k) of ones and zeros, test_x
(.npy), and whether several labels may hold (multi.npy); writes said.npy: (t, k) probabilities.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression


def main(folder: Path, strength: float) -> None:
    x, y, test_x, multi = (
        np.load(folder / f"{name}.npy", allow_pickle=False)
        for name in ("x", "y", "test_x", "multi")
    )
    warnings.simplefilter("ignore")
    said = np.zeros((len(test_x), y.shape[1]), dtype=np.float32)
    if multi:
        for column in range(y.shape[1]):
            if 0 < y[:, column].sum() < len(y):
                one = LogisticRegression(C=strength, max_iter=1000).fit(x, y[:, column])
                said[:, column] = one.predict_proba(test_x)[:, 1]
    else:
        model = LogisticRegression(C=strength, max_iter=1000).fit(x, y.argmax(axis=1))
        said[:, model.classes_] = model.predict_proba(test_x)
    np.save(folder / "said.npy", said)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
