"""Selection by doubt in every label's ranking, and by label sets unlike those given so far."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.errors import ParameterError, ShapeError
from learning.selection.labelwise import PRESENT, candidate_blocks, label_sets
from learning.selection.margin import smallest
from learning.selection.reading import answers_of, finite, probabilities_of, wanted
from learning.types import Bools, Floats, Pool, Selection

CHUNK = 2_048  # candidates whose label sets are compared at a time
# A probability's distance to the nearer of 0 and 1 is counted in steps of 3 %: the exponent and
# five bits of the float that holds it, from 2^-20 up to a half.
SHIFT, SMALLEST = 18, np.float32(2.0**-20)


@dataclass(frozen=True, kw_only=True)
class Cvirs:
    """Pick the items that come early when every label ranks them by its doubt, and whose set of
    labels is unlike those of the labelled items. Source: Reyes, Morell, Ventura 2018 (category
    vector inconsistency and ranking of scores).

    The score is the product of both, each 0 … 1. Ranks are exact up to steps of 3 % of the
    probability. Candidates are compared in falling order of rank score until no other can reach
    the best n, at most `compared` of them, each with at most `references` labelled items (drawn at
    random when there are more kinds of label sets).
    """

    references: int = 256
    compared: int = 50_000

    def __post_init__(self) -> None:
        if min(self.references, self.compared) < 1:
            raise ParameterError("Label sets need something to be compared with.")

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows, largest score first; the generator breaks ties.

        Raises NeedsStudentError without probabilities, NotEnoughDataError without answers, ShapeError
        when probabilities are none.
        """
        probabilities = probabilities_of(pool, "CVIRS")
        _, answers = answers_of(pool, "CVIRS")
        candidates = pool.candidates()
        take = wanted(n, candidates)
        ranking = rank_scores(pool, probabilities, candidates)
        sets, weights = self._references(answers, rng)
        order = np.argsort(-ranking, kind="stable")[: max(take, self.compared)]
        unlike = np.zeros(len(candidates), dtype=np.float32)
        best = np.zeros(0, dtype=np.float32)
        for start in range(0, len(order) if take else 0, CHUNK):
            some = order[start : start + CHUNK]
            if len(best) == take and ranking[some[0]] < best.min():
                break
            held = label_sets(pool, probabilities, candidates[some])
            unlike[some] = inconsistency(held, sets, weights)
            best = np.sort(np.append(best, ranking[some] * unlike[some]))[-take:]
        chosen, likely = smallest(-ranking * unlike, take, rng)
        return Selection(
            rows=candidates[chosen],
            probabilities=likely,
            reasons=[
                f"its labels are in more doubt than {100 * ranking[place]:.0f} % of the waiting "
                f"items' on average, and its label set is {100 * unlike[place]:.0f} % unlike those given"
                for place in chosen
            ],
        )

    def _references(
        self, answers: Floats, rng: np.random.Generator
    ) -> tuple[Bools, NDArray[np.float32]]:
        """(r, k) different label sets of the labelled items, and (r,) their shares, sum 1."""
        held = answers >= PRESENT
        sets, counts = np.unique(held, axis=0, return_counts=True)
        if len(sets) > self.references:
            drawn = rng.choice(len(held), size=self.references, replace=False)
            sets, counts = np.unique(held[drawn], axis=0, return_counts=True)
        return sets, (counts / counts.sum()).astype(np.float32)


def rank_scores(
    pool: Pool, probabilities: Floats, candidates: NDArray[np.int64]
) -> NDArray[np.float32]:
    """(c,) the mean over the labels of the share of other candidates of which that label is surer.

    Equal ones count half. 1 where every label doubts this item most. Source: Borda count.
    """
    size, kept = len(candidates), probabilities.shape[1]
    low, high = (int(_bits(np.array([p]))[0]) for p in (0.0, 0.5))
    steps = high - low + 1
    offset = np.arange(kept, dtype=np.int64) * steps - low
    counts = np.zeros(kept * steps, dtype=np.int64)
    for _, p in candidate_blocks(pool, probabilities, candidates):
        _check(finite(p, "student's probabilities"))
        counts += np.bincount((_bits(p) + offset).ravel(), minlength=kept * steps)
    table = counts.reshape(kept, steps)
    surer = np.cumsum(table, axis=1) - table  # (t, steps): a smaller step is nearer to 0 or 1
    share = ((surer + (table - 1) / 2) / max(1, size - 1)).astype(np.float32).ravel()
    result = np.ones(size, dtype=np.float32)
    if size > 1 and kept:
        for places, p in candidate_blocks(pool, probabilities, candidates):
            result[places] = share[_bits(p) + offset].mean(axis=1)
    return result


def _check(p: NDArray[np.float32]) -> None:
    if p.size and (p.min() < 0 or p.max() > 1):
        raise ShapeError("The student's probabilities must lie between 0 and 1; some do not.")


def _bits(p: NDArray[np.floating]) -> NDArray[np.int32]:
    """The step in which min(p, 1 - p) lies; the steps rise with doubt."""
    doubt = np.minimum(p, 1 - p).astype(np.float32)
    doubt += SMALLEST
    bits: NDArray[np.int32] = doubt.view(np.int32)
    return np.right_shift(bits, SHIFT)


def inconsistency(held: Bools, sets: Bools, weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """(b,) how unlike the labelled items' sets each of (b, k) label sets is, 0 the same … 1.

    The mean over (r, k) sets of the entropy distance 2 - (H(x) + H(y)) / H(x, y), and 1 for sets
    that are opposite in every label, which that distance would call the same."""
    packed, back = np.unique(np.packbits(held, axis=1), axis=0, return_inverse=True)
    labels = held.shape[1]
    x = np.unpackbits(packed, axis=1, count=labels).astype(np.float32)
    y = sets.astype(np.float32)
    both = np.rint(x @ y.T).astype(np.int64)  # (u, r)
    one, two = x.sum(axis=1).astype(np.int64)[:, None], y.sum(axis=1).astype(np.int64)
    table = _entropies(labels)
    apart = one + two - 2 * both
    joint = table[both] + table[one - both] + table[two - both] + table[labels - apart - both]
    alone = table[one] + table[labels - one] + table[two] + table[labels - two]
    distance = np.where(joint > 0, 2 - alone / np.where(joint > 0, joint, 1), 0)
    distance[apart == labels] = 1
    mean: NDArray[np.float32] = (np.clip(distance, 0, 1) @ weights).astype(np.float32)
    return mean[back.ravel()]


def _entropies(labels: int) -> NDArray[np.float32]:
    """(labels + 1,) -x log2 x for each share x = 0 … labels of the labels."""
    share = np.arange(labels + 1) / max(1, labels)
    return np.asarray(-share * np.log2(np.where(share > 0, share, 1)), dtype=np.float32)
