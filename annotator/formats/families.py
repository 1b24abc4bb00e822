"""Columns that belong together: one for each annotator, or one for each of several texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from annotator.formats.guessing import Column
    from annotator.formats.records import Record

_NUMBERED = re.compile(r"(.*?)[ _.-]?(\d{1,3}|[a-z])")
_NAMED = re.compile(r"(label|labels|annotation|answer|rating|grade|vote)[ _.-](.+)")
_VOICES = {
    *("annotator", "annot", "rater", "worker", "coder", "labeler", "labeller", "judge", "expert"),
    *("person", "human", "vote", "voter", "label", "labels", "annotation", "answer", "rating"),
    *("grade", "score", "class", "category", "annotator label", "rater label"),
}
_TEXTS = {
    *("response", "answer", "output", "completion", "reply", "summary", "translation", "text"),
    *("sentence", "candidate", "generation", "passage", "document", "option", "model", "caption"),
}
# Shorter ones are names of labels, longer ones are texts.
LONGEST_NAME = 40
_MOST_LABELS = 200


def voices_in(columns: Sequence[Column], records: Sequence[Record]) -> tuple[str, ...]:
    """Name the columns that hold one annotator's label each: called alike, and with labels in common."""
    short = [one for one in columns if one.filled and one.mean_characters <= LONGEST_NAME]
    for pattern, stems in ((_NUMBERED, _VOICES), (_NAMED, _VOICES)):
        for family in _families(short, pattern, stems):
            if _share_values(family, records):
                return tuple(family)
    return ()


def texts_in(columns: Sequence[Column]) -> tuple[str, ...]:
    """Name the columns that hold one of several texts each, two or more of them: called alike, and long."""
    long = [one for one in columns if one.mean_characters > LONGEST_NAME]
    return tuple(next(iter(_families(long, _NUMBERED, _TEXTS)), ()))


def _families(
    columns: Sequence[Column], pattern: re.Pattern[str], stems: set[str]
) -> list[list[str]]:
    """The names of columns that differ in their ends only, two or more to a family."""
    found: dict[str, list[str]] = {}
    for column in columns:
        match = pattern.fullmatch(column.name.strip().casefold())
        if match and (stem := re.sub("[ _.-]+", " ", match[1])) in stems:
            found.setdefault(stem, []).append(column.name)
    return [names for names in found.values() if len(names) > 1]


def _share_values(names: Sequence[str], records: Sequence[Record]) -> bool:
    """Ask whether at least half of what each column says, another of them says too."""
    sets = [values_of(name, records) for name in names]
    if not all(0 < len(values) <= _MOST_LABELS for values in sets):
        return False
    others = [set().union(*sets[:at], *sets[at + 1 :]) for at in range(len(sets))]
    return all(2 * len(own & rest) >= len(own) for own, rest in zip(sets, others, strict=True))


def values_of(name: str, records: Sequence[Record]) -> set[str]:
    """What a column says, each value once and as a text; the entries of lists one by one."""
    found: set[str] = set()
    for record in records:
        cell: Any = record.fields.get(name)
        for part in cell if isinstance(cell, list) else [cell]:
            if part not in (None, "") and not isinstance(part, dict | list):
                found.add(str(part).strip())
    return found
