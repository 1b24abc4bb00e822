"""Spans as one tag per word and back: outside, or begin and inside of a label's column.

Tag 0 is outside, 1 + 2c begins a span of column c, 2 + 2c goes on with it. Letters: w words, k columns,
t = 1 + 2k tags.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from learning.spans import Span
from learning.types import Ints

OUTSIDE = 0


def begin(column: int) -> int:
    """The tag of the first word of a span."""
    return 1 + 2 * column


def inside(column: int) -> int:
    """The tag of its further words."""
    return 2 + 2 * column


def tags_of(spans: Iterable[Span], words: Ints) -> NDArray[np.int64]:
    """(w,) tags of spans whose labels are columns; words is (w, 2).

    A span takes every word that it touches. One word has one tag: of spans that share a word the
    longest is kept, of equals the first. Spans between the words (white space) have no tag.
    """
    tags = np.zeros(len(words), dtype=np.int64)
    for span in sorted(spans, key=lambda one: (one.start - one.end, one)):
        first, last = touched(span, words)
        if first < last and not tags[first:last].any():
            tags[first:last] = inside(span.label)
            tags[first] = begin(span.label)
    return tags


def touched(span: Span, words: Ints) -> tuple[int, int]:
    """The words that a span touches, as a half-open range of their places."""
    first = int(np.searchsorted(words[:, 1], span.start, side="right"))
    last = int(np.searchsorted(words[:, 0], span.end, side="left"))
    return first, last


def runs_of(tags: Sequence[int] | Ints) -> list[Span]:
    """The spans of tags, counted in words. A word that goes on with nothing begins a span."""
    found: list[Span] = []
    open_at, column = -1, -1
    for place, tag in enumerate([*map(int, tags), OUTSIDE]):
        going_on = open_at >= 0 and tag == inside(column)
        if open_at >= 0 and not going_on:
            found.append(Span(open_at, place, column))
            open_at = -1
        if tag != OUTSIDE and not going_on:
            open_at, column = place, (tag - 1) // 2
    return found


def spans_of_tags(tags: Sequence[int] | Ints, words: Ints) -> list[Span]:
    """The spans of tags in characters: from the first word's start to the last one's end."""
    return [
        Span(int(words[run.start, 0]), int(words[run.end - 1, 1]), run.label)
        for run in runs_of(tags)
    ]
