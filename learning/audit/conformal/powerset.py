"""Whole label sets with a guarantee, without visiting 2^k of them."""

import heapq
import math
from collections.abc import Iterator
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
from learning.types import Bools, Floats, require


@dataclass(frozen=True, kw_only=True)
class LabelPowerset:
    """A label set conforms while its squared distance to the probabilities is within a threshold.
    Source: Papadopoulos 2014; Maltoudoglou et al. 2022 (pruning); the exact summary is ours.

    From the nearest set, the rounded probabilities, changing label j adds exactly |1 - 2 p_j| to
    the distance, and changes add up. So a label whose own change does not fit into what is left
    below the threshold is certain, and all that fit are found in order without trying the others.
    """

    multi_label: ClassVar[bool] = True

    def calibrate(self, sample: Sample, coverage: float, rng: np.random.Generator) -> Calibrated:
        """One threshold on the squared distance. Raises NotEnoughDataError without any item."""
        check_sample(sample, coverage)
        found = conformal_quantile(_distances(sample), coverage)
        return Calibrated(coverage=coverage, n=len(sample), thresholds=np.array([found]))

    def sets(
        self, calibrated: Calibrated, probabilities: Floats, rng: np.random.Generator
    ) -> LabelSets:
        """Per label of (n, k): certainly there, certainly not, or undecided. O(k) an item."""
        p = np.asarray(probabilities, dtype=np.float64)
        room = _room(calibrated, p)
        fits = room >= 0
        undecided = (np.abs(1 - 2 * p) <= room[:, None]) & fits[:, None]
        certain = (p >= 0.5) & ~undecided & fits[:, None]
        return LabelSets(possible=certain | undecided, certain=certain, fits=fits)

    def holds(self, calibrated: Calibrated, sample: Sample, rng: np.random.Generator) -> Bools:
        """(n,) bool: the true label set, as a whole, is among those that conform."""
        return np.asarray(_distances(sample) <= calibrated.thresholds[0] + TINY, dtype=np.bool_)

    def conforming(
        self, calibrated: Calibrated, probabilities: Floats, most: int
    ) -> Iterator[Bools]:
        """The (k,) label sets of one item's (k,) probabilities that conform, nearest first.

        At most so many: there may be 2^k of them. Each costs O(log) of those before it.
        """
        require(probabilities.ndim == 1, "One item's probabilities are one flat array.")
        p = np.asarray(probabilities, dtype=np.float64)
        room = float(_room(calibrated, p[None])[0])
        if room < 0:
            return
        base, costs = p >= 0.5, np.abs(1 - 2 * p)
        order = np.argsort(costs, kind="stable")
        for changed in _by_cost(costs[order], room, most):
            found = base.copy()
            found[order[list(changed)]] ^= True
            yield found


def _distances(sample: Sample) -> Array:
    """(n,) squared distance of each true label set to the probabilities."""
    gap: Array = sample.truth - np.asarray(sample.probabilities, dtype=np.float64)
    return np.asarray(np.square(gap).sum(axis=1))


def _room(calibrated: Calibrated, p: Array) -> Array:
    """(n,) how much the distance of the nearest label set may still grow; below 0 none conforms."""
    nearest = np.square(np.minimum(p, 1 - p)).sum(axis=1)
    return np.asarray(calibrated.thresholds[0] - nearest + TINY)


def _by_cost(costs: Array, room: float, most: int) -> Iterator[tuple[int, ...]]:
    """Index sets into the rising `costs` whose sum is within `room`, cheapest first.

    Each set is reached once: from the one in which its last index was left out or one less.
    """
    waiting: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    while waiting and most > 0:
        cost, chosen = heapq.heappop(waiting)
        yield chosen
        most -= 1
        last = chosen[-1] if chosen else -1
        if last + 1 == len(costs):
            continue
        further = [(cost + costs[last + 1], (*chosen, last + 1))]
        if chosen:
            moved = cost - costs[last] + costs[last + 1]
            further.append((moved, (*chosen[:-1], last + 1)))
        for each in further:
            if each[0] <= room or math.isinf(room):
                heapq.heappush(waiting, each)
