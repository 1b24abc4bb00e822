"""Selection by typicality: the most typical item of each group that has no label yet."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.errors import ParameterError
from learning.selection.kmeans import assign, kmeans
from learning.selection.reading import Matrix, Rows, encodings_of, nothing, points_of, wanted
from learning.selection.thinning import COPY, first_of_copies, sample
from learning.types import BLOCK_ROWS, Pool, Selection, row_blocks

SMALL = 5  # groups below wait until all others have had a turn
COMPARED = 2_000  # members of a group among which neighbours are looked for


@dataclass(frozen=True, kw_only=True)
class TypiClust:
    """Pick the most typical item of the largest groups without labels. Source: Hacohen et al. 2022.

    The items are grouped by k-means into as many groups as there will be labels. Groups with the
    fewest labels come first, of those the largest; the pick is the item whose mean distance to its
    nearest neighbours in the group is least (typicality is one over that).

    neighbours: how many count for typicality.
    groups: at most.
    rounds: k-means rounds at most.
    keep: candidates looked at, a uniform sample of larger pools; as many labelled items again.
    """

    neighbours: int = 20
    groups: int = 500
    rounds: int = 10
    keep: int = 20_000

    def __post_init__(self) -> None:
        if min(self.neighbours, self.groups, self.rounds, self.keep) < 1:
            raise ParameterError("TypiClust needs all parameters above 0.")

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows in the order of the turns.

        The draw probability is the share of the candidates that was looked at. Raises
        NotEnoughDataError when the pool has no encodings, ShapeError when they are not numbers.
        """
        encodings = encodings_of(pool, "TypiClust")
        candidates = pool.candidates()
        take = wanted(n, candidates)
        if take == 0:
            return nothing()
        labelled = np.flatnonzero(pool.labelled).astype(np.int64)
        kept = sample(candidates, max(self.keep, 2 * take), rng)
        known = sample(labelled, self.keep, rng)
        points = points_of(encodings, np.concatenate([kept, known]))
        groups = min(self.groups, len(labelled) + take, len(points))
        group = _group(points, groups, self.rounds, rng)
        waiting = np.arange(len(points)) < len(kept)
        first = first_of_copies(points) & waiting
        picks = _take_turns(points, group, waiting, first, take, self.neighbours)
        copies = rng.permutation(np.flatnonzero(waiting & ~first))[: take - len(picks)]
        picks += [_Pick(int(place)) for place in copies]
        scale = len(candidates) / len(kept)
        return Selection(
            rows=kept[[pick.place for pick in picks]],
            probabilities=np.full(take, 1 / scale),
            reasons=[pick.reason(scale) for pick in picks],
        )


@dataclass(frozen=True)
class _Pick:
    """place: row of the points; size, labels: of its group, size 0 for a copy of another pick;
    distance: mean, to its neighbours.
    """

    place: int
    size: int = 0
    labels: int = 0
    distance: float = 0.0

    def reason(self, scale: float) -> str:
        if not self.size:
            return COPY
        size = f"{'about ' if scale > 1 else ''}{round(self.size * scale):,}"
        labels = "no label" if not self.labels else f"{self.labels:,} labels or picks"
        return (
            f"typical of a group of {size} waiting items with {labels} yet: "
            f"{self.distance:.2f} from its neighbours on average"
        )


def _group(points: Matrix, groups: int, rounds: int, rng: np.random.Generator) -> Rows:
    centres = kmeans(points, groups, rounds, rng)
    return assign(points, centres, np.einsum("nd,nd->n", points, points))[0]


def _take_turns(
    points: Matrix,
    group: Rows,
    waiting: NDArray[np.bool_],
    free: NDArray[np.bool_],
    take: int,
    neighbours: int,
) -> list[_Pick]:
    """The groups in turn: fewest labels first, then largest; each gives its most typical free item,
    until nothing is free.
    """
    sizes = np.bincount(group[waiting], minlength=int(group.max()) + 1)
    given = np.bincount(group[~waiting], minlength=len(sizes))
    left = np.bincount(group[free], minlength=len(sizes))
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(len(sizes) + 1))
    typical: dict[int, list[tuple[int, float]]] = {}  # the free items of a group, most typical last
    picks: list[_Pick] = []
    while len(picks) < take and left.any():
        some = np.flatnonzero(left)
        rank = np.lexsort((-sizes[some], given[some], sizes[some] < SMALL))
        g = int(some[rank[0]])
        if g not in typical:
            members = order[starts[g] : starts[g + 1]]
            typical[g] = _by_typicality(points, members, free[members], neighbours)
        place, distance = typical[g].pop()
        picks.append(_Pick(place, int(sizes[g]), int(given[g]), distance))
        left[g] -= 1
        given[g] += 1
    return picks


def _by_typicality(
    points: Matrix, members: Rows, free: NDArray[np.bool_], neighbours: int
) -> list[tuple[int, float]]:
    """The free members with their mean distance to their neighbours, most typical last."""
    step = -(-len(members) // COMPARED)
    others = members[::step]
    near = min(neighbours, len(others) - 1)
    if near == 0:
        return [(int(member), 0.0) for member in members[free]]
    mean = np.empty(len(members), dtype=np.float32)
    squares = np.einsum("nd,nd->n", points[others], points[others])
    for block in row_blocks(len(members), BLOCK_ROWS // 4):
        these = points[members[block]]
        apart = (
            np.einsum("nd,nd->n", these, these)[:, None] + squares - 2 * these @ points[others].T
        )
        apart[members[block][:, None] == others] = np.inf
        apart = np.partition(apart, near - 1, axis=1)[:, :near]
        mean[block] = np.sqrt(np.maximum(apart, 0)).mean(axis=1)
    order = np.flatnonzero(free)[np.argsort(-mean[free], kind="stable")]
    return [(int(members[place]), float(mean[place])) for place in order]
