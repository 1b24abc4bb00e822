"""Lists whose orders are known, as rankers learn from them and read them in a replay."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from learning.rankers import FittedRanker
from learning.rankers.pool import BLOCK_LISTS
from learning.rankers.types import Lists, Ordered, Ranked, places_of
from learning.replayed import Beat
from learning.students.predictions import Doubted
from learning.types import Ints, require, row_blocks


@dataclass(frozen=True, kw_only=True)
class KnownLists:
    """`learning.replayed.Known` of lists; fields as `TaughtTask.known_of` has them. The vectors of a block
    alone are read into memory.
    """

    doubted: ClassVar[str] = "the order"

    lists: Lists
    rows: Ints
    values: Sequence[Any]

    def __post_init__(self) -> None:
        require(len(self.rows) == len(self.values), "There must be one value per list.")

    def present(self, rows: Ints) -> NDArray[np.float32]:
        """(m, 0): orders have no labels."""
        return np.zeros((len(rows), 0), dtype=np.float32)

    def lesson(self, rows: Ints) -> Ranked:
        """The lists with their orders."""
        return Ranked(
            lists=self.lists.subset(self.rows[rows]),
            places=[places_of(self.values[row]["order"]) for row in rows.tolist()],
        )

    def doubts(self, fitted: FittedRanker, beat: Beat) -> Doubted:
        """Its margins; there are no labels to be found."""
        margins = np.concatenate([one.margins for one in self._said(fitted, beat)])
        return Doubted(probabilities=np.zeros((len(margins), 0), dtype=np.float32), margins=margins)

    def told(self, fitted: FittedRanker, beat: Beat) -> list[Any]:
        """Its order of each list."""
        return [
            {"order": said.order(at)}
            for said in self._said(fitted, beat)
            for at in range(said.lists)
        ]

    def _said(self, fitted: FittedRanker, beat: Beat) -> Iterator[Ordered]:
        for block in row_blocks(len(self.rows), BLOCK_LISTS):
            beat()
            yield fitted.order(self.lists.subset(self.rows[block]))
