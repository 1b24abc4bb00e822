"""The objective of a linear ranker: how likely an order is when its places are drawn one after another.

The next place goes to a candidate with a chance in proportion to e^utility among those that have none yet;
equals take their places among all that are not better. Source: Luce 1959; Plackett 1975; Breslow 1974
(equals).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.rankers.types import Ranked


@dataclass(frozen=True, kw_only=True)
class Orders:
    """Orders as tables of n lists by m places, the best first; lists of fewer candidates end in gaps.

    row: (n, m) the candidate at each place, a row of the features; there: (n, m) whether there is one;
    first, last: (n, m) the first and the last place of its equals; weight: (n,).
    """

    row: NDArray[np.int64]
    there: NDArray[np.bool_]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    weight: NDArray[np.float64]

    @classmethod
    def of(cls, data: Ranked) -> "Orders":
        """The true orders; rows count the candidates of all lists one after another."""
        counts = data.lists.counts
        n, m = len(counts), int(counts.max(initial=0))
        starts = np.concatenate([[0], np.cumsum(counts)])
        row, there = np.zeros((n, m), dtype=np.int64), np.arange(m) < counts[:, None]
        first = np.tile(np.arange(m), (n, 1))
        last = first.copy()
        for at, places in enumerate(data.places):
            order = np.argsort(places, kind="stable")
            sorted_places = places[order]
            row[at, : len(order)] = starts[at] + order
            first[at, : len(order)] = np.searchsorted(sorted_places, sorted_places, side="left")
            last[at, : len(order)] = np.searchsorted(sorted_places, sorted_places, side="right") - 1
        weight = np.ones(n) if data.weights is None else np.asarray(data.weights, dtype=np.float64)
        return cls(row=row, there=there, first=first, last=last, weight=weight)

    def cost(self, utility: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n,) minus the log likelihood of each order, and (M,) its weighted gradient by the utilities."""
        u = np.where(self.there, utility[self.row].astype(np.float64), -np.inf)
        u -= u.max(axis=1, keepdims=True, initial=-1e30)
        e = np.exp(u)
        left = np.cumsum(e[:, ::-1], axis=1)[:, ::-1]  # what is not placed yet, at each place
        left = np.maximum(np.take_along_axis(left, self.first, axis=1), 1e-300)
        each = np.where(self.there, np.log(left) - np.where(self.there, u, 0), 0)
        drawn = np.cumsum(np.where(self.there, 1 / left, 0), axis=1)
        drawn = np.take_along_axis(drawn, self.last, axis=1)
        slope = np.where(self.there, e * drawn - 1, 0) * self.weight[:, None]
        gradient = np.zeros(len(utility))
        np.add.at(gradient, self.row[self.there], slope[self.there])
        return each.sum(axis=1), gradient
