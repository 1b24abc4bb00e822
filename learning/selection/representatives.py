"""The cold start: items that stand for the groups of the encoding space."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.errors import NotEnoughDataError, ParameterError
from learning.selection.kmeans import coverage_order, kmeans, nearest_rows
from learning.selection.reading import points_of
from learning.types import Pool, Selection

COVERED_ROWS = 2_000  # items by which the order of the groups is found


@dataclass(frozen=True, kw_only=True)
class Representatives:
    """Pick the item nearest each k-means centre of the encodings. Source: Nguyen, Smeulders 2004.

    sample: centres are fitted on at most this many randomly drawn candidates; the nearest items
        and the sizes of the groups are then found among all of them.
    rounds: k-means rounds at most.
    groups: centres at most; when more items are wanted, each group gives its next nearest ones.
    """

    sample: int = 20_000
    rounds: int = 12
    groups: int = 500

    def __post_init__(self) -> None:
        if min(self.sample, self.rounds, self.groups) < 1:
            raise ParameterError("Representatives need sample, rounds and groups above 0.")

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows, ordered so that every beginning stands well for the whole.

        Raises NotEnoughDataError when the pool has no encodings.
        """
        if pool.encodings is None:
            raise NotEnoughDataError("Representatives need encodings; there are none yet.")
        candidates = pool.candidates()
        take = min(max(n, 0), len(candidates))
        if take == 0:
            empty = np.empty(0)
            return Selection(rows=empty.astype(np.int64), probabilities=empty, reasons=[])
        groups = min(take, self.groups)
        size = min(len(candidates), max(self.sample, 20 * groups))
        drawn = np.sort(rng.choice(candidates, size=size, replace=False))
        points = points_of(pool.encodings, drawn)
        centres = kmeans(points, groups, self.rounds, rng)
        centres = centres[coverage_order(centres, rng.permutation(points)[:COVERED_ROWS])]
        keep = min(len(candidates), 2 * -(-take // groups) + 2)
        near, distance, sizes = nearest_rows(pool.encodings, candidates, centres, keep)
        rows, group = _take_turns(near, distance, candidates, take)
        return Selection(
            rows=rows,
            probabilities=np.ones(take),
            reasons=[_reason(int(place), sizes, len(candidates)) for place in group],
        )


def _take_turns(
    near: NDArray[np.int64],
    distance: NDArray[np.float32],
    candidates: NDArray[np.int64],
    take: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(take,) distinct rows and (take,) the group each stands for, -1 for none.

    In each turn every group, in order, gives its nearest item that is still free; but an item
    that is nearer to another group of the same turn is left to that one.
    """
    k, keep = near.shape
    rows: list[int] = []
    groups: list[int] = []
    taken: set[int] = set()
    nexts = np.zeros(k, dtype=np.int64)
    while len(rows) < take and bool((nexts < keep).any()):
        turn: dict[int, int] = {}  # group -> row
        waiting = [group for group in range(k) if nexts[group] < keep]
        waiting.sort(key=lambda group: float(distance[group, nexts[group]]))
        for group in waiting:
            while nexts[group] < keep and int(near[group, nexts[group]]) in taken:
                nexts[group] += 1
            if nexts[group] < keep:
                turn[group] = int(near[group, nexts[group]])
                taken.add(turn[group])
        for group in sorted(turn):
            rows.append(turn[group])
            groups.append(group)
    rest = candidates[~np.isin(candidates, rows)][: max(0, take - len(rows))]
    rows, groups = [*rows, *rest.tolist()][:take], [*groups, *[-1] * len(rest)][:take]
    return np.array(rows, dtype=np.int64), np.array(groups, dtype=np.int64)


def _reason(group: int, sizes: NDArray[np.int64], candidates: int) -> str:
    if group < 0:
        return f"no group needs it, but it is among the {candidates:,} items that wait"
    size = int(sizes[group])
    if size <= 1 and len(sizes) >= candidates:
        return f"one of the {candidates:,} waiting items, all of which are wanted"
    if size <= 1:
        return f"a group of its own, of {len(sizes):,} among the {candidates:,} waiting items"
    share = 100 * size / candidates
    return f"typical of a group of {size:,} similar items ({share:.1f} % of those waiting)"
