"""The budget curve: how good the finished labels will be, for how much of people's time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from learning.audit.intervals import Estimate
from learning.routing.crossfit import cross_fitted
from learning.routing.types import Router, Seed
from learning.types import Report, no_report, require

SHARES = tuple(round(0.05 * step, 2) for step in range(21))


@dataclass(frozen=True, kw_only=True)
class Work:
    """What is still to label, and what an answer costs.

    items: that have no label of a person yet. person_seconds, person_money: of one answer of a
    person; teacher_money: of one answer of the teacher, for items that it has not answered yet.
    unanswered: 0 … 1, the share of those.
    """

    items: int
    person_seconds: float
    person_money: float = 0.0
    teacher_money: float = 0.0
    unanswered: float = 1.0

    def __post_init__(self) -> None:
        costs = (self.items, self.person_seconds, self.person_money, self.teacher_money)
        require(all(cost >= 0 for cost in costs), "Items, seconds and money must not be negative.")
        require(0 <= self.unanswered <= 1, "A share lies between 0 and 1.")

    def people(self, share: float) -> int:
        """How many items people label at this share."""
        return round(share * self.items)

    def money(self, share: float) -> float:
        """People's answers, and the teacher's on what is left to it."""
        asked = self.unanswered * (self.items - self.people(share))
        return self.people(share) * self.person_money + asked * self.teacher_money

    def hours(self, share: float) -> float:
        """Of people."""
        return self.people(share) * self.person_seconds / 3600


@dataclass(frozen=True, kw_only=True)
class Point:
    """share: of the items that people label; quality: share of all finished labels that are right."""

    share: float
    quality: Estimate
    money: float
    hours: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was foretold beside what an audit found afterwards; kept: the intervals meet."""

    foretold: Estimate
    found: Estimate
    kept: bool


def points(shares: Sequence[float], qualities: Sequence[Estimate], work: Work) -> list[Point]:
    """One point for each share."""
    return [
        Point(share=share, quality=quality, money=work.money(share), hours=work.hours(share))
        for share, quality in zip(shares, qualities, strict=True)
    ]


def replace_curve(
    router: Router,
    seed: Seed,
    work: Work,
    rng: np.random.Generator,
    report: Report = no_report,
    shares: Sequence[float] = SHARES,
) -> list[Point]:
    """What to expect when people's answers only take the place of the teacher's.

    From the seed alone, each item judged by a router that has not learned from it. People count as
    right. Raises what the router raises for a small seed.
    """
    order = cross_fitted(router, seed, rng, report)
    return points(shares, order.estimates(np.array(shares)), work)


def at(curve: Sequence[Point], share: float) -> Point:
    """The point at this share, between two drawn ones by a straight line."""
    require(len(curve) > 0, "A curve needs points.")
    places = [point.share for point in curve]

    def between(values: Sequence[float]) -> float:
        return float(np.interp(share, places, values))

    quality = Estimate(
        value=between([point.quality.value or 0.0 for point in curve]),
        low=between([point.quality.low for point in curve]),
        high=between([point.quality.high for point in curve]),
        n=min(point.quality.n for point in curve),
    )
    money, hours = between([p.money for p in curve]), between([p.hours for p in curve])
    return Point(share=share, quality=quality, money=money, hours=hours)


def outcome(foretold: Estimate, found: Estimate) -> Outcome:
    """Prediction against what happened."""
    kept = foretold.low <= found.high and found.low <= foretold.high
    return Outcome(foretold=foretold, found=found, kept=kept)
