"""Texts whose spans are known, as taggers learn from them and read them in a replay."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from learning.replayed import Beat
from learning.spans import Value, spans_of, value_of
from learning.students.predictions import Doubted
from learning.taggers import FittedTagger
from learning.taggers.pool import text_blocks
from learning.taggers.types import Marked, Tagged, Words
from learning.types import Ints, require


@dataclass(frozen=True, kw_only=True)
class KnownTexts:
    """`learning.replayed.Known` of texts; fields as `TaughtTask.known_of` has them. The words of a block
    alone are read into memory.
    """

    doubted: ClassVar[str] = "the spans"

    words: Words
    rows: Ints
    values: Sequence[Value]
    labels: int
    texts: Sequence[str] | None = None

    def __post_init__(self) -> None:
        require(len(self.rows) == len(self.values), "There must be one value per text.")

    def present(self, rows: Ints) -> NDArray[np.float32]:
        """(m, k) ones where a span of the label is there."""
        found = np.zeros((len(rows), self.labels), dtype=np.float32)
        for place, row in enumerate(rows.tolist()):
            found[place, [span.label for span in spans_of(self.values[row])]] = 1
        return found

    def lesson(self, rows: Ints) -> Marked:
        """The marked texts."""
        return Marked(
            words=self.words.subset(self.rows[rows]),
            spans=[spans_of(self.values[row]) for row in rows.tolist()],
            labels=self.labels,
            texts=None if self.texts is None else [self.texts[row] for row in rows.tolist()],
        )

    def doubts(self, fitted: FittedTagger, beat: Beat) -> Doubted:
        """Which labels it finds in each text, and its margins."""
        found = [(one.present, one.margins) for one in self._said(fitted, beat)]
        return Doubted(
            probabilities=np.concatenate([present for present, _ in found]),
            margins=np.concatenate([margins for _, margins in found]),
        )

    def told(self, fitted: FittedTagger, beat: Beat) -> list[Value]:
        """What it marks in each text."""
        return [
            value_of(span for span, _ in said.spans(at))
            for said in self._said(fitted, beat)
            for at in range(said.texts)
        ]

    def _said(self, fitted: FittedTagger, beat: Beat) -> Iterator[Tagged]:
        lengths: NDArray[Any] = np.diff(self.words.starts)[self.rows]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        for block in text_blocks(starts):
            beat()
            texts = None if self.texts is None else self.texts[block]
            yield fitted.tag(self.words.subset(self.rows[block]), texts)
