"""Selection by the student's doubt about single labels of an item."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from learning.selection.labelwise import candidate_blocks, nearest_to_half
from learning.selection.margin import smallest, whether
from learning.selection.reading import (
    finite,
    label_name,
    labels_of,
    percent,
    probabilities_of,
    wanted,
)
from learning.types import Floats, Pool, Selection

PROBABILITIES = "student's probabilities"


@dataclass(frozen=True, kw_only=True)
class LabelMargin:
    """Pick the items with a label that the student can neither confirm nor rule out. Source:
    Brinker 2006 (binary minimum); Esuli, Sebastiani 2009 (the mean).

    over: `closest` looks at the label nearest 50 % only, `mean` at the mean over all labels.
    """

    over: Literal["closest", "mean"] = "closest"

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows, smallest margin |2p - 1| first; the generator breaks ties.

        Raises NeedsStudentError when the pool has no probabilities.
        """
        probabilities = probabilities_of(pool, "The margin of labels")
        candidates = pool.candidates()
        if self.over == "closest":
            doubt = closest_margins(pool, probabilities, candidates)
        else:
            doubt = _mean_margins(pool, probabilities, candidates)
        chosen, likely = smallest(doubt, wanted(n, candidates), rng)
        reasons = [
            self._reason(pool, probabilities, int(candidates[place]), float(doubt[place]))
            for place in chosen
        ]
        return Selection(rows=candidates[chosen], probabilities=likely, reasons=reasons)

    def _reason(self, pool: Pool, probabilities: Floats, row: int, margin: float) -> str:
        column, p = nearest_to_half(pool, probabilities, row)
        name = label_name(pool, column)
        if self.over == "closest":
            return whether(name, p)
        return (
            f"the student is {percent(margin)} sure of each label on average, least of {name} "
            f"({percent(p)})"
        )


def closest_margins(
    pool: Pool, probabilities: Floats, candidates: NDArray[np.int64]
) -> NDArray[np.float32]:
    """(c,) the smallest |2p - 1| over the labels of each candidate, 0 undecided … 1 sure."""
    if pool.multi_label and pool.margins is not None:
        result = np.asarray(pool.margins[candidates], dtype=np.float32)
    else:
        result = np.empty(len(candidates), dtype=np.float32)
        for places, p in candidate_blocks(pool, probabilities, candidates):
            result[places] = np.abs(2 * p - 1).min(axis=1, initial=1.0)
    return finite(result, PROBABILITIES)


def _mean_margins(
    pool: Pool, probabilities: Floats, candidates: NDArray[np.int64]
) -> NDArray[np.float32]:
    """(c,) the mean of |2p - 1| over the labels of each candidate."""
    result = np.empty(len(candidates), dtype=np.float32)
    labels = max(1, labels_of(pool))
    for places, p in candidate_blocks(pool, probabilities, candidates):
        result[places] = (np.abs(2 * p - 1).sum(axis=1) + labels - p.shape[1]) / labels
    return finite(result, PROBABILITIES)
