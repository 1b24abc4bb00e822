"""Who a router would send to people first, told of seed items that it had not learned from."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from learning.audit.intervals import CONFIDENCE, Estimate, effective_size, wilson_share
from learning.routing.folds import dealt
from learning.routing.types import Candidates, FittedRouter, Router, Seed, Shares
from learning.types import Bools, Floats, Ints, Report, no_report, require

FOLDS = 5

Benefit = Callable[[Candidates], Shares]


@dataclass(frozen=True, kw_only=True)
class Order:
    """Seed items in the order in which people would get them.

    begins, ends: (s,) the share of the pool that goes before the item, and with it; wrong: (s,)
    bool, what the machine says of it is wrong; weights: (s,) items of the pool it stands for.
    """

    begins: Shares
    ends: Shares
    wrong: Bools
    weights: Shares

    def left(self, shares: Floats) -> Shares:
        """(s, q) how much of each item is left to the machine when these shares (q,) go to people."""
        asked = np.asarray(shares, dtype=np.float64)[None, :]
        width = (self.ends - self.begins)[:, None]
        return np.clip((self.ends[:, None] - asked) / width, 0, 1)

    def errors(self, shares: Floats) -> Shares:
        """(q,) the share of all items that is left to the machine and wrong."""
        weighed = (self.weights * self.wrong) @ self.left(shares)
        return np.asarray(weighed / self.weights.sum(), dtype=np.float64)

    def estimates(self, shares: Floats, confidence: float = CONFIDENCE) -> list[Estimate]:
        """The quality at each share: people are right, and of what is left so many are wrong as
        Wilson's interval says for that many draws."""
        found = []
        left = self.left(shares)
        for rest, part in zip(1 - np.asarray(shares, dtype=np.float64), left.T, strict=True):
            weight = self.weights * part
            n = int(np.count_nonzero(part))
            wrong = float(weight @ self.wrong / weight.sum()) if n else 0.0
            low, high = wilson_share(wrong, effective_size(weight), confidence) if n else (0.0, 1.0)
            found.append(
                Estimate(
                    value=float(1 - rest * wrong),
                    low=float(1 - rest * high),
                    high=float(1 - rest * low),
                    n=n,
                )
            )
        return found

    def area(self) -> float:
        """Mean quality over all shares from 0 to 1: the larger, the better the order."""
        middle = (self.begins + self.ends) / 2
        return float(1 - self.weights @ (self.wrong * middle) / self.weights.sum())

    def resampled_areas(self, weights: Shares) -> Shares:
        """(b,) areas with each item counted as often as `weights` (b, s) say, at its place."""
        counts = weights * self.weights
        middle = (self.begins + self.ends) / 2
        return np.asarray(1 - counts @ (self.wrong * middle) / counts.sum(axis=1))


def order_of(
    benefit: Shares, wrong: Bools, weights: Shares, fold: Ints, rng: np.random.Generator
) -> Order:
    """Items by falling benefit within each fold, ties by chance: benefits of two fits do not compare.

    benefit, wrong, weights, fold: (s,).
    """
    begins, ends = np.empty(len(benefit)), np.empty(len(benefit))
    for number in np.unique(fold):
        rows = rng.permutation(np.flatnonzero(fold == number))
        rows = rows[np.argsort(-benefit[rows], kind="stable")]
        total = np.cumsum(weights[rows])
        ends[rows] = total / total[-1]
        begins[rows] = (total - weights[rows]) / total[-1]
    return Order(begins=begins, ends=ends, wrong=wrong, weights=weights)


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
    fold, benefit = _unseen(router, seed, lambda fitted: fitted.benefit, rng, report, folds)
    return order_of(benefit, seed.wrong, seed.weights, fold, rng)


def unseen_wrong(
    router: Router,
    seed: Seed,
    rng: np.random.Generator,
    report: Report = no_report,
    folds: int = FOLDS,
) -> Shares:
    """(s,) P(the teacher is wrong) of the seed's items, each by a router that has not seen it."""
    return _unseen(router, seed, lambda fitted: fitted.wrong, rng, report, folds)[1]


def _unseen(
    router: Router,
    seed: Seed,
    what: Callable[[FittedRouter], Benefit],
    rng: np.random.Generator,
    report: Report,
    folds: int,
) -> tuple[Ints, Shares]:
    """(s,) folds and (s,) what routers of the other folds say."""
    require(seed.rows >= 2 * folds, f"Cross-fitting needs {2 * folds} seed items.")
    fold = dealt(seed, folds, rng)
    found = np.empty(seed.rows)
    for number in range(folds):
        beat = partial(_beat, report, number, folds)
        learn, ask = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        fitted = router.fit(seed.subset(learn), rng, beat)
        found[ask] = what(fitted)(seed.items.subset(ask))
    report(folds, folds)
    return fold, found


def _beat(report: Report, number: int, folds: int, _done: int, _total: int) -> None:
    report(number, folds)  # a cancel passes through while a router is being fitted
