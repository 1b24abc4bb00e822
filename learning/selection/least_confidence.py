"""Selection by how unlikely the likeliest answer is."""

from dataclasses import dataclass

import numpy as np

from learning.scores import confidences
from learning.selection.margin import smallest
from learning.selection.reading import (
    finite,
    label_name,
    likeliest,
    percent,
    probabilities_of,
    wanted,
)
from learning.types import Floats, Pool, Selection


@dataclass(frozen=True, kw_only=True)
class LeastConfidence:
    """Pick the items whose likeliest answer is least likely.
    Source: Lewis, Gale 1994; for whole answers Culotta, McCallum 2005.

    Multi-label: the answer is the whole set of labels, as if they were independent, so an item
    with many half-likely labels comes before one with a single doubt.
    """

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows, least confident first; the generator breaks ties.

        With kept columns the labels that are not kept count as surely absent.
        Raises NeedsStudentError when the pool has no probabilities, ShapeError when they are not
        numbers.
        """
        probabilities = probabilities_of(pool, "Least confidence")
        candidates = pool.candidates()
        sure = confidences(probabilities, multi_label=pool.multi_label)[candidates]
        chosen, probability = smallest(
            finite(sure, "student's probabilities"), wanted(n, candidates), rng
        )
        rows = candidates[chosen]
        return Selection(
            rows=rows,
            probabilities=probability,
            reasons=[
                _reason(pool, probabilities, int(row), float(sure[place]))
                for row, place in zip(rows, chosen, strict=True)
            ],
        )


def _reason(pool: Pool, probabilities: Floats, row: int, sure: float) -> str:
    if not pool.multi_label:
        return f"the student's best guess is only {likeliest(pool, row, 1)[0]}"
    places = np.flatnonzero(np.asarray(probabilities[row]) >= 0.5)
    columns = places if pool.columns is None else pool.columns[row][places]
    guess = " and ".join(label_name(pool, int(column)) for column in columns) or "no label"
    return f"the student's best guess, {guess}, is only {percent(sure)} likely as a whole"
