"""What the next labels are expected to add, what they cost, and whether that is advice at all."""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from learning.audit.curves import Curve
from learning.audit.intervals import CONFIDENCE, student_quantile
from learning.types import Floats, require

MORE = 100
# Points, as shares: less than this is little, and an interval from a loss of it to a gain of five
# times as much advises nothing.
WORTH = 0.01
MUCH = 5 * WORTH
# The chance of a gain worth having below which stopping is advised, and from which going on is.
UNLIKELY, LIKELY = 0.1, 0.5
# Nobody thinks so many times as long as usual about an item: the screen was left alone.
LONGEST = 10.0
FEWEST_ANSWERS = 5


class Verdict(StrEnum):
    """What the forecast advises."""

    STOP = "stop"  # the next labels hardly add a point
    GO_ON = "go-on"  # they likely add a point or more
    OPEN = "open"  # they may, but likely do not
    EMPTY = "empty"  # the interval is too wide to advise anything


@dataclass(frozen=True, kw_only=True)
class Advice:
    """Change of accuracy by `more` labels, in shares: expected, and its interval.

    chance: 0 … 1, of a gain worth having (WORTH or more); n: the audit items behind it.
    """

    more: int
    gain: float
    low: float
    high: float
    chance: float
    verdict: Verdict
    n: int


def advise(curve: Curve, more: int = MORE, confidence: float = CONFIDENCE) -> Advice:
    """What `more` further labels to learn from are expected to do. [ours]

    Stopping is advised when the chance that the next student is a point better is at most
    UNLIKELY; how often that was right in replays: docs/honest-numbers.md.
    """
    change = curve.changes(more)
    low, high = np.quantile(change, [(1 - confidence) / 2, (1 + confidence) / 2])
    chance = float(np.mean(change >= WORTH))
    if chance <= UNLIKELY:
        verdict = Verdict.STOP
    elif low <= -WORTH and high >= MUCH:
        verdict = Verdict.EMPTY
    else:
        verdict = Verdict.GO_ON if chance >= LIKELY else Verdict.OPEN
    return Advice(
        more=more,
        gain=float(change.mean()),
        low=float(low),
        high=float(high),
        chance=chance,
        verdict=verdict,
        n=curve.n,
    )


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Seconds that so many answers take, with their interval; n: the timed answers behind it."""

    answers: int
    seconds: float
    low: float
    high: float
    n: int


def cost(seconds: Floats, answers: int, confidence: float = CONFIDENCE) -> Cost | None:
    """What `answers` cost at the pace of the answers timed so far; seconds: (a,) of each.

    None for fewer than FEWEST_ANSWERS. A time above LONGEST times the median counts as that: the
    person had left the screen. The interval is that of the mean, and of that many new answers.
    """
    timed = np.asarray(seconds, dtype=np.float64)
    require(bool(np.all(np.isfinite(timed) & (timed >= 0))), "Seconds must not be negative.")
    n = len(timed)
    if n < FEWEST_ANSWERS or answers < 1:
        return None
    timed = np.minimum(timed, LONGEST * float(np.median(timed)))
    spread = float(timed.std(ddof=1)) * math.sqrt(1 / n + 1 / answers)
    reach = student_quantile(confidence, n - 1) * spread * answers
    total = float(timed.mean()) * answers
    return Cost(
        answers=answers, seconds=total, low=max(total - reach, 0.0), high=total + reach, n=n
    )
