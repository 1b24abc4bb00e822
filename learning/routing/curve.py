"""The budget curve: how good the finished labels will be, for how much of people's time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from learning.audit.intervals import Estimate
from learning.routing.crossfit import order_of, unseen
from learning.routing.types import Router, Seed, Shares
from learning.types import Report, no_report, require

SHARES = tuple(round(0.05 * step, 2) for step in range(21))
ALL_DECIDED = Estimate(value=0.0, low=0.0, high=0.0, n=0)


@dataclass(frozen=True, kw_only=True)
class Work:
    """What there is to label, how much of it is done, and what an answer costs.

    items: all of which shares are told; answered: those of them that people labelled already.
    person_seconds, person_money: of one label of people; teacher_money: of one answer of the
    teacher. unasked: 0 … 1, of the items that people did not label, the share that the teacher is
    yet to be asked about.
    """

    items: int
    person_seconds: float
    person_money: float = 0.0
    teacher_money: float = 0.0
    answered: int = 0
    unasked: float = 1.0

    def __post_init__(self) -> None:
        costs = (self.items, self.person_seconds, self.person_money, self.teacher_money)
        require(all(cost >= 0 for cost in costs), "Items, seconds and money must not be negative.")
        require(0 <= self.unasked <= 1, "A share lies between 0 and 1.")
        require(0 <= self.answered <= self.items, "People labelled none to all of the items.")

    def people(self, share: float) -> int:
        """How many items people are still to label until this share is theirs."""
        return max(round(share * self.items) - self.answered, 0)

    def money(self, share: float) -> float:
        """Still to be spent: on people's labels, and on the teacher's answers where it is yet to be
        asked."""
        left = self.items - self.answered - self.people(share)
        return self.people(share) * self.person_money + self.unasked * left * self.teacher_money

    def hours(self, share: float) -> float:
        """Of people, still to be spent."""
        return self.people(share) * self.person_seconds / 3600


@dataclass(frozen=True, kw_only=True)
class Point:
    """share: of the items that people label; quality: share of the decided items whose label is right;
    undecided: share of all items that nobody decides. money, hours: still to be spent."""

    share: float
    quality: Estimate
    undecided: Estimate
    money: float
    hours: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was foretold beside what an audit found afterwards; kept: the intervals meet."""

    foretold: Estimate
    found: Estimate
    kept: bool


def points(
    shares: Sequence[float], told: Sequence[tuple[Estimate, Estimate]], work: Work
) -> list[Point]:
    """One point for each share, of its quality and what stays undecided."""
    return [
        Point(
            share=share,
            quality=quality,
            undecided=undecided,
            money=work.money(share),
            hours=work.hours(share),
        )
        for share, (quality, undecided) in zip(shares, told, strict=True)
    ]


def replace_curve(
    router: Router,
    seed: Seed,
    work: Work,
    rng: np.random.Generator,
    report: Report = no_report,
    shares: Sequence[float] = SHARES,
    most_wrong: float = 1.0,
    doubt: Shares | None = None,
    silent: Estimate = ALL_DECIDED,
) -> list[Point]:
    """What to expect when people's answers only take the place of the teacher's.

    From the seed alone, each item judged by a router that has not learned from it. People count as
    right. most_wrong: the teacher's word decides an item where it is wrong with a chance of this at
    most; what is less sure stays undecided unless people label it. doubt: (s,) the order in which
    people get the items, the largest first; None takes what the router says that it is worth.
    silent: the share of all items on which the teacher has no answer; people get them last.
    Raises what the router raises for a small seed.
    """
    told = unseen(router, seed, rng, report)
    sure = told.wrong <= most_wrong
    first, fold = (told.benefit, told.fold) if doubt is None else (doubt, np.zeros_like(told.fold))
    order = order_of(first, seed.wrong, seed.weights, fold, rng, sure)
    spoken = 1 - (silent.value or 0.0)
    asked = np.minimum(np.array(shares) / max(spoken, 1e-9), 1)
    figures = [
        (quality, _and_silent(undecided, silent, 1 - share))
        for share, (quality, undecided) in zip(shares, order.estimates(asked), strict=True)
    ]
    return points(shares, figures, work)


def _and_silent(undecided: Estimate, silent: Estimate, left: float) -> Estimate:
    """The share of all items that nobody decides, of the answered ones and of those without an answer;
    `left` are not people's."""
    spoken = 1 - (silent.value or 0.0)

    def both(unsure: float | None, without: float | None) -> float:
        return min(spoken * (unsure or 0.0) + (without or 0.0), left)

    return Estimate(
        value=both(undecided.value, silent.value),
        low=both(undecided.low, silent.low),
        high=both(undecided.high, silent.high),
        n=undecided.n,
    )


def at(curve: Sequence[Point], share: float) -> Point:
    """The point at this share, between two drawn ones by a straight line."""
    require(len(curve) > 0, "A curve needs points.")
    places = [point.share for point in curve]

    def between(values: Sequence[float]) -> float:
        return float(np.interp(share, places, values))

    def figure(values: Sequence[Estimate]) -> Estimate:
        return Estimate(
            value=between([each.value or 0.0 for each in values]),
            low=between([each.low for each in values]),
            high=between([each.high for each in values]),
            n=min(each.n for each in values),
        )

    return Point(
        share=share,
        quality=figure([point.quality for point in curve]),
        undecided=figure([point.undecided for point in curve]),
        money=between([point.money for point in curve]),
        hours=between([point.hours for point in curve]),
    )


def outcome(foretold: Estimate, found: Estimate) -> Outcome:
    """Prediction against what happened."""
    kept = foretold.low <= found.high and found.low <= foretold.high
    return Outcome(foretold=foretold, found=found, kept=kept)
