"""What rankers learn from and what they say; shapes are checked here, once.

Letters: n lists, N rows of all of them one after another, M candidates of all, d dimensions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from learning.types import Floats, Ints, require

Order = list[list[int]]


@dataclass(frozen=True, kw_only=True)
class Lists:
    """The vectors of n lists; memory maps are fine.

    starts: (n + 1,) where each list's rows begin, and N; vectors: (N, d), of each list what is asked
    first and then its candidates, each encoded by itself.
    """

    starts: Ints
    vectors: Floats

    def __post_init__(self) -> None:
        require(
            len(self.starts) > 0 and int(self.starts[-1]) == len(self.vectors),
            f"Lists begin at (n + 1,) places up to {len(self.vectors)}.",
        )
        require(
            bool((np.diff(self.starts) >= 1).all()),
            "Each list has a row for what is asked at least.",
        )

    @property
    def lists(self) -> int:
        """How many there are."""
        return len(self.starts) - 1

    @property
    def counts(self) -> NDArray[np.int64]:
        """(n,) how many candidates each list has."""
        return np.diff(self.starts).astype(np.int64) - 1

    def block(self, block: slice) -> "Lists":
        """Lists that follow each other; nothing is read yet."""
        starts = self.starts[block.start : block.stop + 1]
        first, last = int(starts[0]), int(starts[-1])
        return Lists(
            starts=np.asarray(starts, dtype=np.int64) - first, vectors=self.vectors[first:last]
        )

    def subset(self, lists: Ints) -> "Lists":
        """Copies of some lists, in this order."""
        lengths = np.diff(self.starts)[lists]
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        places = np.repeat(np.asarray(self.starts)[lists] - starts[:-1], lengths)
        places = places + np.arange(int(starts[-1]))
        return Lists(starts=starts, vectors=np.asarray(self.vectors[places], dtype=np.float32))


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """Lists with their true orders.

    places: n arrays, the place of each candidate, 0 the best, equal where they are equally good;
    weights: (n,) above 0, or None for all 1.
    """

    lists: Lists
    places: Sequence[NDArray[np.int64]]
    weights: Floats | None = None

    def __post_init__(self) -> None:
        n = self.lists.lists
        require(len(self.places) == n, f"There must be {n} orders, one per list.")
        require(
            all(
                len(one) == count for one, count in zip(self.places, self.lists.counts, strict=True)
            ),
            "An order gives each candidate of its list a place.",
        )
        require(
            self.weights is None or len(self.weights) == n,
            f"There must be {n} weights, one per list.",
        )

    def subset(self, lists: NDArray[np.int64]) -> "Ranked":
        """The same with these lists only, in this order."""
        return replace(
            self,
            lists=self.lists.subset(lists),
            places=[self.places[at] for at in lists],
            weights=None if self.weights is None else self.weights[lists],
        )


@dataclass(frozen=True, kw_only=True)
class Ordered:
    """What a ranker says of n lists.

    starts: (n + 1,) where each list's candidates begin, and M; utility: (M,) float32, in log odds, the
    better the higher; width: neighbours that are less than this apart are equally good; margins: (n,)
    float32, 0 undecided … 1 sure, see `davidson.margins_of`.
    """

    starts: NDArray[np.int64]
    utility: NDArray[np.float32]
    width: float
    margins: NDArray[np.float32]

    @property
    def lists(self) -> int:
        """Of how many lists it speaks."""
        return len(self.starts) - 1

    def utilities(self, at: int) -> NDArray[np.float32]:
        """(m,) of the candidates of one list."""
        return self.utility[int(self.starts[at]) : int(self.starts[at + 1])]

    def alone(self, at: int) -> "Ordered":
        """What it says of one list."""
        own = self.utilities(at)
        return replace(
            self,
            starts=np.array([0, len(own)], dtype=np.int64),
            utility=own,
            margins=self.margins[at : at + 1],
        )

    def order(self, at: int) -> Order:
        """The candidates of one list from best to worst, numbered from 1, equals in one group.

        A group ends where the next candidate is `width` or more below its best one.
        """
        own = self.utilities(at)
        groups: Order = []
        best = np.inf
        for place in np.argsort(-own, kind="stable").tolist():
            if not groups or best - own[place] >= self.width:
                groups.append([])
                best = float(own[place])
            groups[-1].append(place + 1)
        return [sorted(group) for group in groups]


def places_of(order: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """(m,) the place of each candidate of an order whose candidates are numbered from 1."""
    places = {one: place for place, group in enumerate(order) for one in group}
    return np.array([places[one] for one in range(1, len(places) + 1)], dtype=np.int64)
