"""Marked places of a text as other tools write them: read into one form, checked against the text.

A span is (start, end, label name); offsets count code points, the end is exclusive.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from annotator.formats.records import RowError

Span = tuple[int, int, str]

# Columns in which an empty list says that nothing is marked, not that nobody has looked.
SPAN_COLUMNS = ("spans", "entities")
_STARTS, _ENDS = ("start", "start_offset"), ("end", "end_offset")
_FORMS = "[start, end, label], or objects with start, end and label"


def look_like_spans(value: Any) -> bool:
    """Say whether a cell holds a list of marked places, or is empty and could."""
    return isinstance(value, list) and all(
        (isinstance(one, list) and len(one) == 3) or (isinstance(one, dict) and _has(one, _STARTS))
        for one in value
    )


def spans_of(value: Any, column: str) -> tuple[Span, ...]:
    """Read a list of places; raise RowError naming the first that is none."""
    if not isinstance(value, list):
        raise RowError([(column, f"A list of spans was expected here: {_FORMS}.")])
    found = [span_of(one, f"Span {number}", column) for number, one in enumerate(value, 1)]
    return tuple(dict.fromkeys(found))


def span_of(one: Any, name: str, column: str) -> Span:
    """Read one place; raise RowError for what is none."""
    if isinstance(one, dict):
        start, end = _first(one, _STARTS), _first(one, _ENDS)
        label = one.get("label")
    elif isinstance(one, list) and len(one) == 3:
        start, end, label = one
    else:
        raise RowError([(column, f"{name} is not written as {_FORMS}.")])
    if type(start) is not int or type(end) is not int or not isinstance(label, str) or not label:
        raise RowError([(column, f"{name} needs whole numbers as start and end, and a label.")])
    return start, end, label


def by_quote(span: Span, quote: str, texts: Sequence[str], column: str) -> Span:
    """The span in code points, where its words are given: tools on the web count UTF-16 units, and
    scripts that write for them often code points.

    Raises RowError when the words stand in none of the texts at this place.
    """
    start, end, label = span
    for text in texts:
        points = _points(text, start, end)
        if points is not None and text[points[0] : points[1]] == quote:
            return *points, label
        if 0 <= start <= end <= len(text) and text[start:end] == quote:
            return span
    raise RowError([(column, f"At {start} to {end} the text does not read “{quote[:80]}”.")])


def exported(value: Any, names: Mapping[int, str], text: str) -> list[dict[str, Any]] | None:
    """A stored value as our own files hold it, its labels by name; with the words where `text` is
    given. None where there is no value."""
    if value is None:
        return None
    return [
        {"start": one["start"], "end": one["end"], "label": names[one["label"]]}
        | ({"text": text[one["start"] : one["end"]]} if text else {})
        for one in value["spans"]
    ]


def units(text: str, offset: int) -> int:
    """How many UTF-16 units come before a code point."""
    return len(text[:offset].encode("utf-16-le")) // 2


def _points(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Code points of UTF-16 offsets; None when these cut a character in two."""
    encoded = text.encode("utf-16-le")
    try:
        before = encoded[: 2 * start].decode("utf-16-le")
        within = encoded[2 * start : 2 * end].decode("utf-16-le")
    except UnicodeDecodeError:
        return None
    inside = 0 <= start <= end and 2 * end <= len(encoded)
    return (len(before), len(before) + len(within)) if inside else None


def names_of(spans: Iterable[Span]) -> tuple[str, ...]:
    """The labels that occur, each once, in the order of the spans."""
    return tuple(dict.fromkeys(label for _, _, label in spans))


def _has(one: dict[str, Any], names: Sequence[str]) -> bool:
    return any(name in one for name in names)


def _first(one: dict[str, Any], names: Sequence[str]) -> Any:
    return next((one[name] for name in names if name in one), None)
