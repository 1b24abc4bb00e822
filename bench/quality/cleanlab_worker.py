"""cleanlab's label quality scores on given labels and probabilities.

`python cleanlab_worker.py` runs in .venv-bench and needs nothing of ours. It reads the name of one .npz a
line, with labels (n,) and probabilities (n, k), or labels (n, k) of 0 and 1. Scores by name, low ones
suspicious, of the shape of the labels, go to NAME.scores.npz, and the name is printed again.
"""

import sys

import numpy as np
from cleanlab.multilabel_classification.rank import get_label_quality_scores_per_class
from cleanlab.rank import get_label_quality_scores

METHODS = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")


def single(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, np.ndarray]:
    found = {}
    for method in METHODS:
        for adjusted in (False, True):
            if adjusted and method == "confidence_weighted_entropy":
                continue  # cleanlab has no adjusted form of it
            found[f"{method}{'+adj' * adjusted}"] = get_label_quality_scores(
                labels, probabilities, method=method, adjust_pred_probs=adjusted
            )
    return found


def several(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, np.ndarray]:
    lists = [np.flatnonzero(row).tolist() for row in labels]
    return {
        method: get_label_quality_scores_per_class(lists, probabilities, method=method)
        for method in METHODS
    }


def main(path: str) -> None:
    with np.load(path, allow_pickle=False) as given:
        labels, probabilities = given["labels"], given["probabilities"].astype(np.float64)
    if labels.ndim == 1:
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        found = single(labels, probabilities)
    else:
        found = several(labels, probabilities)
    np.savez(f"{path}.scores.npz", **found)


if __name__ == "__main__":
    for line in sys.stdin:
        main(line.strip())
        print(line.strip(), flush=True)
