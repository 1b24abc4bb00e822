"""Questions about one label where only one is in doubt."""

from dataclasses import dataclass

import numpy as np

from learning.errors import ParameterError
from learning.selection.label_margin import closest_margins
from learning.selection.labelwise import nearest_to_half
from learning.selection.margin import smallest, whether
from learning.selection.reading import (
    Matrix,
    finite,
    label_name,
    labels_of,
    percent,
    probabilities_of,
    wanted,
)
from learning.types import Floats, Pool, Selection


@dataclass(frozen=True, kw_only=True)
class LabelQuestions:
    """Pick the items with a label in doubt, and where all others are sure ask about that label only
    ("is it a refund?"), which is answered by one key. Source: Brinker 2006 (which items); Qi et
    al. 2008 (asking about one label of one item).

    doubt: a label is asked about when its margin |2p - 1| is below this; 0.6 is from 20 to 80 %.
    sure: and every other label of the item has at least this margin; 0.8 is 10 or 90 %.
    """

    doubt: float = 0.6
    sure: float = 0.8

    def __post_init__(self) -> None:
        if not 0 < self.doubt <= self.sure <= 1:
            raise ParameterError("Questions need 0 < doubt <= sure <= 1.")

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows, smallest margin first; `questions` -1 asks the whole answer.

        In a pool with one label per item every whole answer is asked. Raises NeedsStudentError
        when the pool has no probabilities.
        """
        probabilities = probabilities_of(pool, "Asking about single labels")
        candidates = pool.candidates()
        margins = closest_margins(pool, probabilities, candidates)
        chosen, likely = smallest(margins, wanted(n, candidates), rng)
        rows = candidates[chosen]
        asked = [self._ask(pool, probabilities, int(row)) for row in rows]
        return Selection(
            rows=rows,
            probabilities=likely,
            reasons=[reason for _, reason in asked],
            questions=np.array([column for column, _ in asked], dtype=np.int64),
        )

    def _ask(self, pool: Pool, probabilities: Floats, row: int) -> tuple[int, str]:
        """(label column or -1, the reason) for one picked row."""
        column, p = nearest_to_half(pool, probabilities, row)
        margins = np.sort(_margins(probabilities[row]))  # (t,)
        name, labels = label_name(pool, column), labels_of(pool)
        alone = margins[0] < self.doubt and not (margins[1:] < self.sure).any()
        if pool.multi_label and alone and labels > 1:
            return column, (
                f"is {name} present? {percent(p)}; all {labels - 1:,} other labels look sure"
            )
        return -1, self.whole(pool, row)

    def whole(self, pool: Pool, row: int) -> str:
        """Why a picked row is asked about whole. Raises NeedsStudentError without probabilities."""
        probabilities = probabilities_of(pool, "Asking about single labels")
        column, p = nearest_to_half(pool, probabilities, row)
        unsure = int((_margins(probabilities[row]) < self.sure).sum())
        said = whether(label_name(pool, column), p)
        return f"{said}; {unsure:,} of {labels_of(pool):,} labels are in doubt"


def _margins(probabilities: Floats) -> Matrix:
    """(t,) how sure the student is of each label of one row, 0 … 1."""
    return np.asarray(np.abs(2 * finite(probabilities, "student's probabilities") - 1))
