"""How far an order is contradicted by a ranker that has not learnt from it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.students.regression import sigmoid
from learning.types import Floats, Ints


@dataclass(frozen=True, kw_only=True)
class Reversed:
    """Two candidates, numbered from 1, the first of which the order has above the second, and how likely
    that is right by the ranker, below 1/2.
    """

    above: int
    below: int
    chance: float


def reversed_pairs(places: Ints, utility: Floats) -> list[Reversed]:
    """The pairs of a list that the ranker has the other way round, the surest first. Ties are left out."""
    above, below = np.nonzero(places[:, None] < places[None])
    chance = _chances(utility[above] - utility[below])
    order = np.argsort(chance, kind="stable")
    return [
        Reversed(above=int(above[at]) + 1, below=int(below[at]) + 1, chance=float(chance[at]))
        for at in order.tolist()
        if chance[at] < 0.5
    ]


def scores_of(places: Sequence[Ints], utilities: Sequence[Floats]) -> NDArray[np.float64]:
    """(n,) 0 surely wrong … 1 as right as orders usually are.

    Of an order it is the mean chance that two of its candidates stand as they do, divided by the median
    of all orders: a ranker that knows little contradicts all of them somewhat, and that says nothing of
    one. An order that ties all is 1. Source: ours; Bradley, Terry 1952 (the chance).
    """
    means = np.ones(len(places))
    told = np.zeros(len(places), dtype=np.bool_)
    for row, (own, utility) in enumerate(zip(places, utilities, strict=True)):
        above, below = np.nonzero(own[:, None] < own[None])
        if len(above):
            means[row] = float(_chances(utility[above] - utility[below]).mean())
            told[row] = True
    usual = float(np.median(means[told])) if told.any() else 1.0
    return np.where(told, np.minimum(means / usual, 1.0), 1.0)


def _chances(difference: Floats) -> NDArray[np.float64]:
    return np.asarray(sigmoid(np.asarray(difference, dtype=np.float32)), dtype=np.float64)
