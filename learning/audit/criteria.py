"""When other people's rules say to stop: beside our advice, never instead of it.

All are read off what successive versions say of the same items that chance drew. Letters in shapes:
v versions, m items.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.audit.intervals import CONFIDENCE, Estimate, share, wilson_share
from learning.types import Floats, Ints, require

KAPPA, KAPPA_WINDOW = 0.99, 3
UNCHANGED = 1.0
UNCERTAINTY = 0.05
# How many items said to have a label Label Sleuth has a person look at.
PRECISION_ITEMS = 20


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """A rule's figure with its interval, the figure at which it stops, and whether it does now.

    value is None, and stops False, while there are too few versions for it.
    """

    name: str
    estimate: Estimate
    threshold: float
    stops: bool


def kappa_average(said: Ints, threshold: float = KAPPA, window: int = KAPPA_WINDOW) -> Criterion:
    """Stop when Cohen's kappa of successive versions was high on average of the last `window` pairs.

    said: (v, m) label columns, oldest version first; for several labels an item, (v, m · k) of 0
    and 1. Source: Bloodgood, Vijay-Shanker 2009 (there 0.99 over 3). small-text's KappaAverage
    asks instead that kappa has stopped changing, at whatever height.
    """
    name = "kappa-average"
    if len(said) <= window or said.shape[1] == 0:
        return _unknown(name, threshold)
    pairs = [
        _agreement(said[at], said[at + 1]) for at in range(len(said) - window - 1, len(said) - 1)
    ]
    n = said.shape[1]
    value = float(np.mean([_kappa(*pair) for pair in pairs]))
    seen, chance = (float(np.mean(part)) for part in zip(*pairs, strict=True))
    low, high = (_kappa(end, chance) for end in wilson_share(seen, n, CONFIDENCE))
    found = Estimate(value=value, low=min(low, value), high=max(high, value), n=n)
    return Criterion(name=name, estimate=found, threshold=threshold, stops=value >= threshold)


def classification_change(said: Ints, threshold: float = UNCHANGED) -> Criterion:
    """Stop when the newest version says of (nearly) every item what the one before it said.

    said as for kappa_average. Source: Zhu, Wang, Hovy 2008; small-text has the same rule.
    """
    name = "classification-change"
    if len(said) < 2 or said.shape[1] == 0:
        return _unknown(name, threshold)
    found = share(said[-1] == said[-2])
    stops = found.value is not None and found.value >= threshold
    return Criterion(name=name, estimate=found, threshold=threshold, stops=stops)


def overall_uncertainty(doubt: Floats, threshold: float = UNCERTAINTY) -> Criterion:
    """Stop when the mean normalised entropy of the newest version falls below the threshold.

    doubt: (m,) 0 … 1 per item. The interval is that of a mean of numbers between 0 and 1.
    Source: Zhu, Wang, Hovy 2008; small-text has the same rule.
    """
    name, n = "overall-uncertainty", len(doubt)
    if n == 0:
        return _unknown(name, threshold)
    mean = float(np.mean(doubt))
    variance = float(np.var(doubt)) or 1 / n
    low, high = wilson_share(mean, min(n * mean * (1 - mean) / variance, 100 * n))
    found = Estimate(value=mean, low=low, high=high, n=n)
    return Criterion(name=name, estimate=found, threshold=threshold, stops=mean < threshold)


def label_sleuth(precisions: Sequence[Estimate], threshold: float = 0.8) -> Criterion:
    """The precision of the worst label of those that can be told, as Label Sleuth shows it.

    precisions: per label, on items that chance drew. Label Sleuth has a person check
    PRECISION_ITEMS random items that the model gave a label, and leaves it to them whether that is
    good enough; here a label can be told once as many were drawn, and 0.8 stands for the person.
    Source: Shnarch et al. 2022, and its setting `precision_evaluation_size`.
    """
    told = [each for each in precisions if each.n >= PRECISION_ITEMS and each.value is not None]
    if not told:
        return _unknown("label-sleuth", threshold)
    worst = min(told, key=lambda each: (each.value or 0.0, each.low))
    stops = len(told) == len(precisions) and (worst.value or 0.0) >= threshold
    return Criterion(name="label-sleuth", estimate=worst, threshold=threshold, stops=stops)


def _agreement(one: Ints, other: Ints) -> tuple[float, float]:
    """(share of equal entries, share expected by chance)."""
    require(one.shape == other.shape, "Two versions must speak of the same items.")
    k = int(max(one.max(), other.max())) + 1
    first, second = (np.bincount(each, minlength=k) / len(each) for each in (one, other))
    return float(np.mean(one == other)), float(first @ second)


def _kappa(seen: float, chance: float) -> float:
    """1 for two versions that always say one and the same label."""
    return 1.0 if chance >= 1 else (seen - chance) / (1 - chance)


def _unknown(name: str, threshold: float) -> Criterion:
    nothing = Estimate(value=None, low=0.0, high=1.0, n=0)
    return Criterion(name=name, estimate=nothing, threshold=threshold, stops=False)


def columns_of(predicted: NDArray[np.bool_], *, multi_label: bool) -> NDArray[np.int64]:
    """(v, m, k) bool -> what the rules compare: (v, m) columns, or (v, m · k) of 0 and 1."""
    if multi_label:
        return predicted.reshape(len(predicted), -1).astype(np.int64)
    return np.asarray(predicted.argmax(axis=2), dtype=np.int64)
