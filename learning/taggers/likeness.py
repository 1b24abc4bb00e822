"""Stretches of text that look like a few examples: a search by type, on the frozen vectors of words.

Letters: N words of n texts, d dimensions, e examples, r refused ones, m stretches.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.errors import NotEnoughDataError
from learning.spans import Span
from learning.spans.tags import touched
from learning.taggers.types import Words
from learning.types import Floats

SAMPLE = 20_000  # words that tell what words are like anyway
SHRINK = 0.3  # how far their covariance is drawn to a multiple of one
DOUBT = 5.0  # refused examples that weigh as much as all other words
GROWN = 0.5  # a stretch goes on while its words have this share of the score of its best one
LONGEST = 10  # words of a stretch on each side of the best one


@dataclass(frozen=True, kw_only=True)
class Background:
    """What words are like anyway. mean: (d,); precision: (d, d), the inverse of their shrunk covariance."""

    mean: NDArray[np.float32]
    precision: NDArray[np.float32]

    @classmethod
    def of(cls, words: Words, rng: np.random.Generator) -> "Background":
        """From SAMPLE words, drawn by `rng`. Raises NotEnoughDataError without any."""
        total = len(words.vectors)
        if not total:
            raise NotEnoughDataError("A search by type needs a text with a word at least.")
        rows = np.sort(rng.choice(total, min(total, SAMPLE), replace=False))
        own = np.asarray(words.vectors[rows], dtype=np.float32)
        mean = own.mean(axis=0)
        spread = (own - mean).T @ (own - mean) / len(own)
        level = max(float(np.trace(spread)) / len(spread), 1e-6)
        shrunk = (1 - SHRINK) * spread + SHRINK * level * np.eye(len(spread), dtype=np.float32)
        return cls(mean=mean, precision=np.linalg.inv(shrunk).astype(np.float32))

    def direction(self, examples: Floats, refused: Floats) -> NDArray[np.float32]:
        """(d,) along which words are like the examples (e, d), e above 0, and unlike the refused (r, d).

        Linear discriminant analysis, all other words being the second class: they weigh as DOUBT refused
        examples. Source: Fisher 1936; the covariance is shrunk as Ledoit, Wolf 2004, by a fixed share.
        """
        other = (DOUBT * self.mean + np.sum(refused, axis=0)) / (DOUBT + len(refused))
        found: NDArray[np.float32] = self.precision @ (np.mean(examples, axis=0) - other)
        return found.astype(np.float32)

    def likest(self, stretches: Floats, examples: Floats) -> NDArray[np.int64]:
        """(m,) which of the examples (e, d) each of the stretches (m, d) is most like, by the cosine of
        whitened vectors."""
        ours, theirs = stretches - self.mean, examples - self.mean
        lengths = np.sqrt(np.maximum(((theirs @ self.precision) * theirs).sum(axis=1), 1e-12))
        return np.asarray((ours @ self.precision @ theirs.T / lengths).argmax(axis=1))


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Characters `start` … `end` - 1 of a text, from word `first` to before word `last` of all words, and
    the score of its best word: larger is more alike, without a scale."""

    text: int
    start: int
    end: int
    first: int
    last: int
    score: float


def scored(words: Words, direction: NDArray[np.float32], mean: Floats) -> NDArray[np.float32]:
    """(N,) how far each word lies along the direction."""
    own = np.asarray(words.vectors, dtype=np.float32) - np.asarray(mean, dtype=np.float32)
    return np.asarray(own @ direction, dtype=np.float32)


def of_span(words: Words, text: int, span: Span) -> NDArray[np.float32] | None:
    """(d,) the mean of the words that a span touches; None where it touches none."""
    first, last = touched(span, words.of(text))
    if first >= last:
        return None
    start = int(words.starts[text])
    own = np.asarray(words.vectors[start + first : start + last], dtype=np.float32)
    return np.asarray(own.mean(axis=0), dtype=np.float32)


def stretches(
    words: Words, scores: NDArray[np.float32], most: int, taken: Sequence[tuple[int, Span]] = ()
) -> list[Stretch]:
    """At most `most` stretches, best first, none in another, around the words with the best scores.

    scores: (N,), -inf for words that are not looked at. taken: (text, place) that no stretch may touch.
    """
    used = ~np.isfinite(scores)
    for text, span in taken:
        first, last = touched(span, words.of(text))
        used[int(words.starts[text]) + first : int(words.starts[text]) + last] = True
    found: list[Stretch] = []
    candidates = np.flatnonzero(~used & (scores > 0))
    for best in map(int, candidates[np.argsort(-scores[candidates], kind="stable")]):
        if len(found) >= most:
            break
        if not used[best]:
            found.append(_around(words, scores, used, best))
            used[found[-1].first : found[-1].last] = True
    return found


def _around(
    words: Words, scores: NDArray[np.float32], used: NDArray[np.bool_], best: int
) -> Stretch:
    text = int(np.searchsorted(words.starts, best, side="right")) - 1
    floor = GROWN * scores[best]
    begin = max(int(words.starts[text]), best - LONGEST)
    end = min(int(words.starts[text + 1]), best + LONGEST + 1)
    first, last = best, best + 1
    while first > begin and not used[first - 1] and scores[first - 1] >= floor:
        first -= 1
    while last < end and not used[last] and scores[last] >= floor:
        last += 1
    return Stretch(
        text=text,
        start=int(words.edges[first, 0]),
        end=int(words.edges[last - 1, 1]),
        first=first,
        last=last,
        score=float(scores[best]),
    )
