"""Selection by contrast: items that the student sees otherwise than their labelled neighbours."""

from dataclasses import dataclass

import numpy as np

from learning.errors import NotEnoughDataError, ParameterError
from learning.selection.kmeans import BLOCK_ENTRIES
from learning.selection.margin import smallest
from learning.selection.reading import (
    Matrix,
    Rows,
    beliefs_of,
    dense,
    encodings_of,
    likeliest,
    points_of,
    probabilities_of,
    wanted,
)
from learning.selection.thinning import most_doubtful, sample
from learning.types import Pool, Selection, row_blocks

MOST_LABELLED = 5_000  # labelled items among which neighbours are looked for
TINY = np.float32(1e-7)  # probabilities are at least this, so that divergences are finite


@dataclass(frozen=True, kw_only=True)
class Contrastive:
    """Pick the items whose prediction differs most from those of their nearest labelled items.
    Source: Margatina et al. 2021 (CAL).

    The score is the mean over the neighbours l of KL(p_l ‖ p), with the student's probabilities p
    of the item and p_l of the neighbour. Multi-label: summed over the labels.

    neighbours: how many labelled items count.
    keep: candidates looked at, the most doubtful ones of larger pools.
    """

    neighbours: int = 10
    keep: int = 20_000

    def __post_init__(self) -> None:
        if min(self.neighbours, self.keep) < 1:
            raise ParameterError("Contrastive selection needs neighbours and keep above 0.")

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows, largest divergence first; the generator breaks ties.

        With kept columns what is left of an item's probability is spread evenly over the labels
        that are not kept. Raises NeedsStudentError without probabilities, NotEnoughDataError
        without encodings or labelled items, ShapeError when they are not numbers.
        """
        probabilities = probabilities_of(pool, "Contrastive selection")
        encodings = encodings_of(pool, "Contrastive selection")
        labelled = np.flatnonzero(pool.labelled).astype(np.int64)
        if not len(labelled):
            raise NotEnoughDataError(
                "Contrastive selection needs labelled items; there are none yet."
            )
        candidates = pool.candidates()
        take = wanted(n, candidates)
        kept = most_doubtful(pool, probabilities, candidates, max(self.keep, take), rng)
        known = sample(labelled, MOST_LABELLED, rng)
        anchors = points_of(encodings, known)
        beliefs = _smooth(pool, beliefs_of(probabilities, known), known)  # (l, k)
        near = min(self.neighbours, len(known))
        score = np.empty(len(kept), dtype=np.float32)
        distance = np.empty(len(kept), dtype=np.float32)
        for block in row_blocks(len(kept), max(1, BLOCK_ENTRIES // max(beliefs.shape))):
            rows = kept[block]
            places, distance[block] = _nearest(points_of(encodings, rows), anchors, near)
            own = _smooth(pool, beliefs_of(probabilities, rows), rows)
            score[block] = _divergence(own, beliefs, places, multi_label=pool.multi_label)
        chosen, probability = smallest(-score, take, rng)
        return Selection(
            rows=kept[chosen],
            probabilities=probability,
            reasons=[
                f"the student says {' and '.join(likeliest(pool, int(kept[place]), 1))}, but sees "
                f"the nearest {near} labelled items otherwise: divergence {score[place]:.2f}, "
                f"{distance[place]:.2f} away"
                for place in chosen
            ],
        )


def _nearest(points: Matrix, anchors: Matrix, near: int) -> tuple[Rows, Matrix]:
    """(b, near) the nearest anchors of each point, and (b,) the mean distance to them."""
    squares = np.einsum("nd,nd->n", anchors, anchors)
    apart = squares - 2 * points @ anchors.T  # (b, l), but for the points' own squares
    places = np.argpartition(apart, near - 1, axis=1)[:, :near]
    apart = np.take_along_axis(apart, places, axis=1)
    apart += np.einsum("nd,nd->n", points, points)[:, None]
    return places, np.sqrt(np.maximum(apart, 0)).mean(axis=1)


def _smooth(pool: Pool, beliefs: Matrix, rows: Rows) -> Matrix:
    """(m, k) over all labels, each above 0."""
    full = dense(pool, beliefs, rows)
    if pool.columns is not None and not pool.multi_label:
        hidden = full.shape[1] - beliefs.shape[1]
        rest = np.maximum(1 - beliefs.sum(axis=1, keepdims=True), 0) / max(1, hidden)
        full = np.where(full > 0, full, rest)
    return np.clip(full, TINY, 1 - TINY)


def _divergence(own: Matrix, beliefs: Matrix, places: Rows, *, multi_label: bool) -> Matrix:
    """(b,) the mean KL(p_l ‖ p) over the neighbours.

    It is the neighbours' mean of Σ p_l log p_l less Σ (their mean of p_l) log p: the (b, near, k)
    table is never built.
    """
    shape = (len(own), beliefs.shape[1])
    mean = np.zeros(shape, dtype=np.float32)
    inner = np.einsum("lk,lk->l", beliefs, np.log(beliefs))
    if multi_label:
        inner = inner + np.einsum("lk,lk->l", 1 - beliefs, np.log1p(-beliefs))
    for column in places.T:
        mean += beliefs[column]
    mean /= places.shape[1]
    cross = np.einsum("bk,bk->b", mean, np.log(own))
    if multi_label:
        cross = cross + np.einsum("bk,bk->b", 1 - mean, np.log1p(-own))
    return np.asarray(inner[places].mean(axis=1) - cross, dtype=np.float32)
