"""Selection by the student's doubt."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.scores import margins as margins_of
from learning.selection.reading import finite, label_name, likeliest, percent, probabilities_of
from learning.types import Floats, Pool, Selection

HESITATES = 0.5  # from this margin on a student says something, below it hesitates


@dataclass(frozen=True, kw_only=True)
class Margin:
    """Pick the items whose two likeliest labels are closest. Source: Scheffer et al. 2001.

    Multi-label: the items with the label closest to 50 %.
    """

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows, smallest margin first; the generator breaks ties.

        Raises NeedsStudentError when the pool has no probabilities, ShapeError when they are not
        numbers.
        """
        probabilities = probabilities_of(pool, "Smallest margin")
        candidates = pool.candidates()
        doubt = finite(pool_margins(pool, probabilities)[candidates], "student's probabilities")
        take = min(max(n, 0), len(candidates))
        chosen, probability = smallest(doubt, take, rng)
        rows = candidates[chosen]
        return Selection(
            rows=rows,
            probabilities=probability,
            reasons=[hesitation(pool, probabilities[row], row) for row in rows],
        )


def smallest(
    values: NDArray[np.floating], take: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(m,) places of the `take` smallest values in order, and how likely each was drawn.

    Equal values are in random order; among values equal to the largest one taken, chance decides
    who is in, and their draw probability is the share that found a place.
    """
    if take == 0:
        return np.empty(0, dtype=np.int64), np.empty(0)
    limit = np.partition(values, take - 1)[take - 1]
    sure = np.flatnonzero(values < limit)
    edge = np.flatnonzero(values == limit)
    drawn = rng.choice(edge, size=take - len(sure), replace=False)
    places = rng.permutation(np.concatenate([sure, drawn]))
    places = places[np.argsort(values[places], kind="stable")].astype(np.int64)
    share = len(drawn) / len(edge)
    return places, np.where(values[places] == limit, share, 1.0)


def pool_margins(pool: Pool, probabilities: Floats) -> NDArray[np.float32]:
    """(n,) margins of the whole pool: those it stores, else computed in one pass."""
    if pool.margins is not None:
        return np.asarray(pool.margins, dtype=np.float32)
    return margins_of(probabilities, multi_label=pool.multi_label)


def hesitation(pool: Pool, probabilities: Floats, row: int) -> str:
    """What the student says of one row, whose (k,) probabilities are given, and how surely."""
    finite(probabilities, "student's probabilities")
    if pool.doubted and pool.margins is not None:
        margin = float(pool.margins[row])
        how = "unsure" if margin < HESITATES else "fairly sure"
        return f"the student is {how} of {pool.doubted} ({percent(1 - margin)} doubt)"
    if pool.multi_label:
        p = np.asarray(probabilities, dtype=np.float32)
        place = int(np.abs(p - 0.5).argmin())
        column = place if pool.columns is None else int(pool.columns[row, place])
        return whether(label_name(pool, column), float(p[place]))
    names = likeliest(pool, row, 2)
    if len(names) < 2:
        return f"the student knows one label only: {names[0]}"
    second, first = np.sort(np.asarray(probabilities, dtype=np.float32))[-2:]
    return between(names[0], names[1], float(first - second))


def between(first: str, second: str, margin: float) -> str:
    """What a student says that tells its two likeliest labels apart by `margin`, 0 … 1."""
    if margin < HESITATES:
        return f"the student hesitates between {first} and {second}"
    return f"the student says {first}, next {second}"


def whether(name: str, p: float) -> str:
    """What a student says of the label that it is least sure of, which applies with the chance p."""
    how = "unsure" if abs(2 * p - 1) < HESITATES else "least sure"
    return f"the student is {how} whether {name} applies ({percent(p)})"
