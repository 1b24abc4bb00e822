"""Selection by length: short and long texts in turn, none of them left to chance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.errors import NotEnoughDataError
from learning.selection.reading import nothing, percent, wanted
from learning.types import Ints, Pool, Selection

TENTH = 0.1

Rows = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Length:
    """Spread the picks evenly over the lengths of the texts, so that the first few already hold short
    and long ones. Source: van der Corput 1935 (the sequence); Cochran 1977 (systematic sampling).

    Candidates are ordered by length and visited by a van der Corput sequence that begins where chance
    says. So every few picks in a row, and every beginning of the list, are spread over the whole order.
    """

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows; equal lengths are in random order.

        Every candidate is as likely to be drawn as any other. Raises NotEnoughDataError when the
        pool does not know how long its texts are.
        """
        if pool.lengths is None:
            raise NotEnoughDataError("To choose by length, the items need texts; there are none.")
        candidates = pool.candidates()
        take = wanted(n, candidates)
        if take == 0:
            return nothing()
        lengths = np.asarray(pool.lengths, dtype=np.int64)[candidates]
        shuffled = rng.permutation(len(candidates))
        order = shuffled[np.argsort(lengths[shuffled], kind="stable")]
        begin = int(rng.integers(len(candidates)))
        picked = order[(visits(len(candidates), take) + begin) % len(candidates)]
        return Selection(
            rows=candidates[picked],
            probabilities=np.full(take, take / len(candidates)),
            reasons=_reasons(lengths[picked], lengths[order]),
        )


def visits(places: int, take: int) -> Rows:
    """(take,) distinct numbers below `places` whose every beginning lies evenly: van der Corput's
    sequence in base 2 over the next power of two, without what is beyond `places`.
    """
    bits = max(places - 1, 1).bit_length()
    looked = 2 * take  # more than half of the numbers are places, so that this mostly suffices
    while True:
        found = _reversed_bits(np.arange(min(looked, 1 << bits)), bits)
        found = found[found < places]
        if len(found) >= take:
            return found[:take]
        looked *= 2


def _reversed_bits(numbers: Rows, bits: int) -> Rows:
    result = np.zeros_like(numbers)
    for bit in range(bits):
        result |= ((numbers >> bit) & 1) << (bits - 1 - bit)
    return result


def _reasons(picked: Ints, ascending: Ints) -> list[str]:
    """(m,) lengths in the order of the picks, (c,) those of all candidates -> m sentences."""
    waiting = len(ascending)
    shorter = np.searchsorted(ascending, picked, side="left") / waiting
    longer = 1 - np.searchsorted(ascending, picked, side="right") / waiting
    return [
        f"{length:,} character{'s' * (length != 1)}: {_place(below, above)} of the {waiting:,} waiting items"
        for length, below, above in zip(picked.tolist(), shorter, longer, strict=True)
    ]


def _place(shorter: float, longer: float) -> str:
    """In words, from the shares of the waiting items that are shorter and longer."""
    if shorter >= 1 - TENTH:
        return "among the longest tenth"
    if longer >= 1 - TENTH:
        return "among the shortest tenth"
    return f"longer than {percent(shorter)}"
