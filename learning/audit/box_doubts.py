"""Which boxes look wrong by themselves: two on one rectangle, slivers, and sizes that their label does not have.

No student is needed: answers are compared with each other alone.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from learning.boxes import Box, overlaps

# Boxes that share so much are of one rectangle.
NEARLY = 0.8
# Labels that are together on a rectangle so often, and in this share of the rarer one's boxes, belong so.
USUAL, USUAL_SHARE = 5, 0.2
# A side below this share of the picture's is a slip of the hand.
SLIVER = 0.004
# So many boxes of a label tell its usual size; so many deviations from the median are unusual (Leys et al. 2013
# take 2.5 to 3 for reaction times; boxes of a label vary more).
FEWEST, UNUSUAL = 20, 5.0
# Sizes vary by this at least, as the logarithm of the area.
LEAST_DEVIATION = 0.2
_TO_SIGMA = 1.4826  # of a normal distribution, from its median absolute deviation


class BoxFault(StrEnum):
    """What may be wrong with a box."""

    CONTRADICTION = "contradiction"
    DOUBLED = "doubled"
    SLIVER = "sliver"
    SIZE = "size"


@dataclass(frozen=True, kw_only=True)
class BoxDoubt:
    """A box of an answer that may be wrong.

    box: the one in doubt; other: the one that it meets, None where it is in doubt by itself; score: 0 surely
    wrong … 1 surely right, below 1/2 for each that is told.
    """

    fault: BoxFault
    box: Box
    other: Box | None
    score: float


def doubts(answers: Sequence[Sequence[Box]]) -> list[list[BoxDoubt]]:
    """Of each answer the boxes in doubt, the most doubtful first; most answers have none."""
    meeting = [_meeting(boxes) for boxes in answers]
    usual = _usual(answers, meeting)
    sizes = _sizes(answers)
    return [
        sorted(
            [
                *(_met(*pair) for pair in pairs if _labels(*pair[:2]) not in usual),
                *(found for box in boxes for found in _alone(box, sizes)),
            ],
            key=lambda one: (one.score, one.box),
        )
        for boxes, pairs in zip(answers, meeting, strict=True)
    ]


def score_of(places: Sequence[BoxDoubt]) -> float:
    """An answer is as right as its most doubtful box; 1 where none is in doubt."""
    return min((place.score for place in places), default=1.0)


_Pair = tuple[Box, Box, float]


def _meeting(boxes: Sequence[Box]) -> list[_Pair]:
    """Each two boxes of an answer that are nearly one rectangle, and how nearly."""
    found = overlaps(boxes, boxes, NEARLY)
    return [(boxes[at], boxes[to], share) for at, to, share in found if at < to]


def _labels(a: Box, b: Box) -> tuple[int, int]:
    return min(a.label, b.label), max(a.label, b.label)


def _usual(
    answers: Sequence[Sequence[Box]], meeting: Sequence[Sequence[_Pair]]
) -> set[tuple[int, int]]:
    """Two labels that are on one rectangle as a rule, such as a dog and an animal."""
    boxes = Counter(box.label for one in answers for box in one)
    together = Counter(_labels(a, b) for pairs in meeting for a, b, _ in pairs)
    return {
        (a, b)
        for (a, b), times in together.items()
        if a != b and times >= max(USUAL, USUAL_SHARE * min(boxes[a], boxes[b]))
    }


def _met(a: Box, b: Box, share: float) -> BoxDoubt:
    fault = BoxFault.DOUBLED if a.label == b.label else BoxFault.CONTRADICTION
    return BoxDoubt(fault=fault, box=a, other=b, score=(1 - share) / (1 - NEARLY) / 2)


def _alone(box: Box, sizes: dict[int, tuple[float, float]]) -> list[BoxDoubt]:
    least = min(box.w, box.h)
    if least < SLIVER:
        return [BoxDoubt(fault=BoxFault.SLIVER, box=box, other=None, score=least / SLIVER / 2)]
    if box.label not in sizes:
        return []
    middle, deviation = sizes[box.label]
    far = abs(float(np.log(box.w * box.h)) - middle) / deviation
    if far <= UNUSUAL:
        return []
    return [BoxDoubt(fault=BoxFault.SIZE, box=box, other=None, score=UNUSUAL / far / 2)]


def _sizes(answers: Sequence[Sequence[Box]]) -> dict[int, tuple[float, float]]:
    """label -> the median of the logarithms of its areas, and their robust deviation."""
    areas: dict[int, list[float]] = {}
    for boxes in answers:
        for box in boxes:
            areas.setdefault(box.label, []).append(box.w * box.h)
    found = {}
    for label, own in areas.items():
        if len(own) >= FEWEST:
            logs: NDArray[np.float64] = np.log(own)
            middle = float(np.median(logs))
            deviation = _TO_SIGMA * float(np.median(np.abs(logs - middle)))
            found[label] = middle, max(deviation, LEAST_DEVIATION)
    return found
