"""Which places lie within an outline that somebody drew on a map."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from learning.layouts.stored import NOWHERE
from learning.types import Bools, Ints, require


def inside(places: Ints, outline: Sequence[tuple[int, int]]) -> Bools:
    """(n,) whether each of (n, 2) places on the grid lies within the outline (even-odd rule).

    Whole numbers throughout, so that a browser and this give the same answer at the edge too. A
    place of NOWHERE lies in nothing. Source: Shimrat 1962.
    """
    require(len(outline) >= 3, "An outline needs three corners at least.")
    corners: NDArray[np.int64] = np.asarray(outline, dtype=np.int64)
    x, y = np.asarray(places, dtype=np.int64).T
    low, high = corners.min(axis=0), corners.max(axis=0)
    near = (x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1])
    near &= (x != NOWHERE) | (y != NOWHERE)
    chosen = np.flatnonzero(near)
    px, py = x[chosen], y[chosen]
    odd = np.zeros(len(chosen), dtype=np.bool_)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if ay == by:
            continue
        spans = (ay > py) != (by > py)
        left = (px - ax) * (by - ay) < (py - ay) * (bx - ax)
        odd ^= spans & (
            left if by > ay else ~left & ((px - ax) * (by - ay) != (py - ay) * (bx - ax))
        )
    found = np.zeros(len(x), dtype=np.bool_)
    found[chosen] = odd
    return found
