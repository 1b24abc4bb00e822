"""Who a router would send to people first, told of seed items that it had not learned from."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from learning.audit.intervals import (
    CONFIDENCE,
    NOTHING,
    Estimate,
    effective_size,
    wilson_share,
)
from learning.routing.folds import dealt
from learning.routing.types import Router, Seed, Shares
from learning.types import Bools, Floats, Ints, Report, no_report, require

FOLDS = 5


@dataclass(frozen=True, kw_only=True)
class Order:
    """Seed items in the order in which people would get them.

    begins, ends: (s,) the share of the pool that goes before the item, and with it; wrong: (s,)
    bool, what the machine says of it is wrong; weights: (s,) items of the pool it stands for.
    sure: (s,) bool, the machine's word is sure enough to decide the item; None where each is.
    """

    begins: Shares
    ends: Shares
    wrong: Bools
    weights: Shares
    sure: Bools | None = None

    def left(self, shares: Floats) -> Shares:
        """(s, q) how much of each item is left to the machine when these shares (q,) go to people."""
        asked = np.asarray(shares, dtype=np.float64)[None, :]
        width = (self.ends - self.begins)[:, None]
        return np.clip((self.ends[:, None] - asked) / width, 0, 1)

    def errors(self, shares: Floats) -> Shares:
        """(q,) the share of all items that is left to the machine and wrong."""
        weighed = (self.weights * self.wrong) @ self.left(shares)
        return np.asarray(weighed / self.weights.sum(), dtype=np.float64)

    def estimates(
        self, shares: Floats, confidence: float = CONFIDENCE
    ) -> list[tuple[Estimate, Estimate]]:
        """At each share the quality of what is decided, and the share of all items that stay undecided.

        People are right. Of what is left to the machine its sure words decide, and so many are
        unsure, or wrong, as Wilson's interval says for that many draws.
        """
        left = self.left(shares).T
        return [
            self._told(float(h), part, confidence) for h, part in zip(shares, left, strict=True)
        ]

    def _told(self, people: float, left: Shares, confidence: float) -> tuple[Estimate, Estimate]:
        """Where this share is people's and so much (s,) of each item is left to the machine."""
        sure = np.ones(len(left), dtype=np.bool_) if self.sure is None else self.sure
        unsure = _share_of(~sure, self.weights * left, confidence)
        undecided = _of(1 - people, unsure)
        decided = 1 - (undecided.value or 0.0)
        if decided <= 0:
            return NOTHING, undecided
        wrong = _share_of(self.wrong, self.weights * left * sure, confidence)
        lost = _of(max(1 - people / decided, 0.0), wrong)
        value = 1 - (lost.value or 0.0)
        quality = Estimate(value=value, low=1 - lost.high, high=1 - lost.low, n=lost.n)
        return quality, undecided

    def area(self) -> float:
        """Mean quality over all shares from 0 to 1: the larger, the better the order."""
        middle = (self.begins + self.ends) / 2
        return float(1 - self.weights @ (self.wrong * middle) / self.weights.sum())

    def resampled_areas(self, weights: Shares) -> Shares:
        """(b,) areas with each item counted as often as `weights` (b, s) say, at its place."""
        counts = weights * self.weights
        middle = (self.begins + self.ends) / 2
        return np.asarray(1 - counts @ (self.wrong * middle) / counts.sum(axis=1))


def _share_of(hits: Bools, weights: Shares, confidence: float) -> Estimate:
    """The share of hits (s,) by weight (s,); none, and nothing known, without any weight."""
    n = int(np.count_nonzero(weights))
    if not n:
        return Estimate(value=0.0, low=0.0, high=1.0, n=0)
    value = float(weights[hits].sum() / weights.sum())
    low, high = wilson_share(value, effective_size(weights), confidence)
    return Estimate(value=value, low=low, high=high, n=n)


def _of(whole: float, share: Estimate) -> Estimate:
    """That share of a part of all items."""
    value = whole * (share.value or 0.0)
    return Estimate(value=value, low=whole * share.low, high=whole * share.high, n=share.n)


def order_of(
    benefit: Shares,
    wrong: Bools,
    weights: Shares,
    fold: Ints,
    rng: np.random.Generator,
    sure: Bools | None = None,
) -> Order:
    """Items by falling benefit within each fold, ties by chance: benefits of two fits do not compare.

    benefit, wrong, weights, fold, sure: (s,).
    """
    begins, ends = np.empty(len(benefit)), np.empty(len(benefit))
    for number in np.unique(fold):
        rows = rng.permutation(np.flatnonzero(fold == number))
        rows = rows[np.argsort(-benefit[rows], kind="stable")]
        total = np.cumsum(weights[rows])
        ends[rows] = total / total[-1]
        begins[rows] = (total - weights[rows]) / total[-1]
    return Order(begins=begins, ends=ends, wrong=wrong, weights=weights, sure=sure)


@dataclass(frozen=True, kw_only=True)
class Unseen:
    """What routers say of seed items that they have not learned from: (s,) the fold of each, what a
    person's answer is worth there, and P(the teacher is wrong)."""

    fold: Ints
    benefit: Shares
    wrong: Shares


def cross_fitted(
    router: Router,
    seed: Seed,
    rng: np.random.Generator,
    report: Report = no_report,
    folds: int = FOLDS,
) -> Order:
    """The order of the seed's items, each by a router that was fitted on the other folds.

    Raises what the router raises when those are too few.
    """
    told = unseen(router, seed, rng, report, folds)
    return order_of(told.benefit, seed.wrong, seed.weights, told.fold, rng)


def unseen_wrong(
    router: Router,
    seed: Seed,
    rng: np.random.Generator,
    report: Report = no_report,
    folds: int = FOLDS,
) -> Shares:
    """(s,) P(the teacher is wrong) of the seed's items, each by a router that has not seen it."""
    return unseen(router, seed, rng, report, folds).wrong


def unseen(
    router: Router,
    seed: Seed,
    rng: np.random.Generator,
    report: Report = no_report,
    folds: int = FOLDS,
) -> Unseen:
    """What routers of the other folds say of each item. Raises what the router raises when those are
    too few."""
    require(seed.rows >= 2 * folds, f"Cross-fitting needs {2 * folds} seed items.")
    fold = dealt(seed, folds, rng)
    benefit, wrong = np.empty(seed.rows), np.empty(seed.rows)
    for number in range(folds):
        beat = partial(_beat, report, number, folds)
        learn, ask = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        fitted, asked = router.fit(seed.subset(learn), rng, beat), seed.items.subset(ask)
        benefit[ask], wrong[ask] = fitted.benefit(asked), fitted.wrong(asked)
    report(folds, folds)
    return Unseen(fold=fold, benefit=benefit, wrong=wrong)


def _beat(report: Report, number: int, folds: int, _done: int, _total: int) -> None:
    report(number, folds)  # a cancel passes through while a router is being fitted
