"""scikit-learn's logistic regression on given vectors and labels; needs nothing of ours.

`python rival.py FOLDER`: reads x, y, test_x, test_y (.npy) from FOLDER, prints JSON: the accuracy
with its default strength, and with the strength that its own cross-validation chooses.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold

STRENGTHS = [0.3, 1, 3, 10, 30, 100]


def main(folder: Path) -> dict[str, object]:
    x, y, test_x, test_y = (
        np.load(folder / f"{name}.npy", allow_pickle=False)
        for name in ("x", "y", "test_x", "test_y")
    )
    began = time.perf_counter()
    plain = LogisticRegression(max_iter=1000).fit(x, y)
    seconds = time.perf_counter() - began
    warnings.simplefilter("ignore")  # rare classes that miss from a fold
    folds = KFold(3, shuffle=True, random_state=0)
    search = GridSearchCV(LogisticRegression(max_iter=1000), {"C": STRENGTHS}, cv=folds)
    tuned = search.fit(x, y)
    return {
        "default": float(plain.score(test_x, test_y)),
        "tuned": float(tuned.score(test_x, test_y)),
        "strength": tuned.best_params_["C"],
        "seconds": seconds,
        "version": sklearn.__version__,
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
