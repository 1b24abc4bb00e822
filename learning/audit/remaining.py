"""How many labels are still wrong: from reviewed cases that chance drew, weighted by their draw.

Errors that were found are counted and mended; they say little about those that were not. What is
left is estimated from cases that were drawn at random among the labels nobody had looked at, in
strata of equal suspicion, so that the rare errors among trusted labels and the many among
suspicious ones each have their sample. Reviewers are taken at their word.

Letters in shapes: n labels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from learning.audit.intervals import (
    CONFIDENCE,
    effective_size,
    normal_quantile,
    student_quantile,
    weights_of,
)
from learning.metrics import clopper_pearson
from learning.types import Bools, Floats, require

LEAST_DRAWN = 8  # drawn cases that a stratum of its own must have
CUTS = (0.02, 0.1, 0.3)  # shares of the labels, most suspicious first, after which strata end
LENT = 1.0  # case of the average stratum that each one is lent when its spread is judged


@dataclass(frozen=True, kw_only=True)
class Stratum:
    """Labels of about equal suspicion that were not picked out for review.

    size: how many; drawn: how many of them chance drew, all reviewed; rate: the share of these that
    was wrong, weighted by the inverse of their draws; effective: how many equally likely draws
    weigh as much (Kish).
    """

    size: int
    drawn: int
    rate: float
    effective: float

    def __post_init__(self) -> None:
        require(
            0 <= self.drawn <= self.size and 0 <= self.rate <= 1,
            f"{self.rate} of {self.drawn} drawn of {self.size} is not a stratum.",
        )

    @classmethod
    def of(cls, size: int, drawn: int, wrong: int) -> "Stratum":
        """A stratum whose labels were all equally likely to be drawn."""
        return cls(size=size, drawn=drawn, rate=wrong / max(1, drawn), effective=drawn)

    @property
    def left(self) -> int:
        """Labels that nobody has looked at."""
        return self.size - self.drawn


@dataclass(frozen=True, kw_only=True)
class Remaining:
    """The share of all labels that are still wrong after what was found has been mended.

    rate: 0 … 1, None while no case was drawn; low, high: its interval. labels: all of them. found:
    errors found and mended, whether picked out or drawn. drawn: random cases behind the rate.
    """

    rate: float | None
    low: float
    high: float
    labels: int
    found: int
    drawn: int
    strata: tuple[Stratum, ...]
    confidence: float = CONFIDENCE

    @property
    def width(self) -> float:
        """The interval's length, 0 … 1."""
        return self.high - self.low

    def more_to_halve(self) -> int | None:
        """How many more random cases are expected to halve the interval, shared out among the
        strata as those so far; None without a case, 0 where there is nothing left to learn.
        """
        if self.rate is None:
            return None
        if self.width == 0:
            return 0
        left = sum(part.left for part in self.strata)
        low, high = 1, left
        while low < high:
            middle = (low + high) // 2
            enough = self._width_after(middle) <= self.width / 2
            low, high = (low, middle) if enough else (middle + 1, high)
        return low

    def _width_after(self, more: int) -> float:
        """The interval's length if `more` cases were drawn and turned out as those so far."""
        left = sum(part.left for part in self.strata)
        if more >= left:
            return 0.0
        shares = [max(part.drawn, 1) * (part.left > 0) for part in self.strata]
        grown = []
        for part, share in zip(self.strata, shares, strict=True):
            drawn = min(part.size, part.drawn + round(more * share / max(1, sum(shares))))
            growth = drawn / part.drawn if part.drawn else float(drawn)
            grown.append(replace(part, drawn=drawn, effective=max(part.effective, 1) * growth))
        _, low, high = _interval(grown, self.labels, self.confidence)
        return high - low


def remaining(
    strata: Sequence[Stratum], labels: int, found: int, confidence: float = CONFIDENCE
) -> Remaining:
    """The rate of errors left among `labels`, `found` of which were found and mended.

    strata: all labels that were not picked out for review because they looked wrong; those that
        were picked out and reviewed are right now, and count in `labels` only.

    Horvitz and Thompson's estimator by strata with its variance under draws without replacement.
    That variance gives an effective number of uniform draws, which goes into Clopper and Pearson's
    exact interval (Korn, Graubard 1998); a normal interval would fail where errors are rare. A
    stratum of which nothing was drawn could hold anything between no error and nothing else.
    """
    require(0 <= found <= labels, f"{found} errors cannot have been found in {labels} labels.")
    require(
        sum(part.size for part in strata) <= labels,
        "Strata cannot hold more labels than there are.",
    )
    drawn = sum(part.drawn for part in strata)
    rate, low, high = _interval(strata, labels, confidence)
    return Remaining(
        rate=rate,
        low=math.floor(low * labels + 1e-6) / max(1, labels),  # half an error left may be none
        high=high,
        labels=labels,
        found=found,
        drawn=drawn,
        strata=tuple(strata),
        confidence=confidence,
    )


def strata_of(
    scores: Floats,
    picked: Bools,
    drawn: Bools,
    wrong: Bools,
    draw_probabilities: Floats | None = None,
) -> list[Stratum]:
    """Labels (n,) in strata of their scores.

    scores: 0 surely wrong … 1 surely right, as of before the review; picked: reviewed because they
    looked wrong; drawn: reviewed because chance drew them; a label that is both counts as picked,
    unless it would have been reviewed by its draw anyway. wrong: what reviewers found, read where
    drawn; draw_probabilities: (n,) where they differ, read where drawn.

    Every label but those picked must have had its chance to be drawn, open flags too, and no draw
    may depend on what was found. Strata end after CUTS of the labels and are joined until each has
    LEAST_DRAWN cases.
    """
    n = len(scores)
    for name, values in (("picked", picked), ("drawn", drawn), ("wrong", wrong)):
        require(values.shape == (n,), f"{name} must have one entry for each of {n} scores.")
    pool = np.flatnonzero(~picked)
    order = pool[np.argsort(np.asarray(scores)[pool], kind="stable")]
    ends = [round(cut * len(order)) for cut in CUTS] + [len(order)]
    groups: list[NDArray[np.int64]] = []
    start = 0
    for end in ends:
        rows = order[start:end]
        if int(drawn[rows].sum()) >= LEAST_DRAWN:
            groups.append(rows)
            start = end
    if start < len(order):  # too few cases at the end: part of the stratum before
        rest = order[start:]
        groups = [*groups[:-1], np.concatenate([*groups[-1:], rest])]
    return [_stratum(rows, drawn, wrong, draw_probabilities) for rows in groups]


def _stratum(
    rows: NDArray[np.int64], drawn: Bools, wrong: Bools, draw_probabilities: Floats | None
) -> Stratum:
    chosen = rows[drawn[rows]]
    if draw_probabilities is None:
        return Stratum.of(len(rows), len(chosen), int(wrong[chosen].sum()))
    weights = weights_of(draw_probabilities[chosen])
    if weights is None:
        return Stratum.of(len(rows), len(chosen), int(wrong[chosen].sum()))
    return Stratum(
        size=len(rows),
        drawn=len(chosen),
        rate=float(weights @ wrong[chosen] / weights.sum()),
        effective=effective_size(weights),
    )


def _interval(
    strata: Sequence[Stratum], labels: int, confidence: float
) -> tuple[float | None, float, float]:
    """The share of all labels that is left wrong, and its ends."""
    left = sum(part.left for part in strata)
    if left == 0 or labels == 0:
        return 0.0, 0.0, 0.0
    seen = [part for part in strata if part.drawn]
    unseen = sum(part.left for part in strata if not part.drawn)
    if not seen:
        return None, 0.0, left / labels
    reached = left - unseen
    expected = sum(part.left * part.rate for part in seen)
    if reached == 0:
        return None, 0.0, unseen / labels
    rate = expected / reached
    low, high = _exact(rate, _effective(seen, reached, confidence), confidence)
    middle = None if unseen else expected / labels
    return middle, low * reached / labels, (high * reached + unseen) / labels


def _effective(strata: Sequence[Stratum], left: int, confidence: float) -> float:
    """How many equally likely draws tell as much of the labels that are left."""
    size = sum(part.effective for part in strata)
    pooled = (sum(part.effective * part.rate for part in strata) + LENT / 2) / (size + LENT)
    variance = 0.0
    middle = 0.0
    for part in strata:
        rate = (part.effective * part.rate + LENT * pooled) / (part.effective + LENT)
        middle += part.left / left * rate
        # of the errors left in a stratum, drawn without replacement from it
        variance += part.size * part.left * rate * (1 - rate) / part.effective / left**2
    found = middle * (1 - middle) / variance if variance > 0 else float(left)
    degrees = size - len(strata)
    return found * (normal_quantile(confidence) / student_quantile(confidence, degrees)) ** 2


def _exact(rate: float, effective: float, confidence: float) -> tuple[float, float]:
    """Clopper and Pearson's interval for a share of a number of draws that need not be whole."""
    n = max(1, math.floor(effective))
    hits = rate * n
    below, above = math.floor(hits), min(n, math.ceil(hits))
    part = hits - below
    first, second = (clopper_pearson(count, n, confidence) for count in (below, above))
    low, high = (a + part * (b - a) for a, b in zip(first, second, strict=True))
    return low, high
