"""Which solved items to show beside the ones that are asked: similar ones, of different labels.

Letters in shapes: b solved items, m asked ones, d dimensions, k labels.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.errors import ParameterError
from learning.halves import single
from learning.types import Floats, Ints, require

REACH = 16  # the nearest so many times `count` items are looked at


@dataclass(frozen=True, kw_only=True)
class Bank:
    """Solved items that may be shown: verdicts of people, never what a teacher said.

    numbers: (b,) item numbers; encodings: (b, d) unit rows; targets: (b, k) ones at the labels.
    """

    numbers: Ints
    encodings: Floats
    targets: Floats

    def __post_init__(self) -> None:
        require(
            len(self.numbers) == len(self.encodings) == len(self.targets),
            "Each solved item needs a number, an encoding and its labels.",
        )
        require(
            self.encodings.ndim == 2 and self.targets.ndim == 2,
            "Encodings and labels are tables with one row for each solved item.",
        )


@dataclass(frozen=True, kw_only=True)
class Demonstrations:
    """How solved items are chosen. Source: Liu et al. 2022 (nearest examples); balance own.

    count: shown at most. balance: how much closer an item must be, in cosine, for each item of its
    label that is shown already; 0 takes the nearest, large values one of each label first.
    """

    count: int = 8
    balance: float = 0.05

    def __post_init__(self) -> None:
        if self.count < 0 or self.balance < 0:
            raise ParameterError("A count and a balance of demonstrations are at least 0.")

    def choose(self, bank: Bank, queries: Floats, asked: Collection[int] = ()) -> NDArray[np.int64]:
        """Rows of the bank to show with the items of one prompt, the likest last.

        queries: (m, d) their encodings; likeness is the mean cosine to them. asked: their numbers:
        an item is never its own example.
        """
        if self.count == 0 or not len(bank.numbers) or not len(queries):
            return np.empty(0, dtype=np.int64)
        centre = single(np.asarray(queries)).mean(axis=0)
        near = single(np.asarray(bank.encodings)) @ centre
        free = np.flatnonzero(~np.isin(bank.numbers, list(asked)))
        order = free[np.argsort(-near[free], kind="stable")][: REACH * self.count]
        kinds = [tuple(map(int, np.flatnonzero(bank.targets[row] > 0.5))) for row in order]
        shown: Counter[tuple[int, ...]] = Counter()
        chosen: list[int] = []
        left = list(range(len(order)))
        while left and len(chosen) < self.count:
            best = max(left, key=lambda p: (near[order[p]] - self.balance * shown[kinds[p]], -p))
            left.remove(best)
            chosen.append(int(order[best]))
            shown[kinds[best]] += 1
        return np.array(sorted(chosen, key=lambda row: (near[row], -row)), dtype=np.int64)
