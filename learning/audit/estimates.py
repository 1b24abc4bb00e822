"""What an audit sample says of a student and of the pool. Letters: n drawn items, k label columns."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.audit.intervals import (
    CONFIDENCE,
    NOTHING,
    Estimate,
    ratio,
    share,
    weights_of,
    wilson_share,
)
from learning.types import Bools, Floats, Ints, require

# How many touching items of the average label are lent to each label when its spread is judged.
LENT = 2.0
# Pseudo hits and pseudo misses of that average: "plus four", Agresti, Coull 1998.
PSEUDO = 2.0


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Items that chance drew, what is true of them, and what a student says.

    truth, predicted: (n, k) bool; a single-label row has one True.
    draw_probabilities: (n,) in (0, 1], how likely each item was to be drawn; None means uniform.

    Items that selection chose must not be in it: chance had no part in them, and no weight mends
    that.
    """

    truth: Bools
    predicted: Bools
    draw_probabilities: Floats | None = None

    def __post_init__(self) -> None:
        for name, table in (("truth", self.truth), ("predicted", self.predicted)):
            require(
                table.ndim == 2 and table.dtype == np.bool_,
                f"{name} must be a boolean table, not {table.dtype} {table.shape}.",
            )
        require(self.truth.shape == self.predicted.shape, "Truth and prediction differ in shape.")
        require(
            self.draw_probabilities is None or self.draw_probabilities.shape == (len(self.truth),),
            "Each item needs one draw probability.",
        )

    @property
    def weights(self) -> NDArray[np.float64] | None:
        """(n,) or None for uniform draws."""
        return weights_of(self.draw_probabilities)


def accuracy(sample: Sample, confidence: float = CONFIDENCE) -> Estimate:
    """Share of the pool that the student labels exactly right."""
    right = (sample.truth == sample.predicted).all(axis=1)
    return share(right, sample.weights, confidence=confidence)


def recalls(sample: Sample, confidence: float = CONFIDENCE) -> list[Estimate]:
    """Per label, the share of its items that the student finds."""
    return _within(sample.truth, sample.predicted, sample.weights, confidence)


def precisions(sample: Sample, confidence: float = CONFIDENCE) -> list[Estimate]:
    """Per label, the share of the items said to have it that do."""
    return _within(sample.predicted, sample.truth, sample.weights, confidence)


def f1s(sample: Sample, confidence: float = CONFIDENCE) -> list[Estimate]:
    """Per label, F1; n counts the items that have the label or are said to.

    F1 is 2J / (1 + J) with J the share of hits among those, so J's exact interval is carried over.
    """
    touching = sample.truth | sample.predicted
    shares = _within(touching, sample.truth & sample.predicted, sample.weights, confidence)
    return [
        each
        if each.value is None
        else Estimate(
            value=2 * each.value / (1 + each.value),
            low=2 * each.low / (1 + each.low),
            high=2 * each.high / (1 + each.high),
            n=each.n,
        )
        for each in shares
    ]


def class_shares(
    truth: Bools, draw_probabilities: Floats | None = None, confidence: float = CONFIDENCE
) -> list[Estimate]:
    """Per label, the share of the pool's items that have it; truth: (n, k) bool."""
    weights = weights_of(draw_probabilities)
    return [
        share(truth[:, column], weights, exact=True, confidence=confidence)
        for column in range(truth.shape[1])
    ]


def _within(
    given: Bools, wanted: Bools, weights: NDArray[np.float64] | None, confidence: float
) -> list[Estimate]:
    """Per label, the share of `wanted` among the items that have `given`."""
    found = []
    for column in range(given.shape[1]):
        rows = np.flatnonzero(given[:, column])
        inside = None if weights is None else weights[rows]
        found.append(share(wanted[rows, column], inside, exact=True, confidence=confidence))
    return found


@dataclass(frozen=True, kw_only=True)
class OfParts:
    """What drawn items tell of one label, where it is given to parts of them."""

    recall: Estimate
    precision: Estimate
    f1: Estimate


def of_parts(counts: Ints, confidence: float = CONFIDENCE) -> list[OfParts]:
    """Per label, from (n, k, 3) parts of uniformly drawn items that are in both, said, true."""
    both, said, true = (counts[..., place].astype(np.float64) for place in range(3))
    return [
        OfParts(
            recall=ratio(right, whole, confidence),
            precision=ratio(right, given, confidence),
            f1=ratio(2 * right, given + whole, confidence),
        )
        for right, given, whole in zip(both.T, said.T, true.T, strict=True)
    ]


@dataclass(frozen=True, kw_only=True)
class MacroF1:
    """The mean F1 over the labels. `unseen` of `labels` were in no drawn item and in no prediction
    on one: nothing is known of them, so they count as 0 at the low end and as 1 at the high one."""

    estimate: Estimate
    labels: int
    unseen: int


def macro_f1(
    sample: Sample, active: Bools | None = None, confidence: float = CONFIDENCE
) -> MacroF1:
    """The mean F1 over the active labels (k,) bool, None for all.

    An item *touches* a label that it has or is said to have, and *hits* it when both. F1 is
    2J / (1 + J) with J the share of hits among the touching items, so it is concave in a binomial
    share: the plug-in value is too low where a label has few items (by 0.04 with 77 labels on 240
    items), and is mended to second order. A single-label error touches two labels, whose figures
    then vary together: the variance is multiplied by how much that adds in the linearised
    estimator. Wilson's interval of a share with that variance; for J near 0 and 1 the spread is
    judged with `LENT` items of the average label. [ours] Covered 93 to 100 % in simulations of 2
    to 77 labels and 50 to 400 items, where a percentile bootstrap fell to 28 %.
    """
    k = sample.truth.shape[1]
    chosen = np.ones(k, dtype=np.bool_) if active is None else active
    truth, predicted = sample.truth[:, chosen], sample.predicted[:, chosen]
    n, labels = truth.shape
    raw = sample.weights
    weights = np.ones(n) if raw is None else np.asarray(raw, dtype=np.float64)
    touching, hitting = truth | predicted, truth & predicted
    size = _sizes(weights, touching)
    seen = size > 0
    unseen = labels - int(seen.sum())
    if not seen.any():
        return MacroF1(estimate=NOTHING, labels=labels, unseen=unseen)
    touching, hitting, size = touching[:, seen], hitting[:, seen], size[seen]
    hits = size * (weights @ hitting) / (weights @ touching)  # effective numbers of items
    value = _mended(hits, size)
    spread = _spread(hits, size) * _shared(truth[:, seen], predicted[:, seen], weights)
    middle = _f1(_lent(hits, size, PSEUDO)).mean()
    low, high = wilson_share(value, middle * (1 - middle) / spread, confidence)
    rate = unseen / labels
    found = Estimate(
        value=value, low=low * (1 - rate), high=high * (1 - rate) + rate, n=len(sample.truth)
    )
    return MacroF1(estimate=found, labels=labels, unseen=unseen)


def _sizes(weights: NDArray[np.float64], touching: Bools) -> NDArray[np.float64]:
    """(k,) effective number of the items that touch each label (Kish)."""
    total = weights @ touching
    squares = np.square(weights) @ touching
    return np.asarray(np.square(total) / np.where(squares > 0, squares, 1), dtype=np.float64)


def _f1(jaccard: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(2 * jaccard / (1 + jaccard), dtype=np.float64)


def _lent(
    hits: NDArray[np.float64], size: NDArray[np.float64], pseudo: float
) -> NDArray[np.float64]:
    """(k,) each label's share of hits, drawn a little towards that of all labels."""
    pooled = (hits.sum() + pseudo) / (size.sum() + 2 * pseudo)
    return np.asarray((hits + LENT * pooled) / (size + LENT), dtype=np.float64)


def _mended(hits: NDArray[np.float64], size: NDArray[np.float64]) -> float:
    """The mean F1 without the downward bias that few items give a concave function."""
    j = _lent(hits, size, 0.5)
    bias = 2 * j * (1 - j) / (size * (1 + j) ** 3)
    return float(np.clip((_f1(hits / size) + bias).mean(), 0, 1))


def _spread(hits: NDArray[np.float64], size: NDArray[np.float64]) -> float:
    """The variance of the mean F1, were the labels' figures independent."""
    j = _lent(hits, size, PSEUDO)
    slope = 2 / (1 + j) ** 2
    return float(np.sum(slope**2 * j * (1 - j) / size)) / len(size) ** 2


def _shared(truth: Bools, predicted: Bools, weights: NDArray[np.float64]) -> float:
    """1 … k: the variance of the mean against that of independent labels, linearised."""
    both = truth.astype(np.float64) + predicted
    total = weights @ both
    f1 = 2 * (weights @ (truth & predicted)) / total
    terms = weights[:, None] * (2.0 * (truth & predicted) - f1 * both) / total  # (n, k)
    apart = float(np.square(terms).sum())
    together = float(np.square(terms.sum(axis=1)).sum())
    if apart <= 0 or not math.isfinite(together / apart):
        return 2.0  # no error was drawn: a single one would touch two labels
    return max(together / apart, 1.0)
