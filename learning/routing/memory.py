"""What double-labelled items say of items like them: rates of wrong answers, shrunk to the whole."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.routing.types import Candidates, Rows, Seed, Shares
from learning.selection.kmeans import assign, kmeans
from learning.types import Floats, row_blocks

NEIGHBOURS = 15
LENT = 4.0  # items of the whole's error rate that are lent to each rate
ITEMS_OF_A_GROUP = 25
MOST_GROUPS = 20
ROUNDS = 10


@dataclass(frozen=True, kw_only=True)
class Memory:
    """base: the teacher's error rate; label_rates: (k,) of its answers by label.

    encodings: (s, d) of the seed, or None; wrong, weights: (s,); centres, group_rates: (g, d), (g,)
    k-means groups of the seed, frozen here, so that an item's group never depends on who else is
    looked at.
    """

    base: float
    label_rates: Shares
    wrong: Shares
    weights: Shares
    encodings: Floats | None
    centres: Floats | None
    group_rates: Shares

    @classmethod
    def of(cls, seed: Seed, rng: np.random.Generator) -> "Memory":
        """Of at least one item."""
        wrong, weights = seed.wrong.astype(np.float64), seed.weights
        base = float((weights @ wrong + 1) / (weights.sum() + 2))
        said = seed.items.said() * weights[:, None]  # (s, k)
        labels = (said.T @ wrong + LENT * base) / (said.sum(axis=0) + LENT)
        centres, rates = None, np.empty(0)
        points = None
        if seed.items.encodings is not None:
            points = np.asarray(seed.items.encodings, dtype=np.float32)
            groups = min(MOST_GROUPS, max(1, seed.rows // ITEMS_OF_A_GROUP))
            centres = kmeans(points, groups, ROUNDS, rng)
            own = _nearest(points, centres)
            hit = np.bincount(own, weights * wrong, minlength=groups)
            size = np.bincount(own, weights, minlength=groups)
            rates = (hit + LENT * base) / (size + LENT)
        return cls(
            base=base,
            label_rates=np.asarray(labels, dtype=np.float64),
            wrong=wrong,
            weights=weights,
            encodings=points,
            centres=centres,
            group_rates=rates,
        )

    def by_label(self, items: Candidates) -> Shares:
        """(n,) how often the teacher was wrong where it gave this answer."""
        said = items.said()
        several = said.sum(axis=1)
        mean = (said @ self.label_rates) / np.maximum(several, 1)
        return np.asarray(np.where(several > 0, mean, self.base), dtype=np.float64)

    def by_group(self, items: Candidates) -> Shares:
        """(n,) how often it was wrong in the item's group; the base rate without encodings."""
        if self.centres is None or items.encodings is None:
            return np.full(items.rows, self.base)
        return np.asarray(self.group_rates[self.group_of(items)], dtype=np.float64)

    def group_of(self, items: Candidates) -> Rows:
        """(n,) the group of each item; both sides must have encodings."""
        return _nearest(np.asarray(items.encodings, dtype=np.float32), np.asarray(self.centres))

    def nearby(self, items: Candidates) -> Shares:
        """(n,) how often it was wrong on the nearest seed items, nearer ones counting more."""
        if self.encodings is None or items.encodings is None:
            return np.full(items.rows, self.base)
        found = np.empty(items.rows)
        take = min(NEIGHBOURS, len(self.encodings))
        for block in row_blocks(items.rows):
            near = np.asarray(items.encodings[block], dtype=np.float32) @ self.encodings.T
            places = np.argpartition(-near, take - 1, axis=1)[:, :take]
            weight = np.maximum(np.take_along_axis(near, places, axis=1), 0) * self.weights[places]
            hit = (weight * self.wrong[places]).sum(axis=1)
            found[block] = (hit + self.base) / (weight.sum(axis=1) + 1)
        return found


def _nearest(points: NDArray[np.float32], centres: NDArray[np.float32]) -> Rows:
    group, _ = assign(points, centres, np.einsum("nd,nd->n", points, points))
    return group
