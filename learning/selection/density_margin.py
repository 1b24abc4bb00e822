"""Selection by doubt where items are dense: no outliers."""

from dataclasses import dataclass

import numpy as np

from learning.errors import ParameterError
from learning.selection.kmeans import BLOCK_ENTRIES
from learning.selection.margin import hesitation, pool_margins, smallest
from learning.selection.reading import (
    Matrix,
    Rows,
    encodings_of,
    finite,
    nothing,
    points_of,
    probabilities_of,
    wanted,
)
from learning.selection.thinning import most_doubtful, sample
from learning.types import Floats, Pool, Selection, row_blocks


@dataclass(frozen=True, kw_only=True)
class DensityMargin:
    """Pick the items with the largest product of doubt (1 - margin) and density.
    Source: Settles, Craven 2008 (information density); Zhu et al. 2008 (by nearest neighbours).

    Density is the mean cosine similarity to the nearest waiting items, 0 … 1, to the power
    `weight`.

    neighbours: how many of them count; of pools larger than `compared` they are looked for in a
        uniform sample of that size.
    weight: 0 is smallest margin; the larger, the more density decides.
    keep: candidates looked at, the most doubtful ones of larger pools.
    """

    neighbours: int = 20
    weight: float = 1.0
    compared: int = 5_000
    keep: int = 5_000

    def __post_init__(self) -> None:
        if min(self.neighbours, self.compared, self.keep) < 1 or self.weight < 0:
            raise ParameterError(
                "Density needs neighbours, compared and keep above 0 and a weight not below 0."
            )

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows, largest product first; the generator breaks ties.

        Raises NeedsStudentError without probabilities, NotEnoughDataError without encodings,
        ShapeError when they are not numbers.
        """
        probabilities = probabilities_of(pool, "Density-weighted margin")
        encodings = encodings_of(pool, "Density-weighted margin")
        candidates = pool.candidates()
        take = wanted(n, candidates)
        if take == 0:
            return nothing()
        kept = most_doubtful(pool, probabilities, candidates, max(self.keep, take), rng)
        doubt = 1 - finite(pool_margins(pool, probabilities)[kept], "student's probabilities")
        density = self._density(encodings, kept, sample(candidates, self.compared, rng))
        score = doubt * density ** np.float32(self.weight)
        chosen, probability = smallest(-score, take, rng)
        rows = kept[chosen]
        return Selection(
            rows=rows,
            probabilities=probability,
            reasons=[
                f"{hesitation(pool, probabilities[row], int(row))}; it is among similar items, "
                f"likeness {density[place]:.2f} (0 none, 1 the same)"
                for row, place in zip(rows, chosen, strict=True)
            ],
        )

    def _density(self, encodings: Floats, rows: Rows, others: Rows) -> Matrix:
        """(m,) mean similarity of each row to its nearest of the others, not below 0."""
        density = np.zeros(len(rows), dtype=np.float32)
        near = min(self.neighbours, len(others) - 1)
        if near < 1:
            return density
        points = points_of(encodings, others)
        for block in row_blocks(len(rows), max(1, BLOCK_ENTRIES // len(others))):
            alike = points_of(encodings, rows[block]) @ points.T
            alike[rows[block][:, None] == others] = -np.inf
            alike = np.partition(alike, len(others) - near, axis=1)[:, -near:]
            density[block] = np.clip(alike.mean(axis=1), 0, 1)
        return density
