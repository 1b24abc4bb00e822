"""Labels that are surely there, and labels that may be, as one box around the truth."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from learning.audit.conformal.calibrated import (
    TINY,
    Array,
    Calibrated,
    LabelSets,
    Sample,
    check_sample,
    conformal_quantile,
)
from learning.types import Bools, Floats


@dataclass(frozen=True, kw_only=True)
class InnerOuter:
    """A label set conforms while none of its labels is further from its probability than a threshold.
    Source: Cauchois, Gupta, Duchi 2021 (inner and outer sets); the largest gap as score is ours.

    So each label is decided by itself, and what conforms is exactly every set between the labels
    surely there and those that may be. The promise is for the whole label set.
    """

    multi_label: ClassVar[bool] = True

    def calibrate(self, sample: Sample, coverage: float, rng: np.random.Generator) -> Calibrated:
        """One threshold on the largest gap. Raises NotEnoughDataError without any item."""
        check_sample(sample, coverage)
        found = conformal_quantile(_gaps(sample), coverage)
        return Calibrated(coverage=coverage, n=len(sample), thresholds=np.array([found]))

    def sets(
        self, calibrated: Calibrated, probabilities: Floats, rng: np.random.Generator
    ) -> LabelSets:
        """Per label of (n, k): certainly there, certainly not, or undecided. O(k) an item."""
        p = np.asarray(probabilities, dtype=np.float64)
        most = calibrated.thresholds[0] + TINY
        there, absent = 1 - p <= most, p <= most
        fits = np.asarray((there | absent).all(axis=1), dtype=np.bool_)
        possible, certain = there & fits[:, None], there & ~absent & fits[:, None]
        return LabelSets(possible=possible, certain=certain, fits=fits)

    def holds(self, calibrated: Calibrated, sample: Sample, rng: np.random.Generator) -> Bools:
        """(n,) bool: the true label set, as a whole, is among those that conform."""
        return np.asarray(_gaps(sample) <= calibrated.thresholds[0] + TINY, dtype=np.bool_)


def _gaps(sample: Sample) -> Array:
    """(n,) the largest distance of a label's truth to its probability."""
    gap: Array = np.abs(sample.truth - np.asarray(sample.probabilities, dtype=np.float64))
    return np.asarray(gap.max(axis=1, initial=0.0))
