"""Selection by how widely the student's belief is spread."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.scores import entropies
from learning.selection.margin import smallest
from learning.selection.reading import (
    finite,
    label_name,
    likeliest,
    percent,
    probabilities_of,
    wanted,
)
from learning.types import Floats, Pool, Selection, row_blocks


@dataclass(frozen=True, kw_only=True)
class Entropy:
    """Pick the items over which the student's belief is spread widest. Source: Shannon 1948.

    Multi-label: the mean entropy over the labels.
    """

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows, largest entropy first; the generator breaks ties.

        With kept columns what is left of the probability counts as one more label, which makes
        the entropy a lower bound. Raises NeedsStudentError when the pool has no probabilities,
        ShapeError when they are not numbers.
        """
        probabilities = probabilities_of(pool, "Entropy")
        candidates = pool.candidates()
        spread = entropies(probabilities, multi_label=pool.multi_label)
        if pool.columns is not None and not pool.multi_label:
            spread += _of_remainders(probabilities)
        spread = finite(spread[candidates], "student's probabilities")
        chosen, probability = smallest(-spread, wanted(n, candidates), rng)
        rows = candidates[chosen]
        return Selection(
            rows=rows,
            probabilities=probability,
            reasons=[
                _reason(pool, probabilities, int(row), float(spread[place]))
                for row, place in zip(rows, chosen, strict=True)
            ],
        )


def _of_remainders(probabilities: Floats) -> NDArray[np.float32]:
    """(n,) -r log r with r what is left of 1 beside the kept labels."""
    left = np.empty(len(probabilities), dtype=np.float32)
    for block in row_blocks(len(probabilities)):
        left[block] = 1 - np.asarray(probabilities[block], dtype=np.float32).sum(axis=1)
    left = np.clip(left, 1e-30, 1)
    return np.asarray(-left * np.log(left), dtype=np.float32)


def _reason(pool: Pool, probabilities: Floats, row: int, spread: float) -> str:
    if not pool.multi_label:
        return (
            f"the student spreads its belief as if over {np.exp(spread):.1f} labels "
            f"(entropy {spread:.2f}), first {likeliest(pool, row, 1)[0]}"
        )
    p = np.asarray(probabilities[row], dtype=np.float32)
    place = int(np.abs(p - 0.5).argmin())
    column = place if pool.columns is None else int(pool.columns[row, place])
    return (
        f"the student doubts the labels by {spread:.2f} of 0.69 on average, "
        f"most of all {label_name(pool, column)} ({percent(p[place])})"
    )
