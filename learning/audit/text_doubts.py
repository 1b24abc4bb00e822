"""Which texts look wrong: those from which other voices wrote something far, by edits.

No student is needed: what voices wrote about one item is compared with what was decided of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.edits import apart
from learning.types import Report, no_report

# So many compared texts tell how far voices usually are; so many deviations from the median are
# unusual (as for the sizes of boxes).
FEWEST, UNUSUAL = 20, 5.0
# Distances vary by this at least.
LEAST_DEVIATION = 0.02
_TO_SIGMA = 1.4826  # of a normal distribution, from its median absolute deviation


@dataclass(frozen=True, kw_only=True)
class TextDoubt:
    """How far a decided text is from what the voices wrote.

    far: 0 … 1, the edits that make it of another voice's text, as a share of the longer one, on average
    over the others; usual: the median of that over all texts that were compared.
    voices: how many there are; other: how many of them wrote another text.
    score: 0 surely wrong … 1 surely right; 1 where no other voice wrote.
    """

    far: float
    usual: float
    voices: int
    other: int
    score: float


def doubts(
    decided: Sequence[str], written: Sequence[Sequence[str]], report: Report = no_report
) -> list[TextDoubt]:
    """One for each text that was decided, beside what each voice wrote of the same item.

    A text is as doubtful as it is far from the other voices', and where nearly all are close to each
    other, as it is unusually far: a hundredth matters among corrections, not among summaries. Source:
    Levenshtein 1966 (the distance); Leys et al. 2013 (deviations from the median).
    """
    found = []
    for done, (text, said) in enumerate(zip(decided, written, strict=True)):
        report(done, len(decided))
        found.append(_from_others(text, said))
    compared = np.array([far for far, voices, _ in found if voices > 1])
    usual, deviation = _usual(compared)
    return [
        TextDoubt(
            far=far,
            usual=usual,
            voices=voices,
            other=other,
            score=1.0 if voices < 2 else min(1 - far, _beside(far - usual, deviation)),
        )
        for far, voices, other in found
    ]


def work(decided: str, written: Sequence[str]) -> int:
    """What comparing a text costs: letters times letters, of those that differ from it."""
    return sum(len(decided) * len(text) for text in written if text != decided)


def _from_others(decided: str, written: Sequence[str]) -> tuple[float, int, int]:
    """How far the others are on average, how many voices there are, how many of them wrote otherwise."""
    distances = sorted(apart(decided, text) for text in written)
    others = distances[1:] if distances[:1] == [0] else distances  # a reviewer may have written it
    far = sum(others) / len(others) if others else 0.0
    return far, len(distances), sum(each > 0 for each in distances)


def _usual(compared: NDArray[np.float64]) -> tuple[float, float]:
    """The median distance and its robust deviation; infinite where too few tell it."""
    if len(compared) < FEWEST:
        return float(np.median(compared)) if len(compared) else 0.0, float("inf")
    middle = float(np.median(compared))
    return middle, max(_TO_SIGMA * float(np.median(np.abs(compared - middle))), LEAST_DEVIATION)


def _beside(farther: float, deviation: float) -> float:
    """1 up to what is usual, 1/2 at UNUSUAL deviations, falling towards 0 beyond."""
    return min(1.0, UNUSUAL * deviation / (2 * farther)) if farther > 0 else 1.0
