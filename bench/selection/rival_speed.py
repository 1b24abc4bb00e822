"""How long smallest margin takes in small-text and scikit-activeml; needs nothing of ours.

`python rival_speed.py FOLDER LIBRARY` reads probabilities (n, k) and labelled (n,) as .npy and
prints JSON: the least CPU seconds of three picks of 100. The student's word is ready: only
selection is timed.
"""

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

PICKS, TIMES, DIMENSIONS = 100, 3, 384


def small_text(p: Any, labelled: Any) -> float:
    from small_text import BreakingTies
    from small_text.data.datasets import SklearnDataset

    class Ready:
        def predict_proba(self, _dataset: Any) -> Any:
            return p

    rows, k = p.shape
    blank = np.zeros(rows, dtype=np.int64)
    data = SklearnDataset(np.zeros((rows, 1), np.float32), blank, target_labels=np.arange(k))
    free, known = np.flatnonzero(~labelled), np.flatnonzero(labelled)
    return _least(
        lambda: BreakingTies().query(Ready(), data, free, known, blank[labelled], n=PICKS)
    )


def scikit_activeml(p: Any, labelled: Any) -> float:
    from skactiveml.base import SkactivemlClassifier
    from skactiveml.pool import UncertaintySampling

    free = np.flatnonzero(~labelled)
    ready = p[free]

    class Ready(SkactivemlClassifier):
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:  # noqa: N803
            raise NotImplementedError

        def predict_proba(self, X: Any) -> Any:  # noqa: N803
            return ready

    clf = Ready(classes=np.arange(p.shape[1]))
    x = np.ones((len(p), DIMENSIONS), dtype=np.float32)
    y = np.full(len(p), np.nan)
    y[labelled] = 0
    strategy = UncertaintySampling(method="margin_sampling", random_state=0)
    return _least(lambda: strategy.query(x, y, clf, fit_clf=False, batch_size=PICKS))


def _least(pick: Any) -> float:
    taken = []
    for _ in range(TIMES):
        began = time.process_time()
        assert len(pick()) == PICKS
        taken.append(time.process_time() - began)
    return min(taken)


def main(folder: Path, library: str) -> None:
    warnings.simplefilter("ignore")
    p = np.load(folder / "probabilities.npy", allow_pickle=False)
    labelled = np.load(folder / "labelled.npy", allow_pickle=False)
    choose = {"small-text": small_text, "scikit-activeml": scikit_activeml}[library]
    print(json.dumps({"seconds": choose(p, labelled)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
