"""The default: cover what the student doubts, given all that is labelled already."""

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.errors import ParameterError
from learning.scores import confidences
from learning.selection.labelwise import PRESENT
from learning.selection.margin import hesitation, pool_margins, smallest
from learning.selection.memory import memory
from learning.selection.reading import (
    Matrix,
    Rows,
    encodings_of,
    finite,
    likeliest,
    nothing,
    points_of,
    wanted,
)
from learning.selection.thinning import sample
from learning.types import Floats, Pool, Selection, row_blocks

LEAST_DOUBT = np.float32(1e-4)
UNSURE = 4  # the power of how unsure the student is of every label, where items have any number
PAIRS = 2_000  # pairs of items by which the usual distance is measured


@dataclass(frozen=True, kw_only=True)
class Mixed:
    """Pick the items that bring most of the student's doubt near a label. Source: greedy facility
    location (Nemhauser, Wolsey, Fisher 1978) as in Wei, Iyer, Bilmes 2015, with doubt for weights
    and the labelled items as places that are there already.

    A waiting item weighs 1 - the margin of its two likeliest labels (with any number of labels:
    see `_unsure`), and is covered by the nearest labelled or picked item to
    exp(-sharpness d² / mean d²). The next pick is the candidate that adds most weight x cover. While the student knows nothing,
    all weigh the same and this is coverage; later the weight lies where labels meet, and the picks
    with it, spread out by what they cover. So every beginning of the list is a good batch. Where
    labels look noisy, what is labelled covers less, down to nothing (`memory`).

    sharpness: how fast cover falls with distance.
    factor: candidates, those in most doubt, per wanted item; at least `fewest` (`fewest_several`
        with any number of labels), at most `most`. After `most` picks the rest follow by doubt.
    covered: waiting items whose cover is counted, at most, drawn at random.
    remembered: labelled items that cover, at most, drawn at random.
    Cost: the margins of the pool, then (candidates + labelled) x covered x d; a table of
        candidates x covered float32, 160 MB at most.
    """

    sharpness: float = 3.0
    factor: float = 4.0
    fewest: int = 2_000
    fewest_several: int = 200
    most: int = 8_000
    covered: int = 5_000
    remembered: int = 10_000

    def __post_init__(self) -> None:
        if self.sharpness <= 0 or self.factor < 1:
            raise ParameterError("Mixed needs a sharpness above 0 and a factor from 1 on.")
        if min(self.fewest, self.fewest_several, self.most, self.covered, self.remembered) < 1:
            raise ParameterError("Mixed needs fewest, most, covered and remembered above 0.")

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows. Without a student all doubt is equal.

        Raises NotEnoughDataError without encodings, ShapeError when something is not a number.
        """
        encodings = encodings_of(pool, "Mixed")
        waiting = pool.candidates()
        take = wanted(n, waiting)
        if take == 0:
            return nothing()
        doubt = _doubt(pool, waiting)
        fewest = self.fewest_several if _ranks(pool) else self.fewest
        keep = min(len(waiting), self.most, max(fewest, int(self.factor * take)))
        ranked, _ = smallest(-doubt, max(take, keep), rng)
        shown = sample(np.arange(len(waiting)), self.covered, rng)
        labelled = sample(np.flatnonzero(pool.labelled), self.remembered, rng)
        points = points_of(encodings, waiting[shown])
        width = self.sharpness / _usual_distance(points, rng)
        cover = _cover(points, points_of(encodings, waiting[ranked[:keep]]), width)
        already = _covered_by(points, encodings, labelled, width)
        already *= np.float32(memory(pool, encodings, labelled))
        places, counts = _greedy(cover, already, doubt[shown], min(take, keep))
        rows = waiting[np.concatenate([ranked[places], ranked[keep:take]])]
        nearest = np.zeros(take)
        nearest[: len(places)] = np.array(counts) * (len(waiting) / len(shown))
        return Selection(
            rows=rows,
            probabilities=np.ones(take),
            reasons=[
                _reason(pool, int(row), round(count), len(waiting))
                for row, count in zip(rows, nearest, strict=True)
            ],
        )


def _doubt(pool: Pool, waiting: Rows) -> Matrix:
    """(c,) in 0 … 1: 1 - the margin of the two likeliest labels, or how unsure the student is of any
    where items have any number; 1 while there is no student.
    """
    if pool.probabilities is None:
        return np.ones(len(waiting), dtype=np.float32)
    if _ranks(pool):
        doubt = _unsure(pool, pool.probabilities)[waiting]
    else:
        doubt = 1 - pool_margins(pool, pool.probabilities)[waiting]
    result: Matrix = np.maximum(finite(doubt, "student's probabilities"), LEAST_DOUBT)
    return result


def _unsure(pool: Pool, probabilities: Floats) -> Matrix:
    """(n,) in 0 … 1: how little the chance p of the likeliest label tells, where items have any number.

    Where every item has a label, one of which nothing is likely teaches most; where many have none, those
    are the ones that say nothing, and the doubt is whether there is any label at all. So it is greatest at
    t, twice the share of labelled items without one and at most a half: (1 - |p - t| / max(t, 1 - t))^4.
    The power tells items apart, most of which are in such doubt (docs/selection.md).
    """
    p = confidences(probabilities, multi_label=False)
    none = 0.0
    if pool.answers is not None and len(pool.answers):
        none = float((np.asarray(pool.answers).sum(axis=1) == 0).mean())
    most = np.float32(min(0.5, 2 * none))
    result: Matrix = (1 - np.abs(p - most) / max(most, 1 - most)) ** UNSURE
    return result


def _ranks(pool: Pool) -> bool:
    """Whether labels compete for the first place although an item may have several."""
    if pool.doubted:
        return False
    return pool.multi_label and pool.probabilities is not None and pool.probabilities.shape[1] > 1


def _usual_distance(points: Matrix, rng: np.random.Generator) -> float:
    """Mean squared distance of random pairs; 1 where all points are the same."""
    one, other = rng.integers(0, len(points), size=(2, PAIRS))
    mean = float(np.square(points[one] - points[other]).sum(axis=1).mean())
    return mean if mean > 0 else 1.0


def _cover(points: Matrix, places: Matrix, width: float) -> Matrix:
    """(p, s): how far each place covers each of the s points, 0 … 1."""
    table = places @ points.T
    table *= np.float32(2 * width)
    table -= np.float32(width) * np.einsum("sd,sd->s", points, points)
    table -= np.float32(width) * np.einsum("pd,pd->p", places, places)[:, None]
    np.minimum(table, 0, out=table)
    np.exp(table, out=table)
    return table


def _covered_by(points: Matrix, encodings: Floats, labelled: Rows, width: float) -> Matrix:
    """(s,) how far the nearest labelled item covers each point; 0 where nothing is labelled."""
    already = np.zeros(len(points), dtype=np.float32)
    for block in row_blocks(len(labelled), 1024):
        cover = _cover(points, points_of(encodings, labelled[block]), width)
        np.maximum(already, cover.max(axis=0), out=already)
    return already


def _greedy(
    cover: Matrix, already: Matrix, weights: Matrix, take: int
) -> tuple[NDArray[np.int64], list[int]]:
    """(take,) places in the order of what each adds, and how many points each is nearest to.

    What a place adds never grows by other picks, so only the places at the top are looked at
    again. Source: Minoux 1978.
    """
    heap: list[tuple[float, int]] = []
    for block in row_blocks(len(cover), 256):
        gains = np.maximum(cover[block] - already, 0) @ weights
        heap += [(-float(gain), block.start + place) for place, gain in enumerate(gains)]
    heapq.heapify(heap)
    already = already.copy()
    places: list[int] = []
    counts: list[int] = []
    while len(places) < take:
        _, place = heapq.heappop(heap)
        more = np.maximum(cover[place] - already, 0)
        gain = float(more @ weights)
        if heap and gain < -heap[0][0]:
            heapq.heappush(heap, (-gain, place))
            continue
        places.append(place)
        counts.append(int(np.count_nonzero(more)))
        np.maximum(already, cover[place], out=already)
    return np.array(places, dtype=np.int64), counts


def _reason(pool: Pool, row: int, nearest: int, waiting: int) -> str:
    if nearest > 1:
        place = f"no label is nearer to {nearest:,} of the {waiting:,} waiting items"
    else:
        place = f"little of the {waiting:,} waiting items is like it"
    if pool.probabilities is None:
        return place
    if _ranks(pool):
        (first,) = likeliest(pool, row, 1)
        sure = float(np.max(pool.probabilities[row])) >= PRESENT
        says = "the student says" if sure else "the student is sure of no label, likeliest is"
        return f"{says} {first}; {place}"
    return f"{hesitation(pool, pool.probabilities[row], row)}; {place}"
