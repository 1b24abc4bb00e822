"""Ask a detector about every label, whatever the task: one question an item, or one per label."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from learning.audit.detectors import DETECTORS, Detector
from learning.audit.detectors.evidence import Evidence
from learning.types import require

Answer = TypeVar("Answer")
Doubles = NDArray[np.float64]


def applies(detector: Detector | type[Detector], evidence: Evidence) -> bool:
    """Whether the evidence holds what the detector needs."""
    return all(getattr(evidence, name) is not None for name in detector.needs)


def applicable(evidence: Evidence) -> list[str]:
    """The names of the detectors for which the evidence suffices, in the registry's order."""
    return [name for name, kind in DETECTORS.items() if applies(kind, evidence)]


def score(detector: Detector, evidence: Evidence) -> Doubles:
    """(n,) scores of the labels; with several labels an item (n, k), NaN where nothing is known.

    0 surely wrong … 1 surely right: whether the label was rightly given, or with several labels,
    whether it is rightly there or rightly not.
    """
    if not evidence.multi_label:
        return detector.score(evidence)
    scores = np.full(evidence.labels.shape, np.nan)
    for column in range(evidence.columns):
        rows, question = evidence.question(column)
        if len(rows):
            scores[rows, column] = detector.score(question)
    return scores


def words(
    detector: Detector, evidence: Evidence, rows: NDArray[np.int64], column: int | None = None
) -> list[str]:
    """The evidence in a sentence for each of these rows, about one label where there are several."""
    return _asked(detector.words, evidence, rows, column)


def suggestions(
    evidence: Evidence, rows: NDArray[np.int64], column: int | None = None
) -> NDArray[np.int64]:
    """(m,) the column that the student finds likeliest besides the label in question.

    With several labels the only other answer is the opposite: 0 absent, 1 present.
    """

    def best(asked: Evidence, at: NDArray[np.int64]) -> NDArray[np.int64]:
        return asked.rival(asked.probabilities)[0][at]

    return _asked(best, evidence, rows, column)


def _asked(
    ask: Callable[[Evidence, NDArray[np.int64]], Answer],
    evidence: Evidence,
    rows: NDArray[np.int64],
    column: int | None,
) -> Answer:
    if not evidence.multi_label:
        return ask(evidence, rows)
    require(column is not None, "With several labels, say which one is in question.")
    known, question = evidence.question(column or 0)
    require(bool(np.isin(rows, known).all()), "Some of these items say nothing about the label.")
    return ask(question, np.searchsorted(known, rows))
