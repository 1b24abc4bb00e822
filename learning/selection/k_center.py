"""Selection by coverage: whatever is farthest from all that has a label."""

from dataclasses import dataclass

import numpy as np

from learning.errors import ParameterError
from learning.halves import single
from learning.selection.kmeans import assign, kmeans, nearest_squared
from learning.selection.reading import (
    Matrix,
    Rows,
    encodings_of,
    finite,
    nothing,
    points_of,
    wanted,
)
from learning.selection.thinning import sample
from learning.types import Floats, Pool, Selection, row_blocks

FEW = 128  # labelled items and picks to which every candidate is compared one by one
MOST_LABELLED = 10_000  # labelled items to which the kept candidates are compared
NEVER = -1.0  # distance of a pick: it is not picked again


@dataclass(frozen=True, kw_only=True)
class KCenter:
    """Pick, one after the other, the item farthest from everything labelled or picked.
    Source: Sener, Savarese 2018 (greedy core-set); Gonzalez 1985.

    keep: candidates in memory at a time. The distance to some of the labelled and picked items
        (a group of them that lies nearby) is a bound on the distance to all of them; those of the
        largest bounds are kept, and while the farthest of them is farther than every bound
        outside, the pick is the one that the whole pool would give.
    rounds: choices of whom to keep at most; in the last one the kept candidates decide alone.
    passes: how many of the rounds begin by bringing the bounds of the whole pool up to date; in
        all of them those of the kept candidates become exact.
    """

    keep: int = 20_000
    rounds: int = 10
    passes: int = 2

    def __post_init__(self) -> None:
        if min(self.keep, self.rounds, self.passes) < 1:
            raise ParameterError("K-center needs keep, rounds and passes above 0.")

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows in the order of the greedy choice.

        With nothing labelled the first is the item nearest the mean. Distances are Euclidean; of
        unit rows they are 0 same … 2 opposite. Raises NotEnoughDataError when the pool has no
        encodings, ShapeError when they are not numbers.
        """
        encodings = encodings_of(pool, "K-center")
        candidates = pool.candidates()
        take = wanted(n, candidates)
        if take == 0:
            return nothing()
        labelled = sample(np.flatnonzero(pool.labelled).astype(np.int64), MOST_LABELLED, rng)
        cover = _Cover(encodings, candidates, points_of(encodings, labelled))
        if not len(labelled):
            cover.begin_in_the_middle(rng)
        keep = max(self.keep, take)
        for number in range(self.rounds):
            if number < self.passes and keep < len(candidates):
                cover.tighten(rng)
            cover.grow(take, keep, rng, finish=number == self.rounds - 1)
        return Selection(
            rows=candidates[cover.places],
            probabilities=np.ones(take),
            reasons=[_reason(d, len(candidates), len(labelled)) for d in cover.distances],
        )


class _Cover:
    """The labelled items and the picks so far, and how far all else is from them.

    bounds: (c,) squared distances that are at least the true ones; NEVER for picks.
    anchors: (l, d) points of labelled items; places: the picks, as places among the candidates;
    distances: how far each pick was from the anchors and the picks before it, None for a first
    pick without any.
    """

    def __init__(self, encodings: Floats, candidates: Rows, anchors: Matrix) -> None:
        self.encodings, self.candidates, self.anchors = encodings, candidates, anchors
        self.bounds = np.full(len(candidates), np.inf, dtype=np.float32)
        self.bounded, self.bound_by = False, 0  # are anchors, how many picks are in the bounds
        self.places: list[int] = []
        self.distances: list[float | None] = []

    def begin_in_the_middle(self, rng: np.random.Generator) -> None:
        """Pick the candidate nearest to the mean, both found in a sample."""
        places = sample(np.arange(len(self.candidates)), MOST_LABELLED, rng)
        points = points_of(self.encodings, self.candidates[places])
        away = points - points.mean(axis=0)
        nearest = int(np.einsum("nd,nd->n", away, away).argmin())
        self._take(int(places[nearest]), None)

    def grow(self, take: int, keep: int, rng: np.random.Generator, *, finish: bool) -> None:
        """Pick from the `keep` candidates of largest bounds until there are `take` picks or, but
        for a `finish`, until a candidate outside could be farther.
        """
        if len(self.places) >= take:
            return
        kept, floor = np.arange(len(self.candidates)), NEVER
        if keep < len(kept):
            split = len(kept) - keep
            kept = np.argpartition(self.bounds, split)
            floor = float(self.bounds[kept[:split]].max())
            kept = kept[split:]
        kept = rng.permutation(np.sort(kept))  # equal distances are decided by chance
        points = points_of(self.encodings, self.candidates[kept])
        squares = np.einsum("nd,nd->n", points, points)
        nearest = self._exact(points, squares)
        nearest[self.bounds[kept] == NEVER] = NEVER
        while len(self.places) < take:
            best = int(nearest.argmax())
            if nearest[best] < floor and not finish:
                break
            self._take(int(kept[best]), float(nearest[best]))
            fresh = squares + squares[best] - 2 * (points @ points[best])
            np.minimum(nearest, np.maximum(fresh, 0), out=nearest)
            nearest[best] = NEVER
        self.bounds[kept] = nearest

    def _take(self, place: int, squared: float | None) -> None:
        self.places.append(place)
        self.distances.append(None if squared is None else float(np.sqrt(squared)))
        self.bounds[place] = NEVER

    def tighten(self, rng: np.random.Generator) -> None:
        """One pass: bring the labelled items and the picks since the last pass into the bounds."""
        fresh = points_of(self.encodings, self.candidates[self.places[self.bound_by :]])
        others = fresh if self.bounded else np.concatenate([self.anchors, fresh])
        self.bounded, self.bound_by = True, len(self.places)
        if not len(others):
            return
        groups = _in_groups(others, rng)
        for block in row_blocks(len(self.candidates)):
            points = single(self.encodings[self.candidates[block]])
            np.minimum(self.bounds[block], _at_most(points, *groups), out=self.bounds[block])
        finite(self.bounds, "encodings")

    def _exact(self, points: Matrix, squares: Matrix) -> Matrix:
        """(m,) squared distances to the nearest of all anchors and picks."""
        picks = points_of(self.encodings, self.candidates[self.places])
        return nearest_squared(points, np.concatenate([self.anchors, picks]), squares)


def _in_groups(others: Matrix, rng: np.random.Generator) -> tuple[Matrix, list[Matrix]]:
    """(g, d) centres and the others of each group; one group of a few, else some square root."""
    count = 1 if len(others) <= FEW else int(np.sqrt(len(others)))
    centres = kmeans(others, count, 5, rng)
    group = assign(others, centres, np.einsum("nd,nd->n", others, others))[0]
    full = np.unique(group)
    return centres[full], [others[group == g] for g in full]


def _at_most(points: Matrix, centres: Matrix, groups: list[Matrix]) -> Matrix:
    """(m,) squared distances to the nearest of the others in the group of the nearest centre, which
    are seldom above the distances to all others and never below.
    """
    squares = np.einsum("nd,nd->n", points, points)
    if len(groups) == 1:
        return nearest_squared(points, groups[0], squares)
    group = assign(points, centres, squares)[0]
    bounds = np.empty(len(points), dtype=np.float32)
    for g in np.unique(group):
        rows = np.flatnonzero(group == g)
        bounds[rows] = nearest_squared(points[rows], groups[g], squares[rows])
    return bounds


def _reason(distance: float | None, waiting: int, labelled: int) -> str:
    if distance is None:
        return f"the most central of {waiting:,} waiting items, nothing is labelled yet"
    others = f"the {labelled:,} labelled items and the picks before it" if labelled else "all picks"
    return f"far from {others}: the nearest is {distance:.2f} away (0 same, 2 opposite)"
