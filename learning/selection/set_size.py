"""Selection by how many labels the promised answer set leaves to decide between."""

from dataclasses import dataclass

import numpy as np

from learning.errors import NotEnoughDataError
from learning.selection.margin import pool_margins, smallest
from learning.selection.reading import finite, likeliest, probabilities_of, wanted
from learning.types import Pool, Selection


@dataclass(frozen=True, kw_only=True)
class SetSize:
    """Pick the items whose answer set leaves most labels to decide between.
    Source: Matiz, Barner 2019 (conformal prediction for active learning), sizes only.

    Equal sizes are told apart by the margin. An item with an empty set, unlike all that the set was
    calibrated on, counts as one in which every label is left.
    """

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows, largest set first; the generator breaks what ties are left.

        Raises NeedsStudentError without probabilities, NotEnoughDataError while no sets are
        promised, ShapeError for margins that are not numbers.
        """
        probabilities = probabilities_of(pool, "The largest answer set")
        if pool.set_sizes is None:
            raise NotEnoughDataError(
                "The largest answer set needs sets, and they need more answered audit items."
            )
        candidates = pool.candidates()
        margins = finite(pool_margins(pool, probabilities)[candidates], "student's probabilities")
        sizes = np.asarray(pool.set_sizes)[candidates].astype(np.float64)
        # A margin lies in 0 … 1, so it decides only between equal sizes.
        chosen, probability = smallest(margins / 2 - sizes, wanted(n, candidates), rng)
        rows = candidates[chosen]
        return Selection(
            rows=rows,
            probabilities=probability,
            reasons=[
                _reason(pool, int(row), int(sizes[place]))
                for row, place in zip(rows, chosen, strict=True)
            ],
        )


def _reason(pool: Pool, row: int, size: int) -> str:
    if pool.multi_label:
        return f"{size} labels are undecided at the promised coverage"
    first = likeliest(pool, row, 1)[0]
    return f"{size} labels hold at the promised coverage, first {first}"
