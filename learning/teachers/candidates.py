"""With many labels: which of them to put before a teacher, and how often the right one is there.

Letters in shapes: n items, k labels, d dimensions, c candidates.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.errors import NotEnoughDataError
from learning.halves import single
from learning.teachers.demonstrations import Bank
from learning.teachers.trial import Share
from learning.teachers.zero_shot import unit
from learning.types import Floats, Ints, require, row_blocks

BLOCK = 512
LENT = 1.0  # verdicts that the label's own text is worth


@dataclass(frozen=True, kw_only=True)
class Shortlist:
    """Rank labels for items by the label's text, moved to its verdicts, and by its nearest verdict.
    Source: Rocchio 1971 (moving a query to what was relevant); Cover, Hart 1967.

    labels: (k, d) unit rows of the labels (`zero_shot.text_vectors`); bank: verdicts, or None. A
    label without verdicts is ranked by its text alone and loses nothing by it.
    """

    labels: Floats
    bank: Bank | None = None

    def __post_init__(self) -> None:
        require(
            self.bank is None
            or (
                self.bank.targets.shape[1] == len(self.labels)
                and self.bank.encodings.shape[1] == self.labels.shape[1]
            ),
            "The verdicts are not about these labels, or not by the same encoder.",
        )

    def rank(self, queries: Floats, numbers: Ints) -> NDArray[np.int64]:
        """(n, k) label columns, likeliest first.

        queries: (n, d) encodings of items; numbers: (n,) the items' numbers. Raises ShapeError when
        one of them is among the verdicts: its recall would be that of knowing the answer.
        """
        require(queries.shape == (len(numbers), self.labels.shape[1]), "Queries are (n, d).")
        require(
            self.bank is None or not np.isin(numbers, self.bank.numbers).any(),
            "An item cannot be among the verdicts that its labels are ranked by.",
        )
        moved = self._moved()
        ranked = np.empty((len(queries), len(self.labels)), dtype=np.int64)
        for block in row_blocks(len(queries), BLOCK):
            part = single(np.ascontiguousarray(queries[block]))
            near = part @ moved.T
            ranked[block] = np.argsort(-near - self._nearest(part, near), axis=1, kind="stable")
        return ranked

    def _moved(self) -> NDArray[np.float32]:
        """(k, d) the labels' texts, each moved towards the mean of its verdicts the more it has."""
        labels = single(np.asarray(self.labels))
        if self.bank is None or not len(self.bank.numbers):
            return labels
        targets = np.asarray(self.bank.targets, dtype=np.float32)
        count = targets.sum(axis=0)[:, None]
        mean = unit(targets.T @ single(np.asarray(self.bank.encodings)))
        return unit(labels + count / (count + LENT) * mean)

    def _nearest(
        self, queries: NDArray[np.float32], otherwise: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """(n, k) cosine to each label's nearest verdict, `otherwise` where a label has none."""
        found = otherwise.copy()
        if self.bank is None or not len(self.bank.numbers):
            return found
        near = queries @ single(np.asarray(self.bank.encodings)).T  # (n, b)
        has = np.asarray(self.bank.targets) > 0.5
        for column in np.flatnonzero(has.any(axis=0)):
            found[:, column] = near[:, has[:, column]].max(axis=1)
        return found


def recall(ranked: Ints, truth: Floats, count: int, confidence: float = 0.95) -> Share:
    """How often all right labels are among the first `count`, on audited items.

    ranked: (n, k) of `Shortlist.rank`; truth: (n, k) ones at the right labels; items without any
    label are left out.
    """
    needed = places_needed(ranked, truth)
    return Share(count=int((needed <= count).sum()), n=len(needed), confidence=confidence)


def smallest_count(
    ranked: Ints, truth: Floats, *, least: float = 0.98, confidence: float = 0.9
) -> tuple[int, Share]:
    """(c, recall): the fewest candidates of which the lower bound of the recall is at least `least`,
    or all labels where fewer are not shown to be enough; ranked, truth: as in `recall`.

    Raises NotEnoughDataError when nothing was audited.
    """
    needed = places_needed(ranked, truth)
    if not len(needed):
        raise NotEnoughDataError("How many candidates are enough is told by audited items only.")
    k = ranked.shape[1]
    for count in range(1, k + 1):
        held = int((needed <= count).sum())
        found = Share(count=held, n=len(needed), confidence=2 * confidence - 1)
        if found.low >= least:
            break
    return (count, found) if found.low >= least else (k, found)


def places_needed(ranked: Ints, truth: Floats) -> NDArray[np.int64]:
    """For each item with a label, how many candidates its right labels need: 1 … k."""
    require(ranked.shape == truth.shape, "Each audited item needs a ranking and its labels.")
    right = np.take_along_axis(np.asarray(truth) > 0.5, np.asarray(ranked, dtype=np.int64), axis=1)
    last: NDArray[np.int64] = (right * np.arange(1, right.shape[1] + 1)).max(axis=1, initial=0)
    return last[last > 0]


def together(ranked: Ints, rows: Sequence[int], count: int) -> tuple[int, ...]:
    """The candidates of several items in one prompt: each one's first `count`, by column."""
    require(count >= 1, "At least one candidate must be offered.")
    offered: Collection[int] = {int(column) for row in rows for column in ranked[row, :count]}
    return tuple(sorted(offered))
