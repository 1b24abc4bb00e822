"""Selection by doubt, evenly over the labels: rare answers get their share."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.selection.margin import hesitation, pool_margins
from learning.selection.reading import (
    Rows,
    finite,
    label_name,
    labels_of,
    nothing,
    probabilities_of,
    wanted,
)
from learning.types import Floats, Pool, Selection, row_blocks


@dataclass(frozen=True, kw_only=True)
class ClassBalanced:
    """Pick the smallest margin of the predicted label that has the fewest answers, again and again.
    Source: Bengar et al. 2022 (class-balanced active learning), with quotas by predicted label.

    Each pick counts as an answer of its predicted label, so n picks fill the labels up from below.
    Multi-label: an item is predicted to be of its likeliest label; each answer counts for all of
    its labels. Without answers in the pool every label begins with none.
    """

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows in the order of the quotas; the generator breaks ties.

        Raises NeedsStudentError when the pool has no probabilities, ShapeError when they are not
        numbers.
        """
        probabilities = probabilities_of(pool, "Class-balanced selection")
        candidates = pool.candidates()
        take = wanted(n, candidates)
        if take == 0:
            return nothing()
        margin = finite(pool_margins(pool, probabilities)[candidates], "student's probabilities")
        guess = _guesses(pool, probabilities, candidates)
        counts = np.zeros(max(labels_of(pool), int(guess.max()) + 1))
        if pool.answers is not None:
            counts[: pool.answers.shape[1]] += finite(pool.answers, "answers").sum(axis=0)
        had = counts.copy()
        places = _fill(guess, margin, counts, take, rng)
        rows = candidates[places]
        return Selection(
            rows=rows,
            probabilities=np.ones(take),
            reasons=[
                f"probably {label_name(pool, label)}, which has {had[label]:,.0f} answers; "
                + hesitation(pool, probabilities[row], int(row))
                for row, label in zip(rows, guess[places], strict=True)
            ],
        )


def _guesses(pool: Pool, probabilities: Floats, candidates: Rows) -> Rows:
    """(c,) the likeliest label column of each candidate."""
    guess = np.empty(len(candidates), dtype=np.int64)
    for block in row_blocks(len(candidates)):
        rows = candidates[block]
        p = np.asarray(probabilities[rows])
        best = p.argmax(axis=1)  # what is not a number is found first
        finite(p[np.arange(len(p)), best], "student's probabilities")
        guess[block] = best if pool.columns is None else pool.columns[rows, best]
    return guess


def _fill(
    guess: Rows,
    margin: NDArray[np.float32],
    counts: NDArray[np.float64],
    take: int,
    rng: np.random.Generator,
) -> Rows:
    """(take,) places: each time the label with the fewest counts gives its smallest margin."""
    order = rng.permutation(len(guess))
    order = order[np.lexsort((margin[order], guess[order]))]
    ends = np.cumsum(np.bincount(guess, minlength=len(counts)))
    nexts = np.concatenate([[0], ends[:-1]])
    tie = rng.random(len(counts)) * 0.5  # counts of hard answers are whole numbers
    counts = np.where(nexts < ends, counts + tie, np.inf)
    places = np.empty(take, dtype=np.int64)
    for i in range(take):
        label = int(counts.argmin())
        places[i] = order[nexts[label]]
        nexts[label] += 1
        counts[label] = counts[label] + 1 if nexts[label] < ends[label] else np.inf
    return places
