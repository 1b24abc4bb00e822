"""crowd-kit's and cleanlab's consensus on given votes. Runs in .venv-bench, imports nothing of ours.

argv: folder with votes.npy (v, 3) of item, annotator, label, and truth.npy (n,). Where CROWDLAB is to
run, also p.npy (n, k) of our student, x.npy (n, d) vectors and majority.npy (n,) labels: it gets our
student's probabilities, and those of the logistic regression (C = 10) of the first measurement. Prints one JSON object: method -> accuracy.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from crowdkit.aggregation import DawidSkene, OneCoinDawidSkene
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict


def main(folder: Path) -> dict[str, float]:
    votes = np.load(folder / "votes.npy")
    truth = np.load(folder / "truth.npy")
    table = pd.DataFrame(votes, columns=["task", "worker", "label"])
    found = {}
    for method in (DawidSkene, OneCoinDawidSkene):
        labels = method(n_iter=100).fit_predict(table)
        found[f"crowd-kit {method.__name__}"] = float(
            (labels.reindex(range(len(truth))).to_numpy() == truth).mean()
        )
    if (folder / "p.npy").exists():
        found["CROWDLAB, our student"] = crowdlab(votes, truth, np.load(folder / "p.npy"))
        plain = cross_val_predict(
            LogisticRegression(C=10, max_iter=500),
            np.load(folder / "x.npy"),
            np.load(folder / "majority.npy"),
            cv=5,
            method="predict_proba",
        )
        found["CROWDLAB"] = crowdlab(votes, truth, plain)
    return found


def crowdlab(votes: np.ndarray, truth: np.ndarray, p: np.ndarray) -> float:
    from cleanlab.multiannotator import get_label_quality_multiannotator

    wide = np.full((len(truth), votes[:, 1].max() + 1), np.nan)
    wide[votes[:, 0], votes[:, 1]] = votes[:, 2]
    result = get_label_quality_multiannotator(
        pd.DataFrame(wide), p.astype(np.float64), verbose=False
    )
    labels = result["label_quality"]["consensus_label"].to_numpy()
    return float((labels == truth).mean())


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(main(Path(sys.argv[1]))))
