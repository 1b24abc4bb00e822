"""Least ambiguous set-valued classifiers."""

from dataclasses import dataclass

import numpy as np

from learning.audit.conformal.calibrated import Array, ByLabel
from learning.types import Floats


@dataclass(frozen=True, kw_only=True)
class LeastAmbiguous(ByLabel):
    """Every label at least as probable as a threshold is in the set.
    Source: Sadinle, Lei, Wasserman 2019.

    The shortest sets on average. A set is empty where no label reaches the threshold.
    """

    def scores(self, probabilities: Floats, rng: np.random.Generator) -> Array:
        """(n, k) 1 - p; chance has no part."""
        return 1 - np.asarray(probabilities, dtype=np.float64)
