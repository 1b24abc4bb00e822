"""A threshold for each label."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.audit.conformal.calibrated import Array, ByLabel, conformal_quantile
from learning.types import Floats


@dataclass(frozen=True, kw_only=True)
class ClassConditional(ByLabel):
    """The coverage holds for the items of each label by itself, rare ones together.
    Source: Vovk, Gammerman, Shafer 2005 (Mondrian); Ding et al. 2023 (rare labels pooled).

    fewest: labels with fewer calibration items share one threshold over the items of all such
        labels, so that the coverage holds for them together. With 0, none is shared, and a label
        with too few items is in every set.
    """

    fewest: int = 20

    def scores(self, probabilities: Floats, rng: np.random.Generator) -> Array:
        """(n, k) 1 - p."""
        return 1 - np.asarray(probabilities, dtype=np.float64)

    def thresholds(self, scores: Array, columns: NDArray[np.int64], coverage: float) -> Array:
        """(k,) each from the items that have the label."""
        own = scores[np.arange(len(columns)), columns]
        counts = np.bincount(columns, minlength=scores.shape[1])
        rare = counts < self.fewest
        together = conformal_quantile(own[rare[columns]], coverage)
        return np.array(
            [
                together if rare[column] else conformal_quantile(own[columns == column], coverage)
                for column in range(scores.shape[1])
            ]
        )
