"""Answers that mark places of a text or a picture, as pages show them and as their forms send them back."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from annotator.errors import InvalidError
from annotator.models import Annotation, Label
from annotator.templatetags.concord import visible
from annotator.web import boxed
from annotator.web.boxed import BoxPart

LONGEST_QUOTE = 80
DEEPEST = 3
_PART = re.compile(r"(\d{1,9})-(\d{1,9})-(\d{1,18})")


@dataclass(frozen=True)
class TextPart:
    """A marked place of a text; `key` is how a form names it."""

    start: int
    end: int
    label: Label
    quote: str
    # The names of the voices that marked it, where several are laid side by side.
    voices: tuple[str, ...] = ()

    is_box = False

    @property
    def place(self) -> str:
        """How a form names the place without its label."""
        return f"{self.start}-{self.end}"

    @property
    def key(self) -> str:
        return f"{self.place}-{self.label.pk}"

    @property
    def order(self) -> tuple[Any, ...]:
        return (self.start, self.end, self.label.pk)


Part = TextPart | BoxPart


def parts_of(value: Any, text: str, labels: Mapping[int, Label]) -> list[Part]:
    """The marked places of a value in their order; none where an answer has no value."""
    if value is None:
        return []
    spans: list[Part] = [
        TextPart(
            one["start"],
            one["end"],
            labels[one["label"]],
            _quote(text, one["start"], one["end"]),
        )
        for one in value.get("spans", ())
        if one["label"] in labels
    ]
    boxes: list[Part] = [
        boxed.part_of(one, labels[one["label"]])
        for one in value.get("boxes", ())
        if one["label"] in labels
    ]
    return spans + boxes


def _quote(text: str, start: int, end: int) -> str:
    """The marked words on one line. A redacted text has none left."""
    words = " ".join(text[start:end].split())
    return words if len(words) <= LONGEST_QUOTE else f"{words[: LONGEST_QUOTE - 1]}…"


def value_of(keys: Iterable[str], shape: str) -> dict[str, Any]:
    """The value of the places that a form names. Raises InvalidError for a name that is none."""
    read = {"spans": _span_of, "boxes": boxed.box_of}[shape]
    return {shape: [read(key) for key in filter(None, keys)]}


def _span_of(key: str) -> dict[str, Any]:
    found = _PART.fullmatch(key)
    if found is None:
        raise InvalidError("The form is too old. Reload it and choose again.", field="part")
    start, end, label = map(int, found.groups())
    return {"start": start, "end": end, "label": label}


def side_by_side(
    said: Iterable[Annotation], text: str, labels: Mapping[int, Label], had: Iterable[Part] = ()
) -> list[Part]:
    """Every place that somebody marked, once, with who did; `had` is what is decided.

    Nobody draws a box twice alike: those of one thing are one place.
    """
    voices: dict[str, list[str]] = {}
    parts: dict[str, TextPart] = {}
    boxes: list[tuple[str, list[BoxPart]]] = []
    for each in said:
        name, found = each.annotator.name, parts_of(each.value, text, labels)
        boxes.append((name, boxed.only(found)))
        for part in found:
            if isinstance(part, TextPart):
                parts[part.key] = part
                voices.setdefault(part.key, []).append(name)
    ordered = sorted(parts.values(), key=lambda part: part.order)
    spans: list[Part] = [replace(each, voices=tuple(voices[each.key])) for each in ordered]
    return spans + list[Part](boxed.things(boxes, boxed.only(had)))


def marked(text: str, parts: Iterable[Part]) -> SafeString:
    """The text with its places marked: the longest outermost, each named at its end."""
    there = [
        part
        for part in parts
        if isinstance(part, TextPart) and 0 <= part.start < part.end <= len(text)
    ]
    return format_html_join("", "{}", ((piece,) for piece in _pieces(text, there)))


def _pieces(text: str, parts: list[TextPart]) -> Iterator[str]:
    edges = sorted({0, len(text), *(edge for part in parts for edge in (part.start, part.end))})
    coming = deque(sorted(parts, key=lambda part: part.start))
    over: list[TextPart] = []
    for start, end in pairwise(edges):
        over = [part for part in over if part.end > start]
        while coming and coming[0].start == start:
            over.append(coming.popleft())
        piece: str = visible(text[start:end])
        for depth, part in enumerate(sorted(over, key=lambda part: part.end - part.start)):
            piece = format_html(
                '<mark class="span own hue-{} deep-{}{}{}"{}>{}</mark>',
                part.label.colour,
                min(depth, DEEPEST),
                " from" if part.start == start else "",
                " to" if part.end == end else "",
                format_html(' data-name="{}"', part.label.name) if part.end == end else "",
                piece,
            )
        yield piece
