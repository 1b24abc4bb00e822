"""What taggers learn from and what they say; shapes are checked here, once.

Letters: n texts, N words of all of them one after another, d dimensions, k label columns, s spans.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from learning.spans import Span
from learning.types import Floats, Ints, require


@dataclass(frozen=True, kw_only=True)
class WordVectors:
    """Words as an encoder reads them: counts (n,) of each text, edges (N, 2), vectors (N, d)."""

    counts: NDArray[np.int64]
    edges: NDArray[np.int64]
    vectors: NDArray[np.float32]

    @property
    def words(self) -> "Words":
        """The same as words of texts that follow each other."""
        starts = np.concatenate([[0], np.cumsum(self.counts)]).astype(np.int64)
        return Words(starts=starts, edges=self.edges, vectors=self.vectors)

    def without(self, texts: Sequence[int]) -> "WordVectors":
        """The same with zeros for all that is known of some texts, from 0, but how many words they have."""
        there = np.repeat(np.isin(np.arange(len(self.counts)), texts), self.counts)[:, None]
        return replace(
            self, edges=np.where(there, 0, self.edges), vectors=np.where(there, 0, self.vectors)
        )


@dataclass(frozen=True, kw_only=True)
class Words:
    """The words of n texts; memory maps are fine.

    starts: (n + 1,) where each text's words begin, and N; edges: (N, 2) their characters, counted in
    their own text; vectors: (N, d) the words in their context.
    """

    starts: Ints
    edges: Ints
    vectors: Floats

    def __post_init__(self) -> None:
        total = int(self.starts[-1]) if len(self.starts) else -1
        require(
            total == len(self.edges) == len(self.vectors) and self.edges.shape[1:] == (2,),
            f"Words begin at (n + 1,) places up to {len(self.edges)}, each with two edges and a "
            f"vector; there are {len(self.vectors)} vectors and the last place is {total}.",
        )

    @property
    def texts(self) -> int:
        """How many texts there are."""
        return len(self.starts) - 1

    def of(self, text: int) -> NDArray[np.int64]:
        """(w, 2) the edges of one text's words."""
        return np.asarray(self.edges[self.starts[text] : self.starts[text + 1]], dtype=np.int64)

    def block(self, block: slice) -> "Words":
        """Texts that follow each other; nothing is read yet."""
        starts = self.starts[block.start : block.stop + 1]
        first, last = int(starts[0]), int(starts[-1])
        return Words(
            starts=np.asarray(starts, dtype=np.int64) - first,
            edges=self.edges[first:last],
            vectors=self.vectors[first:last],
        )

    def subset(self, texts: Ints) -> "Words":
        """Copies of some texts, in this order."""
        lengths = np.diff(self.starts)[texts]
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        places = np.repeat(np.asarray(self.starts)[texts] - starts[:-1], lengths)
        places = places + np.arange(int(starts[-1]))
        return Words(
            starts=starts,
            edges=np.asarray(self.edges[places], dtype=np.int64),
            vectors=np.asarray(self.vectors[places], dtype=np.float32),
        )


@dataclass(frozen=True, kw_only=True)
class Marked:
    """Texts with their true spans.

    words: of n texts; spans: n sequences, labels are columns 0 … labels - 1; weights: (n,) above 0, or
    None for all 1; texts: n strings, for taggers that read them.
    """

    words: Words
    spans: Sequence[Sequence[Span]]
    labels: int
    weights: Floats | None = None
    texts: Sequence[str] | None = None

    def __post_init__(self) -> None:
        n = self.words.texts
        for name in ("spans", "weights", "texts"):
            given = getattr(self, name)
            require(given is None or len(given) == n, f"There must be {n} {name}, one per text.")
        columns = {span.label for spans in self.spans for span in spans}
        require(
            not columns or (min(columns) >= 0 and max(columns) < self.labels),
            f"Columns of spans must lie between 0 and {self.labels - 1}.",
        )

    def subset(self, texts: NDArray[np.int64]) -> "Marked":
        """The same with these texts only, in this order."""
        return replace(
            self,
            words=self.words.subset(texts),
            spans=[self.spans[at] for at in texts],
            weights=None if self.weights is None else self.weights[texts],
            texts=None if self.texts is None else [self.texts[at] for at in texts],
        )


@dataclass(frozen=True, kw_only=True)
class Tagged:
    """What a tagger says of n texts.

    starts: (n + 1,) where each text's spans begin; edges: (s, 2) their characters; column: (s,);
    probability: (s,) float32 that just this span is there.
    present: (n, k) float32, that a span of the label is there; margins: (n,) float32, 0 undecided …
    1 sure, see `margins_of`.
    """

    starts: NDArray[np.int64]
    edges: NDArray[np.int64]
    column: NDArray[np.int64]
    probability: NDArray[np.float32]
    present: NDArray[np.float32]
    margins: NDArray[np.float32]

    @property
    def texts(self) -> int:
        """How many texts it speaks of."""
        return len(self.starts) - 1

    def spans(self, text: int) -> list[tuple[Span, float]]:
        """The spans of one text with their probabilities; labels are columns."""
        block = slice(int(self.starts[text]), int(self.starts[text + 1]))
        rows = zip(
            self.edges[block].tolist(),
            self.column[block].tolist(),
            self.probability[block].tolist(),
            strict=True,
        )
        return [(Span(start, end, column), p) for (start, end), column, p in rows]
