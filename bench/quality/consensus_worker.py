"""crowd-kit's and cleanlab's consensus on given votes. Runs in .venv-bench, imports nothing of ours.

argv: folder with votes.npy (v, 3) of item, annotator, label, truth.npy (n,), and p.npy (n, k) of a
student learnt from majority labels, where CROWDLAB is to run. Prints one JSON object: method -> accuracy.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from crowdkit.aggregation import DawidSkene, OneCoinDawidSkene


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
        found["CROWDLAB"] = crowdlab(votes, truth, np.load(folder / "p.npy"))
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
