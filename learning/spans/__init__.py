"""Spans: marked stretches of a text, and the arithmetic on them.

Offsets count Unicode code points of the text; the end is exclusive. A value, which is what is stored
and sent, is `{"spans": [{"start": 0, "end": 5, "label": 7}, …]}`; here its spans are tuples.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

Value = Mapping[str, Any]


class Span(NamedTuple):
    """Characters `start` … `end` - 1 carry `label`: an id, or a column where the caller says so."""

    start: int
    end: int
    label: int


def spans_of(value: Value) -> list[Span]:
    """The spans of a value that was read before, in its order."""
    return [Span(one["start"], one["end"], one["label"]) for one in value["spans"]]


def value_of(spans: Iterable[tuple[int, int, int]]) -> dict[str, list[dict[str, int]]]:
    """The one value of these spans: sorted by start, end and label, each of them once."""
    names = ("start", "end", "label")
    return {"spans": [dict(zip(names, span, strict=True)) for span in sorted(set(spans))]}
