"""Selection by the question of a form that is in most doubt."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.errors import ShapeError
from learning.parts import chances, margins, shares
from learning.selection.margin import Margin, between, smallest, whether
from learning.selection.reading import finite, label_name, percent, probabilities_of, wanted
from learning.types import BLOCK_ROWS, Floats, Ints, Pool, Selection, row_blocks


@dataclass(frozen=True, kw_only=True)
class Neediest:
    """Pick the items with the question that the student answers with the smallest margin, as far as
    it is likely to be asked. Source: Scheffer et al. 2001 (the margin), taken question by question.

    A question that marks the text is as unsure as what the tagger would mark, or as which labels occur.
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
            each = _margins(pool, probabilities, candidates[block])  # (b, p)
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


def _margins(pool: Pool, probabilities: Floats, rows: Ints) -> NDArray[np.float32]:
    """(b, p) how sure each question is; one that marks the text no surer than its marks."""
    each = margins(probabilities[rows], pool.parts)
    for place, sure in pool.marked.items():
        reached = chances(probabilities[rows], pool.parts)[:, place]
        each[:, place] = np.minimum(each[:, place], 1 - reached * (1 - np.asarray(sure)[rows]))
    return each


def _reason(pool: Pool, probabilities: Floats, row: int, place: int) -> str:
    part = pool.parts[place]
    if place in pool.marked:
        labels = margins(probabilities[[row]], pool.parts)[0, place]
        if _margins(pool, probabilities, np.array([row]))[0, place] < labels:
            sure = percent(float(pool.marked[place][row]))
            return f"the student is unsure what to mark (it is {sure} sure)"
    p = shares(np.asarray(probabilities[row : row + 1]), pool.parts)[place][0]
    if part.several or len(p) < 2:
        at = int(np.abs(p - 0.5).argmin()) if len(p) else 0
        name = label_name(pool, part.columns[at])
        return whether(name, float(p[at]))
    second, first = np.argsort(p, kind="stable")[-2:]
    told = [
        f"{label_name(pool, part.columns[at])} ({percent(float(p[at]))})" for at in (first, second)
    ]
    return between(told[0], told[1], float(p[first] - p[second]))
