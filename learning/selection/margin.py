"""Selection by the student's doubt."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.errors import NeedsStudentError
from learning.scores import margins as margins_of
from learning.types import Floats, Pool, Selection, row_blocks


@dataclass(frozen=True, kw_only=True)
class Margin:
    """Pick the items whose two likeliest labels are closest. Source: Scheffer et al. 2001.

    Multi-label: the items with the label closest to 50 %.
    """

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows, smallest margin first; the generator breaks ties.

        Raises NeedsStudentError when the pool has no probabilities.
        """
        if pool.probabilities is None:
            raise NeedsStudentError(
                "Smallest margin needs a student's probabilities; there is no student yet."
            )
        candidates = pool.candidates()
        doubt = _margins(pool, pool.probabilities)[candidates]  # (c,)
        take = min(max(n, 0), len(candidates))
        chosen, probabilities = smallest(doubt, take, rng)
        rows = candidates[chosen]
        return Selection(
            rows=rows,
            probabilities=probabilities,
            reasons=[_reason(pool, pool.probabilities[row], row) for row in rows],
        )


def smallest(
    values: NDArray[np.float32], take: int, rng: np.random.Generator
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


def _margins(pool: Pool, probabilities: Floats) -> NDArray[np.float32]:
    if pool.margins is not None:
        return np.asarray(pool.margins, dtype=np.float32)
    result = np.empty(pool.rows, dtype=np.float32)
    for block in row_blocks(pool.rows):
        result[block] = margins_of(probabilities[block], multi_label=pool.multi_label)
    return result


def _reason(pool: Pool, probabilities: Floats, row: int) -> str:
    p = np.asarray(probabilities, dtype=np.float32)
    if pool.multi_label:
        place = int(np.abs(p - 0.5).argmin())
        return f"the student is unsure whether {_name(pool, row, place)} applies ({_percent(p[place])})"
    order = np.argsort(-p, kind="stable")[:2]
    names = [f"{_name(pool, row, place)} {_percent(p[place])}" for place in order]
    if len(names) < 2:
        return f"the student knows one label only: {names[0]}"
    return f"the student hesitates between {names[0]} and {names[1]}"


def _name(pool: Pool, row: int, place: int) -> str:
    column = place if pool.columns is None else int(pool.columns[row, place])
    return pool.label_names[column] if pool.label_names else f"label {column}"


def _percent(p: float) -> str:
    return f"{100 * p:.0f} %"
