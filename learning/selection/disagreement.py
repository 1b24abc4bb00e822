"""Selection by what teachers wrote: items whose texts lie farthest apart first."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from learning.errors import NotEnoughDataError, ShapeError
from learning.selection.random import Random
from learning.selection.reading import percent, wanted
from learning.selection.representatives import Representatives
from learning.types import Pool, Selection


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """Ask people where teachers wrote unlike texts, then fill up with representatives. Source: Seung, Opper,
    Sompolinsky 1992 (query by committee); Levenshtein 1966 (how unlike).

    Items with fewer than two texts come after all that have two: representatives of them, or by chance
    where nothing is encoded.
    """

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows, the earlier of equally unlike ones first.

        Raises NotEnoughDataError when the pool does not tell how far texts lie apart.
        """
        if pool.apart is None:
            raise NotEnoughDataError(
                "To choose by what teachers disagree on, they have to write texts; none do."
            )
        candidates = pool.candidates()
        take = wanted(n, candidates)
        told = _told(np.asarray(pool.apart, dtype=np.float64)[candidates])
        compared = np.flatnonzero(~np.isnan(told))
        first = compared[np.argsort(-told[compared], kind="stable")][:take]
        filled = self._rest(pool, candidates[compared], take - len(first), rng)
        lacking = (
            "fewer than two teachers wrote about it" if len(compared) else "no item has two texts"
        )
        return Selection(
            rows=np.concatenate([candidates[first], filled.rows]),
            probabilities=np.concatenate([np.ones(len(first)), filled.probabilities]),
            reasons=[
                *(
                    f"two teachers' texts differ in {percent(far)} of their characters"
                    for far in told[first].tolist()
                ),
                *(f"{reason}; {lacking}" for reason in filled.reasons),
            ],
        )

    def _rest(
        self, pool: Pool, compared: NDArray[np.int64], take: int, rng: np.random.Generator
    ) -> Selection:
        """So many of the items that cannot be compared."""
        eligible = pool.eligible.copy()
        eligible[compared] = False
        strategy = Random() if pool.encodings is None else Representatives()
        return strategy.select(replace(pool, eligible=eligible), take, rng)


def _told(far: NDArray[np.float64]) -> NDArray[np.float64]:
    """The shares as they are. Raises ShapeError when one is no share and not missing."""
    told = far[~np.isnan(far)]
    if not np.all((told >= 0) & (told <= 1)):
        raise ShapeError("How far texts lie apart is a share between 0 and 1.")
    return far
