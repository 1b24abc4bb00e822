"""Selection by the question of a form that is in most doubt."""

from dataclasses import dataclass

import numpy as np

from learning.errors import ShapeError
from learning.parts import margins, shares
from learning.selection.margin import Margin, smallest
from learning.selection.reading import finite, label_name, percent, probabilities_of, wanted
from learning.types import BLOCK_ROWS, Floats, Pool, Selection, row_blocks


@dataclass(frozen=True, kw_only=True)
class Neediest:
    """Pick the items with the question that the student answers with the smallest margin, as far as
    it is likely to be asked. Source: Scheffer et al. 2001 (the margin), taken question by question.
    """

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows, smallest margin first; the generator breaks ties.

        Where answers are no forms there is one question, and it is the smallest margin as such.
        Raises NeedsStudentError when the pool has no probabilities, ShapeError where only the
        likeliest labels are kept.
        """
        probabilities = probabilities_of(pool, "The neediest question")
        if not pool.parts:
            return Margin().select(pool, n, rng)
        if pool.columns is not None:
            raise ShapeError("Questions have too many labels to be compared.")
        candidates = pool.candidates()
        sure = np.empty(len(candidates), dtype=np.float32)
        neediest = np.empty(len(candidates), dtype=np.int64)
        for block in row_blocks(len(candidates), BLOCK_ROWS):
            each = margins(probabilities[candidates[block]], pool.parts)  # (b, p)
            sure[block], neediest[block] = each.min(axis=1), each.argmin(axis=1)
        chosen, likely = smallest(
            finite(sure, "student's probabilities"), wanted(n, candidates), rng
        )
        return Selection(
            rows=candidates[chosen],
            probabilities=likely,
            reasons=[
                _reason(pool, probabilities, int(candidates[place]), int(neediest[place]))
                for place in chosen
            ],
        )


def _reason(pool: Pool, probabilities: Floats, row: int, place: int) -> str:
    part = pool.parts[place]
    p = shares(np.asarray(probabilities[row : row + 1]), pool.parts)[place][0]
    if part.several or len(p) < 2:
        at = int(np.abs(p - 0.5).argmin()) if len(p) else 0
        name = label_name(pool, part.columns[at])
        return f"the student is unsure whether {name} applies ({percent(float(p[at]))})"
    second, first = np.argsort(p, kind="stable")[-2:]
    told = [
        f"{label_name(pool, part.columns[at])} ({percent(float(p[at]))})" for at in (first, second)
    ]
    return f"the student hesitates between {told[0]} and {told[1]}"
