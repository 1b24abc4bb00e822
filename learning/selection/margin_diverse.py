"""Small margins that are unlike one another: the plain way to an uncertain and diverse batch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.errors import ParameterError
from learning.selection.kmeans import assign, kmeans
from learning.selection.margin import hesitation, pool_margins, smallest
from learning.selection.reading import (
    encodings_of,
    finite,
    nothing,
    points_of,
    probabilities_of,
    wanted,
)
from learning.types import Pool, Selection

LEAST_WEIGHT = np.float32(1e-3)


@dataclass(frozen=True, kw_only=True)
class MarginDiverse:
    """Keep the items of smallest margin, group them by k-means weighted by doubt (1 - margin), and
    take the item nearest each centre. Source: Zhdanov 2019 (Diverse mini-batch active learning).

    factor: how many times the wanted number are kept; larger is more diverse and less in doubt.
    most: kept at most, however many are wanted; but never fewer than are wanted.
    groups: centres at most; when more items are wanted, each group gives its next in doubt.
    rounds: k-means rounds at most.
    Cost: the margins of the pool, then factor x n x n x d for one batch.
    """

    factor: float = 5.0
    most: int = 20_000
    groups: int = 500
    rounds: int = 10

    def __post_init__(self) -> None:
        if self.factor < 1 or min(self.most, self.groups, self.rounds) < 1:
            raise ParameterError("Margin-diverse needs factor, most, groups and rounds from 1 on.")

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows; one item of every group before any group gives a second.

        Raises NeedsStudentError without probabilities, NotEnoughDataError without encodings,
        ShapeError when something is not a number.
        """
        probabilities = probabilities_of(pool, "Diverse small margins")
        encodings = encodings_of(pool, "Diverse small margins")
        candidates = pool.candidates()
        take = wanted(n, candidates)
        if take == 0:
            return nothing()
        doubt = finite(pool_margins(pool, probabilities)[candidates], "student's probabilities")
        keep = max(take, min(int(self.factor * take), self.most, len(candidates)))
        kept, _ = smallest(doubt, keep, rng)
        kept = np.sort(kept)
        rows = candidates[kept]
        points = points_of(encodings, rows)
        weights = np.maximum(1 - doubt[kept], LEAST_WEIGHT)
        centres = kmeans(points, min(take, self.groups), self.rounds, rng, weights)
        places, group, sizes = in_turns(points, centres, doubt[kept], take)
        reasons = [
            _reason(hesitation(pool, probabilities[row], row), int(sizes[g]), keep)
            for row, g in zip(rows[places].tolist(), group, strict=True)
        ]
        return Selection(rows=rows[places], probabilities=np.ones(take), reasons=reasons)


def in_turns(
    points: NDArray[np.float32],
    centres: NDArray[np.float32],
    doubt: NDArray[np.float32],
    take: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(take,) places and (take,) their groups, and (k,) sizes of the groups.

    Each group gives its points from the nearest to its centre outwards, one a turn; in a turn the
    points in most doubt come first.
    """
    squares = np.einsum("nd,nd->n", points, points)
    group, distance = assign(points, centres, squares)
    sizes = np.bincount(group, minlength=len(centres))
    order = np.lexsort((distance, group))  # by group, nearest first
    turn = np.empty(len(points), dtype=np.int64)
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    turn[order] = np.arange(len(points)) - first[group[order]]
    places = np.lexsort((doubt, turn))[:take].astype(np.int64)
    return places, group[places], sizes


def _reason(doubt: str, size: int, kept: int) -> str:
    if size <= 1:
        return f"{doubt}; unlike the other {kept - 1:,} items in most doubt"
    return f"{doubt}; stands for {size:,} similar ones of the {kept:,} items in most doubt"
