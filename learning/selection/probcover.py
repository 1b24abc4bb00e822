"""Selection by coverage: balls around labels that hold as many items as they can."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.errors import NotEnoughDataError, ParameterError
from learning.selection.kmeans import assign, kmeans, nearest_squared
from learning.selection.reading import (
    Matrix,
    Rows,
    encodings_of,
    labels_of,
    nothing,
    points_of,
    wanted,
)
from learning.selection.thinning import COPY, first_of_copies, sample
from learning.types import Pool, Selection, row_blocks

LINES = 1024  # rows of the table of distances at a time
RADIUS_ROWS = 2_000  # items by whose balls the radius is found


@dataclass(frozen=True, kw_only=True)
class ProbCover:
    """Pick the item within whose radius the most uncovered items lie. Source: Yehuda et al. 2022.

    Items within the radius of a labelled item or a pick are covered. The radius is the largest at
    which a share `purity` of the balls is pure: all of their items in one group of a k-means with
    as many groups as there are labels. When everything is covered, covering begins anew.

    purity: 0 … 1; groups: of the k-means, 0 for as many as the pool has labels.
    rounds: k-means rounds at most.
    keep: candidates looked at, a uniform sample of larger pools; as many labelled items again.
    """

    purity: float = 0.95
    groups: int = 0
    rounds: int = 20
    keep: int = 10_000

    def __post_init__(self) -> None:
        if not 0 < self.purity <= 1 or self.groups < 0 or min(self.rounds, self.keep) < 1:
            raise ParameterError(
                "ProbCover needs a purity above 0 and up to 1, groups not below 0, rounds and "
                "keep above 0."
            )

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows in the order of the greedy choice; chance breaks ties.

        The draw probability is the share of the candidates that was looked at. Raises
        NotEnoughDataError without encodings or when neither pool nor `groups` tells how many
        labels there are, ShapeError when encodings are not numbers.
        """
        encodings = encodings_of(pool, "ProbCover")
        candidates = pool.candidates()
        take = wanted(n, candidates)
        if take == 0:
            return nothing()
        groups = self.groups or labels_of(pool)
        if groups == 0:
            raise NotEnoughDataError("ProbCover needs to know how many labels there are.")
        kept = rng.permutation(sample(candidates, max(self.keep, take), rng))
        known = sample(np.flatnonzero(pool.labelled).astype(np.int64), self.keep, rng)
        points = points_of(encodings, kept)
        radius = self._radius(points, min(groups, len(kept)), rng)
        near = within(points, points, radius)
        np.fill_diagonal(near, val=True)
        bare = ~covered(points, points_of(encodings, known), radius)
        first = first_of_copies(points)
        places, gains, rounds = cover(near, bare, first, take)
        copies = np.flatnonzero(~first)[: take - len(places)]
        scale = len(candidates) / len(kept)
        return Selection(
            rows=kept[np.concatenate([places, copies]).astype(np.int64)],
            probabilities=np.full(take, 1 / scale),
            reasons=[
                *(
                    _reason(gain, scale, radius, again)
                    for gain, again in zip(gains, rounds, strict=True)
                ),
                *[COPY] * len(copies),
            ],
        )

    def _radius(self, points: Matrix, groups: int, rng: np.random.Generator) -> float:
        """The (1 - purity) quantile of the distances to the nearest item of another group."""
        group = assign(points, kmeans(points, groups, self.rounds, rng), _squares(points))[0]
        tried = min(len(points), RADIUS_ROWS)
        foreign = np.empty(tried, dtype=np.float32)
        farthest = 0.0
        for block in row_blocks(tried, LINES):
            apart = distances(points[block], points)
            farthest = max(farthest, float(apart.max()))
            apart[group[block][:, None] == group] = np.inf
            foreign[block] = apart.min(axis=1)
        radius = float(np.quantile(foreign, 1 - self.purity, method="lower"))
        return min(radius, farthest)


def cover(
    near: NDArray[np.bool_], bare: NDArray[np.bool_], free: NDArray[np.bool_], take: int
) -> tuple[list[int], list[int], list[int]]:
    """The greedy cover: places picked, how many bare items each covered, in which round.

    near: (t, t) symmetric, an item lies in another's ball; bare: (t,) not covered yet; free: (t,) may
    be picked. A round ends when nothing is bare; then everything but the picks is bare again. Ends
    when nothing is free.
    """
    bare, free = bare.copy(), free.copy()
    total = int(free.sum())
    picked = np.zeros(len(free), dtype=np.bool_)
    gain = _count(near, bare)
    places: list[int] = []
    gains: list[int] = []
    rounds: list[int] = []
    turn = 0
    while len(places) < min(take, total):
        best = int(np.where(free, gain, -1).argmax())
        if gain[best] == 0:
            turn += 1
            bare[:] = ~picked
            gain = _count(near, bare)
            continue
        places.append(best)
        gains.append(int(gain[best]))
        rounds.append(turn)
        free[best] = False
        picked[best] = True
        fresh = near[best] & bare
        bare &= ~fresh
        gain -= near[fresh].sum(axis=0)
    return places, gains, rounds


def _count(near: NDArray[np.bool_], bare: NDArray[np.bool_]) -> Rows:
    """(t,) how many bare items lie in each ball."""
    gain = np.empty(len(near), dtype=np.int64)
    for block in row_blocks(len(near), LINES):
        gain[block] = np.count_nonzero(near[block] & bare, axis=1)
    return gain


def within(points: Matrix, others: Matrix, radius: float) -> NDArray[np.bool_]:
    """(m, o) whether two lie less than the radius apart."""
    near = np.empty((len(points), len(others)), dtype=np.bool_)
    for block in row_blocks(len(points), LINES):
        near[block] = distances(points[block], others) < radius
    return near


def covered(points: Matrix, others: Matrix, radius: float) -> NDArray[np.bool_]:
    """(m,) whether any of the others lies less than the radius away."""
    if not len(others):
        return np.zeros(len(points), dtype=np.bool_)
    return np.asarray(np.sqrt(nearest_squared(points, others, _squares(points))) < radius)


def distances(points: Matrix, others: Matrix) -> Matrix:
    """(m, o) Euclidean distances."""
    apart = _squares(points)[:, None] + _squares(others) - 2 * points @ others.T
    return np.asarray(np.sqrt(np.maximum(apart, 0)), dtype=np.float32)


def _squares(points: Matrix) -> Matrix:
    return np.asarray(np.einsum("nd,nd->n", points, points))


def _reason(gain: int, scale: float, radius: float, again: int) -> str:
    count = f"{'about ' if scale > 1 else ''}{round(gain * scale):,} waiting items lie"
    if again:
        return f"{count} within {radius:.2f} of it, in round {again + 1} of covering all"
    return f"{count} within {radius:.2f} of it and have no label or pick nearby"
