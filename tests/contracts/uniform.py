"""Items drawn uniformly, with the word of a student who is not sure enough."""

import numpy as np

from learning.audit.conformal import CONFORMAL
from learning.audit.conformal.calibrated import Sample


def drawn(name: str, n: int, seed: int, labels: int = 6) -> Sample:
    """Items whose truth is drawn from a sharper distribution than the student believes in."""
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.normal(size=(n, labels))
    if CONFORMAL[name].multi_label:
        p = 1 / (1 + np.exp(-logits))
        truth = rng.random((n, labels)) < 1 / (1 + np.exp(-2 * logits))
    else:
        p, sharp = (np.exp(f * logits) / np.exp(f * logits).sum(axis=1)[:, None] for f in (1, 2))
        chosen = (sharp.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
        truth = np.eye(labels, dtype=bool)[chosen]
    return Sample(probabilities=p.astype(np.float32), truth=truth)
