"""Selection by the number of labels that the student finds on an item."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.errors import ParameterError
from learning.selection.labelwise import PRESENT, candidate_blocks
from learning.selection.margin import smallest
from learning.selection.reading import answers_of, finite, probabilities_of, wanted
from learning.types import Floats, Pool, Selection

LEAST = 1e-3  # of gap and of inconsistency, so that neither alone decides by being 0


@dataclass(frozen=True, kw_only=True)
class LabelCardinality:
    """Pick the items on which the student finds more or fewer labels than items have on average,
    and whose present and absent labels lie close together. Source: Li, Guo 2013 (label cardinality
    inconsistency, max-margin prediction uncertainty).

    The score is uncertainty^balance x inconsistency^(1 - balance). Their method retrains for every
    balance and item to choose it; here it is a parameter.
    balance: 0 by the number of labels alone … 1 by the gap alone.
    """

    balance: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.balance <= 1:
            raise ParameterError("The balance must lie between 0 and 1.")

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows, largest score first; the generator breaks ties.

        Raises NeedsStudentError without probabilities, NotEnoughDataError without answers.
        """
        probabilities = probabilities_of(pool, "Label cardinality")
        _, answers = answers_of(pool, "Label cardinality")
        candidates = pool.candidates()
        found, gap = _look(pool, probabilities, candidates)
        usual = float(answers.sum(axis=1, dtype=np.float64).mean())
        away = np.maximum(np.abs(found - usual), LEAST)
        score = (1 - self.balance) * np.log(away) - self.balance * np.log(gap)
        chosen, likely = smallest(-score, wanted(n, candidates), rng)
        return Selection(
            rows=candidates[chosen],
            probabilities=likely,
            reasons=[
                f"the student finds {found[place]:.0f} labels where {usual:.1f} is usual; "
                f"a gap of {100 * gap[place]:.0f} points parts those present from those absent"
                for place in chosen
            ],
        )


def _look(
    pool: Pool, probabilities: Floats, candidates: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(c,) how many labels are found on each candidate, and (c,) the gap, 0.001 … 1, between the
    least likely of them and the likeliest other; where all or none are found, the gap to 50 %.
    """
    found = np.empty(len(candidates), dtype=np.float32)
    gap = np.empty(len(candidates), dtype=np.float32)
    for places, p in candidate_blocks(pool, probabilities, candidates):
        here = p >= PRESENT
        count = here.sum(axis=1)
        lowest = np.where(here, p, 2).min(axis=1, initial=2.0)
        highest = np.where(here, -1, p).max(axis=1, initial=-1.0)
        found[places] = count
        gap[places] = np.where(count == 0, PRESENT, lowest) - np.where(
            count == p.shape[1], PRESENT, highest
        )
    return found, np.maximum(finite(gap, "student's probabilities"), np.float32(LEAST))
