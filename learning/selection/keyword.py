"""Seeding: what a lead searched for, so that a rare label is met at all."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from learning.errors import ParameterError
from learning.selection.reading import encodings_of, points_of
from learning.selection.reading import wanted as wanted_count
from learning.selection.representatives import Representatives
from learning.types import Floats, Pool, Selection


@dataclass(frozen=True, kw_only=True)
class Keyword:
    """Begin with the items that a lead's search or example found, without near copies of one
    another, and fill up with representatives. Source: Attenberg, Provost 2010 (guided search for
    rare classes).

    alike: two items whose encodings have at least this cosine similarity are copies; the later one
        waits until nothing else is left.
    """

    alike: float = 0.95

    def __post_init__(self) -> None:
        if not 0 < self.alike <= 1:
            raise ParameterError("Similarity of copies must lie above 0 and not above 1.")

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows: the wanted ones in their order, then representatives.

        Without wanted rows they are representatives only. Raises NotEnoughDataError when the pool
        has no encodings.
        """
        encodings = encodings_of(pool, "Seeding by a search")
        candidates = pool.candidates()
        take = wanted_count(n, candidates)
        wanted = _open_ones(pool, candidates)
        places, later = self._unlike(encodings, wanted, take)
        found = wanted[places]
        rest = replace(pool, eligible=pool.eligible & ~_mask(pool.rows, wanted))
        filled = Representatives().select(rest, take - len(found), rng)
        copies = wanted[later[: take - len(found) - len(filled.rows)]]
        chances = [np.ones(len(found)), filled.probabilities, np.ones(len(copies))]
        return Selection(
            rows=np.concatenate([found, filled.rows, copies]),
            probabilities=np.concatenate(chances),
            reasons=[
                *(_hit(int(place), len(wanted)) for place in places),
                *filled.reasons,
                *(f"{_hit(int(place), len(wanted))}, much like an earlier one" for place in later),
            ][:take],
        )

    def _unlike(
        self, encodings: Floats, wanted: NDArray[np.int64], take: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(a,) places of the first `take` wanted rows that are no copies, and (b,) of copies."""
        kept: list[int] = []
        later: list[int] = []
        points = np.empty((min(take, len(wanted)), encodings.shape[1]), dtype=np.float32)
        for place, row in enumerate(wanted):
            if len(kept) == take:
                break
            point = points_of(encodings, row)
            if (points[: len(kept)] @ point >= self.alike).any():
                later.append(place)
                continue
            points[len(kept)] = point
            kept.append(place)
        return np.array(kept, dtype=np.int64), np.array(later, dtype=np.int64)


def _open_ones(pool: Pool, candidates: NDArray[np.int64]) -> NDArray[np.int64]:
    """The wanted rows that may be picked, each once, in their order."""
    if pool.wanted is None:
        return np.empty(0, dtype=np.int64)
    rows = np.asarray(pool.wanted, dtype=np.int64)
    _, first = np.unique(rows, return_index=True)
    rows = rows[np.sort(first)]
    return rows[_mask(pool.rows, candidates)[rows]]


def _mask(rows: int, chosen: NDArray[np.int64]) -> NDArray[np.bool_]:
    result = np.zeros(rows, dtype=np.bool_)
    result[chosen] = True
    return result


def _hit(place: int, hits: int) -> str:
    return f"matches what the lead searched for ({place + 1:,} of {hits:,} waiting hits)"
