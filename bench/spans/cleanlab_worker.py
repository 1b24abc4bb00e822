"""cleanlab's quality scores of texts with tagged tokens.

`python cleanlab_worker.py FILE.npz` runs in .venv-bench and needs nothing of ours. The file holds counts (n,) of the tokens of each
text, and of all tokens one after another their tags (N,) and probabilities (N, k). Scores (n,) by name, low ones suspicious,
go to FILE.npz.scores.npz; a text without tokens has 1.
"""

import sys

import numpy as np
from cleanlab.token_classification.rank import get_label_quality_scores

TOKENS = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
TEXTS = ("min", "softmin")


def main(path: str) -> None:
    with np.load(path, allow_pickle=False) as given:
        counts, tags, probabilities = (given[name] for name in ("counts", "tags", "probabilities"))
    cuts = np.cumsum(counts)[:-1]
    there = np.flatnonzero(counts)
    tags, probabilities = np.split(tags, cuts), np.split(probabilities, cuts)
    found = {}
    for token in TOKENS:
        for text in TEXTS:
            scores = np.ones(len(counts))
            scores[there], _ = get_label_quality_scores(
                [tags[at].tolist() for at in there],
                [probabilities[at] for at in there],
                token_score_method=token,
                sentence_score_method=text,
            )
            found[f"{token}, {text}"] = scores
    np.savez(f"{path}.scores.npz", **found)


if __name__ == "__main__":
    main(sys.argv[1])
