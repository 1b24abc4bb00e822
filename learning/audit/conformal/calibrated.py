"""What all conformal methods share: the sample, the quantile, the sets, and what may be promised.

Letters in shapes: n items, k label columns.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from learning.errors import NotEnoughDataError
from learning.metrics import clopper_pearson
from learning.types import Bools, Floats, require

Array = NDArray[np.float64]

# A promise is made once the coverage surely lies no further than this below it.
SLACK = 0.1
# Keeps sums of floats from passing a whole number that they should have met.
TINY = 1e-9


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Items drawn uniformly, which the student never learned from.

    probabilities: (n, k) the student's, 0 … 1; truth: (n, k) bool, one per row for single label.
    """

    probabilities: Floats
    truth: Bools

    def __post_init__(self) -> None:
        require(
            self.probabilities.ndim == 2 and self.probabilities.shape == self.truth.shape,
            "Each item needs its probabilities and its truth, by the same columns.",
        )
        require(
            bool(np.isfinite(self.probabilities).all()),
            "Probabilities must be numbers from 0 to 1.",
        )

    def __len__(self) -> int:
        return len(self.truth)


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """The outcome of a calibration.

    coverage: the share of items whose truth shall be in its set, above 0 and below 1.
    n: calibration items behind it.
    thresholds: (k,) or (1,), nonconformity up to which a label is in; inf lets all in.
    """

    coverage: float
    n: int
    thresholds: Array

    def to_json(self) -> dict[str, Any]:
        """As a JSON-able dict; an endless threshold is null."""
        kept = [float(each) if math.isfinite(each) else None for each in self.thresholds]
        return {"coverage": self.coverage, "n": self.n, "thresholds": kept}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Calibrated":
        """What `to_json` gave."""
        read = [math.inf if each is None else float(each) for each in stored["thresholds"]]
        return cls(coverage=stored["coverage"], n=stored["n"], thresholds=np.array(read))


@dataclass(frozen=True, kw_only=True)
class LabelSets:
    """Which labels hold of each item.

    possible: (n, k) bool, in the set; certain: (n, k) bool, in it and not in doubt (several labels
    only); fits: (n,) bool, False where no answer at all conforms: the item is unlike the rest.
    """

    possible: Bools
    certain: Bools
    fits: Bools

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(n,) labels that are left to decide between: in the set, and not certain."""
        return np.asarray((self.possible & ~self.certain).sum(axis=1), dtype=np.int64)


class ByLabel(ABC):
    """A single-label method: a score for each label, and the labels whose score is low enough."""

    multi_label: ClassVar[bool] = False

    @abstractmethod
    def scores(self, probabilities: Floats, rng: np.random.Generator) -> Array:
        """(n, k) nonconformity of each label, low where it fits."""

    def thresholds(self, scores: Array, columns: NDArray[np.int64], coverage: float) -> Array:
        """(k,) from the (n, k) scores of the calibration items and their (n,) true columns."""
        own = scores[np.arange(len(columns)), columns]
        return np.full(scores.shape[1], conformal_quantile(own, coverage))

    def calibrate(self, sample: Sample, coverage: float, rng: np.random.Generator) -> Calibrated:
        """The thresholds for a coverage. Raises NotEnoughDataError without any item."""
        check_sample(sample, coverage)
        require(bool((sample.truth.sum(axis=1) == 1).all()), "Each item has exactly one label.")
        columns = sample.truth.argmax(axis=1)
        found = self.thresholds(self.scores(sample.probabilities, rng), columns, coverage)
        return Calibrated(coverage=coverage, n=len(sample), thresholds=found)

    def sets(
        self, calibrated: Calibrated, probabilities: Floats, rng: np.random.Generator
    ) -> LabelSets:
        """The labels of each item (n, k) whose score stays within the threshold."""
        possible = self.scores(probabilities, rng) <= calibrated.thresholds
        fits = np.asarray(possible.any(axis=1), dtype=np.bool_)
        return LabelSets(possible=possible, certain=np.zeros_like(possible), fits=fits)

    def holds(self, calibrated: Calibrated, sample: Sample, rng: np.random.Generator) -> Bools:
        """(n,) bool: the truth is in its set."""
        possible = self.sets(calibrated, sample.probabilities, rng).possible
        return np.asarray((possible & sample.truth).any(axis=1), dtype=np.bool_)


def check_sample(sample: Sample, coverage: float) -> None:
    require(0 < coverage < 1, f"A coverage lies between 0 and 1, not at {coverage}.")
    if not len(sample):
        raise NotEnoughDataError("Sets are calibrated on answered items, and there is none.")


def rank_of(n: int, coverage: float) -> int:
    """Which of n sorted calibration scores is the threshold, from 1; n + 1 when none is enough."""
    return math.ceil((n + 1) * coverage - TINY)


def conformal_quantile(scores: Floats, coverage: float) -> float:
    """The finite-sample quantile: of n scores the ceil((n + 1) · coverage)th smallest, or inf.

    Source: Vovk, Gammerman, Shafer 2005; Lei et al. 2018.
    """
    rank = rank_of(len(scores), coverage)
    if rank > len(scores):
        return math.inf
    return float(np.partition(np.asarray(scores, dtype=np.float64), rank - 1)[rank - 1])


def coverage_band(n: int, coverage: float, confidence: float = 0.95) -> tuple[float, float]:
    """Where the coverage over all items lies, given the luck of n calibration items.

    Exact: it is Beta(r, n + 1 - r) distributed for the rank r. Source: Vovk 2012. The ends of that
    distribution are ends of Clopper-Pearson intervals.
    """
    rank = rank_of(n, coverage)
    if rank > n:
        return 1.0, 1.0  # every label is in every set
    return clopper_pearson(rank, n, confidence)[0], clopper_pearson(rank - 1, n, confidence)[1]


@lru_cache(maxsize=200)
def items_needed(coverage: float, slack: float = SLACK) -> int:
    """How many calibration items a promise takes.

    At the least so many that a threshold exists, and that from there on the lower end of the band
    (95 %) is no further than `slack` below the coverage. With every item it rises and falls a
    little, in rounds of 1 / (1 - coverage) items.
    """
    first = max(math.ceil(coverage / (1 - coverage) - TINY), 1)
    n, good = first, 0
    while good <= first + 1:
        good = good + 1 if coverage_band(n, coverage)[0] >= coverage - slack else 0
        n += 1
    return n - good
