"""Which candidates a costly strategy looks at: few enough for its budget, and the right ones.

A pool of a million items cannot be compared pair by pair. Strategies whose scores fall with the
student's certainty keep the most doubtful candidates; strategies that cover the pool keep a
uniform sample. Up to `keep` candidates nothing is left out. What is lost on larger pools is
measured by `bench/selection/thinning.py` and told in docs/selection.md.
"""

import numpy as np
from numpy.typing import NDArray

from learning.selection.margin import pool_margins, smallest
from learning.selection.reading import Matrix, Rows, finite
from learning.types import Floats, Pool

COPY = "a copy of another pick: no 2 different items are left to choose from"


def most_doubtful(
    pool: Pool, probabilities: Floats, candidates: Rows, keep: int, rng: np.random.Generator
) -> Rows:
    """(min(keep, c),) the candidates of smallest margin, ascending; chance breaks ties."""
    if len(candidates) <= keep:
        return candidates
    doubt = finite(pool_margins(pool, probabilities)[candidates], "student's probabilities")
    return np.sort(candidates[smallest(doubt, keep, rng)[0]])


def sample(rows: Rows, keep: int, rng: np.random.Generator) -> Rows:
    """(min(keep, r),) uniformly drawn rows without replacement, ascending."""
    if len(rows) <= keep:
        return rows
    return np.sort(rng.choice(rows, size=keep, replace=False, shuffle=False))


def first_of_copies(points: Matrix) -> NDArray[np.bool_]:
    """(n,) whether a point differs from all before it in at least one number."""
    rows = np.ascontiguousarray(points).view(np.dtype((np.void, points.itemsize * points.shape[1])))
    first = np.zeros(len(points), dtype=np.bool_)
    first[np.unique(rows[:, 0], return_index=True)[1]] = True
    return first
