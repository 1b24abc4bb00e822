"""Class shares of a part of the pool whose classes are otherwise mixed: label shift.

Letters in shapes: m audit items, n items of the domain, k label columns.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.audit.intervals import (
    CONFIDENCE,
    Estimate,
    normal_quantile,
    share,
    student_quantile,
    wilson_share,
)
from learning.types import Bools, Floats, require

Array = NDArray[np.float64]

DRAWS = 60
# Rows of a domain that are looked at; more would only cost time.
MOST_ROWS = 600
ROUNDS = 25
# How far a label's bias of the student is believed to lie from none, in log odds.
BIAS_SPREAD = 1.0
STEPS = 8
UNSEEN = 0.7
TINY = 1e-6


@dataclass(frozen=True, kw_only=True)
class Audited:
    """Audit items that the student never learned from.

    probabilities: (m, k) the student's; truth: (m, k) bool.
    """

    probabilities: Floats
    truth: Bools
    multi_label: bool = False

    def __post_init__(self) -> None:
        require(
            self.probabilities.ndim == 2 and self.probabilities.shape == self.truth.shape,
            "Each audit item needs its probabilities and its truth, by the same columns.",
        )


@dataclass(frozen=True, kw_only=True)
class DomainShares:
    """Shares of the labels in one domain, by column.

    shifted: from the student's word on all items, corrected by the audit; direct: from the audit
    items of the domain alone; counted: the share of items that the student says have the label,
    which is what one would get without a correction. disagree: the first two contradict each
    other, so that more than the mixture of classes is different here.
    """

    shifted: list[Estimate]
    direct: list[Estimate]
    counted: list[float]
    rows: int
    disagree: bool


def domain_shares(
    audited: Audited,
    domain: Floats,
    inside: Bools,
    rng: np.random.Generator,
    draws: int = DRAWS,
    confidence: float = CONFIDENCE,
    size: int | None = None,
) -> DomainShares:
    """Class shares of a domain, from the student's probabilities on its items (n, k).

    inside: (m,) bool, the audit items that belong to the domain.
    size: how many items the domain has, when `domain` is a uniform sample of them; n without it.

    The student's log probabilities are calibrated on the audit items by one temperature and a bias
    per label; expectation maximisation then finds the class shares under which the domain's items
    are most likely, given that a class looks the same everywhere. The interval comes from
    Bayesian bootstraps of the audit items and of the domain's, and from chance within its items.
    Source: Saerens, Latinne, Decaestecker 2002; calibration, Alexandari, Kundaje, Shrikumar 2020.
    """
    require(domain.shape[1] == audited.truth.shape[1], "Domain and audit differ in labels.")
    require(inside.shape == (len(audited.truth),), "inside tells of each audit item.")
    whole = len(domain) if size is None else size
    require(whole >= len(domain), "A sample is not larger than its domain.")
    rows = np.arange(len(domain))
    if len(rows) > MOST_ROWS:
        rows = np.sort(rng.choice(rows, MOST_ROWS, replace=False))
    looked = np.asarray(domain[rows], dtype=np.float64)
    solve = _multi if audited.multi_label else _single
    middle = solve(audited, looked, whole, None)
    drawn = np.stack([solve(audited, looked, whole, rng) for _ in range(draws)])
    # By the middle four fifths: a bootstrap that all but leaves a label out tells nothing of it.
    spread = np.subtract(*np.quantile(drawn, [0.9, 0.1], axis=0)) / 2.563
    shifted = [
        _estimate(
            float(value),
            float(sd) * _reach(int(audited.truth[:, column].sum()), confidence),
            len(audited.truth),
            confidence,
        )
        for column, (value, sd) in enumerate(zip(middle, spread, strict=True))
    ]
    k = len(middle)
    strict = 1 - (1 - confidence) / k  # any of k labels may contradict by chance
    direct = [share(audited.truth[inside, column], exact=True) for column in range(k)]
    tested = [
        share(audited.truth[inside, column], exact=True, confidence=strict) for column in range(k)
    ]
    apart = [t.low > s.high or t.high < s.low for t, s in zip(tested, shifted, strict=True)]
    return DomainShares(
        shifted=shifted,
        direct=direct,
        counted=_counted(np.asarray(domain), multi_label=audited.multi_label),
        rows=whole,
        disagree=any(apart),
    )


def _reach(items: int, confidence: float) -> float:
    """1 or more: how much further an interval reaches that rests on so few items of a label."""
    wide = student_quantile(confidence, max(min(items, DRAWS) - 1, 3))
    return wide / normal_quantile(confidence)


def _estimate(value: float, sd: float, n: int, confidence: float) -> Estimate:
    """Wilson's interval of a share with that standard deviation, which stays within 0 … 1.

    What no audit item shows may still happen to one in n: that much is always added.
    """
    spread = min(math.hypot(sd, UNSEEN / n), 0.5)
    near = min(max(value, spread), 1 - spread)
    low, high = wilson_share(value, near * (1 - near) / spread**2, confidence)
    return Estimate(value=value, low=low, high=high, n=n)


def _counted(domain: Floats, *, multi_label: bool) -> list[float]:
    if multi_label:
        return [float(each) for each in (domain >= 0.5).mean(axis=0)]
    counts = np.bincount(domain.argmax(axis=1), minlength=domain.shape[1])
    return [float(each) for each in counts / max(len(domain), 1)]


def _weights(size: int, rng: np.random.Generator | None) -> Array:
    """(size,) of mean 1: a Bayesian bootstrap, or all equal without a generator."""
    if rng is None:
        return np.ones(size)
    drawn = rng.exponential(size=size)
    return np.asarray(drawn / drawn.mean(), dtype=np.float64)


def _audit_weights(truth: Bools, rng: np.random.Generator | None) -> Array:
    """(m,) likewise, but wilder for items of labels with few audit items.

    A bootstrap understates the variance of a mean of c items by (c - 1) / (c + 1); gamma weights of
    shape (c - 2) / c make up for it.
    """
    if rng is None:
        return np.ones(len(truth))
    alike = truth @ truth.sum(axis=0) / np.maximum(truth.sum(axis=1), 1)
    alike = np.where(truth.any(axis=1), alike, len(truth))
    shape = np.maximum((alike - 2) / np.maximum(alike, 1), 0.5)
    drawn = rng.gamma(shape) / shape
    return np.asarray(drawn / max(drawn.mean(), TINY), dtype=np.float64)


def _single(audited: Audited, domain: Array, size: int, rng: np.random.Generator | None) -> Array:
    """(k,) shares, with the luck of one bootstrap."""
    audit_weights = _audit_weights(audited.truth, rng)
    weights = _weights(len(domain), rng if len(domain) < size else None)
    return _solved(
        np.maximum(np.asarray(audited.probabilities, dtype=np.float64), TINY),
        audited.truth,
        np.maximum(domain, TINY),
        (audit_weights, weights),
        size,
        rng,
    )


def _multi(audited: Audited, domain: Array, size: int, rng: np.random.Generator | None) -> Array:
    """(k,) shares, each label by itself against its absence."""
    audit_weights = _audit_weights(audited.truth, rng)
    weights = _weights(len(domain), rng if len(domain) < size else None)
    found = np.empty(domain.shape[1])
    for column in range(len(found)):
        truth = np.stack([~audited.truth[:, column], audited.truth[:, column]], axis=1)
        pair = _pair(np.asarray(audited.probabilities[:, column], dtype=np.float64))
        both = (audit_weights, weights)
        found[column] = _solved(pair, truth, _pair(domain[:, column]), both, size, rng)[1]
    return found


def _solved(
    audit: Array,
    truth: Bools,
    domain: Array,
    weights: tuple[Array, Array],
    size: int,
    rng: np.random.Generator | None,
) -> Array:
    """(k,) shares by expectation maximisation, then without what the audit shows of its bias.

    The audit items, weighted by label so that they are mixed as the domain is believed to be, tell
    how far the posterior's mean lies from the truth there; that much is taken off. [ours]: it
    makes the estimate right under label shift though the calibration is only nearly right.
    """
    scale, bias = _calibration(np.log(audit), truth, weights[0])
    known = _softmax(scale * np.log(audit) + bias)
    source = weights[0] @ known / weights[0].sum()
    likely = _softmax(scale * np.log(domain) + bias)
    shares, posterior = source, likely
    for _ in range(ROUNDS):
        posterior = _towards(likely, shares / np.maximum(source, TINY))
        shares = weights[1] @ posterior / weights[1].sum()
    had = weights[0] @ truth / weights[0].sum()
    by_label = np.divide(shares, had, out=np.zeros_like(shares), where=had > 0)
    like_domain = weights[0] * (truth @ by_label)
    expected = _towards(known, shares / np.maximum(source, TINY))
    gap = like_domain @ (truth - expected) / max(like_domain.sum(), TINY)
    mended = np.clip(shares + gap, 0, 1)
    return _lucky(mended, posterior, size, rng)


def _towards(probabilities: Array, ratio: Array) -> Array:
    """Posteriors after the labels' shares changed by `ratio`."""
    changed = probabilities * ratio
    return np.asarray(changed / np.maximum(changed.sum(axis=1, keepdims=True), 1e-300))


def _pair(present: Array) -> Array:
    clipped = np.clip(present, TINY, 1 - TINY)
    return np.stack([1 - clipped, clipped], axis=1)


def _lucky(shares: Array, posterior: Array, size: int, rng: np.random.Generator | None) -> Array:
    """Chance within the domain: its items have labels, not probabilities of labels."""
    if rng is None:
        return shares
    spread = np.sqrt((posterior * (1 - posterior)).mean(axis=0) / max(size, 1))
    return np.asarray(np.clip(shares + spread * rng.normal(size=len(shares)), 0, 1))


def _calibration(logits: Array, truth: Bools, weights: Array) -> tuple[float, Array]:
    """(scale, (k,) bias) that make softmax(scale · logits + bias) most likely to be the truth.

    A ridge holds the biases near 0 and the scale near 1; diagonal Newton steps.
    """
    wanted = truth.astype(np.float64)
    scale, bias = 1.0, np.zeros(logits.shape[1])
    for _ in range(STEPS):
        p = _softmax(scale * logits + bias)
        gap = weights[:, None] * (p - wanted)
        curve = weights @ (p * (1 - p)) + 1 / BIAS_SPREAD**2
        bias -= (gap.sum(axis=0) + bias / BIAS_SPREAD**2) / curve
        p = _softmax(scale * logits + bias)
        mean = (p * logits).sum(axis=1)
        slope = float((weights[:, None] * (p - wanted) * logits).sum()) + (scale - 1)
        bend = float(weights @ ((p * logits**2).sum(axis=1) - mean**2)) + 1.0
        scale = float(np.clip(scale - slope / bend, 0.1, 10.0))
    return scale, bias - bias.mean()


def _softmax(logits: Array) -> Array:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float64)
