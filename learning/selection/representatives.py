"""The cold start: items that stand for the groups of the encoding space."""

from dataclasses import dataclass

import numpy as np

from learning.errors import NotEnoughDataError, ParameterError
from learning.selection.kmeans import kmeans, nearest_rows
from learning.types import Pool, Selection


@dataclass(frozen=True, kw_only=True)
class Representatives:
    """Pick the item nearest each k-means centre of the encodings. Source: Nguyen, Smeulders 2004.

    sample: centres are fitted on at most this many randomly drawn candidates; the nearest items
        and the sizes of the groups are then found among all of them.
    rounds: k-means rounds at most.
    """

    sample: int = 20_000
    rounds: int = 12

    def __post_init__(self) -> None:
        if self.sample < 1 or self.rounds < 1:
            raise ParameterError("Representatives need a sample and a number of rounds above 0.")

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows, those of the largest groups first.

        Raises NotEnoughDataError when the pool has no encodings.
        """
        if pool.encodings is None:
            raise NotEnoughDataError("Representatives need encodings; there are none yet.")
        candidates = pool.candidates()
        take = min(max(n, 0), len(candidates))
        if take == 0:
            empty = np.empty(0)
            return Selection(rows=empty.astype(np.int64), probabilities=empty, reasons=[])
        size = min(len(candidates), max(self.sample, 20 * take))
        drawn = np.sort(rng.choice(candidates, size=size, replace=False))
        points = np.asarray(pool.encodings[drawn], dtype=np.float32)
        centres = kmeans(points, take, self.rounds, rng)
        rows, sizes = nearest_rows(pool.encodings, candidates, centres)
        order = np.argsort(-sizes, kind="stable")
        return Selection(
            rows=rows[order],
            probabilities=np.ones(take),
            reasons=[_reason(sizes[place], len(candidates)) for place in order],
        )


def _reason(size: int, candidates: int) -> str:
    if size <= 1:
        return "unlike the other waiting items: it stands for itself"
    return (
        f"typical of a group of {size:,} similar items "
        f"({100 * size / candidates:.1f} % of those waiting)"
    )
