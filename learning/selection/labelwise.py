"""What strategies for items with several labels share: the student's word, label by label.

Every label is a yes/no question of its own here, also in a pool with one label per item. Labels
whose probability was not kept (see `Pool.columns`) count as surely absent.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from learning.selection.reading import dense, finite
from learning.types import Bools, Floats, Pool, row_blocks

BLOCK = 2048  # rows whose every label fits the processor's cache
PRESENT = 0.5


def candidate_blocks(
    pool: Pool, probabilities: Floats, candidates: NDArray[np.int64]
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """(places among the candidates, their (b, t) probabilities), in order; one block at a time."""
    ends = np.searchsorted(candidates, np.arange(0, pool.rows + BLOCK, BLOCK))
    for number, block in enumerate(row_blocks(pool.rows, BLOCK)):
        first, last = int(ends[number]), int(ends[number + 1])
        if first == last:
            continue
        whole = last - first == block.stop - block.start
        rows = block if whole else candidates[first:last]
        yield slice(first, last), np.asarray(probabilities[rows], dtype=np.float32)


def label_sets(pool: Pool, probabilities: Floats, rows: NDArray[np.int64]) -> Bools:
    """(m, k) bool, the labels that the student finds on each row."""
    kept = np.asarray(probabilities[rows], dtype=np.float32)
    return np.asarray(dense(pool, kept, rows) >= PRESENT, dtype=np.bool_)


def nearest_to_half(pool: Pool, probabilities: Floats, row: int) -> tuple[int, float]:
    """The label of a row that is most in doubt: its column, and how likely it is."""
    p = finite(probabilities[row], "student's probabilities")
    place = int(np.abs(p - 0.5).argmin())
    return place if pool.columns is None else int(pool.columns[row, place]), float(p[place])
