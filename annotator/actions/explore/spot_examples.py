"""What a search by type knows of a label before it looks: places that are one, and places that are not."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from annotator.actions.explore.searching import not_audit
from annotator.errors import ConflictError, InvalidError
from annotator.models import Item, Label, Project, Seeding, Verdict, VerdictState

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.taggers.types import Words

MOST_EXAMPLES, PER_WORD = 300, 20
LONGEST_SECONDS = 2.0
LONGEST_QUOTE, LONGEST_WORDS = 60, 300


@dataclass(frozen=True, kw_only=True, order=True)
class Place:
    """Characters `start` … `end` - 1 of the item with this number."""

    number: int
    start: int
    end: int

    def touches(self, other: Place) -> bool:
        return self.number == other.number and self.start < other.end and other.start < self.end


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a search begins with: (e, d) vectors of examples and what each is, (r, d) of refused places,
    and every place that is not shown again."""

    examples: NDArray[np.float32]
    quotes: list[str]
    refused: NDArray[np.float32]
    judged: list[Place] = field(default_factory=list)


def known_of(
    project: Project, label: Label, words: Words, such_as: str, like: Place | None
) -> Known:
    import numpy as np

    from learning.spans import Span
    from learning.taggers.likeness import of_span

    kept, refused = judged(project, label)
    if like is not None:
        _check_example(project, like)
    given = [*([like] if like else []), *kept, *_marked(project, label)][:MOST_EXAMPLES]
    named = _named(project, [*_typed(such_as), *label.words])

    def vectors(places: Iterable[Place]) -> list[tuple[Place, NDArray[np.float32]]]:
        found = [
            (place, of_span(words, place.number, Span(place.start, place.end, 0)))
            for place in places
            if place.number < words.texts
        ]
        return [(place, vector) for place, vector in found if vector is not None]

    examples = vectors(dict.fromkeys([*given, *named]))
    nothing = np.zeros((0, words.vectors.shape[1]), dtype=np.float32)
    against = [vector for _, vector in vectors(refused)]
    return Known(
        examples=np.array([vector for _, vector in examples]) if examples else nothing,
        quotes=_quotes(project, [place for place, _ in examples]),
        refused=np.array(against) if against else nothing,
        judged=[*kept, *refused],
    )


def _check_example(project: Project, like: Place) -> None:
    items = Item.objects.filter(not_audit(project), project=project).present()
    text = items.filter(number=like.number).values_list("text", flat=True).first()
    if text is None:
        raise ConflictError(
            f"Item {like.number} is no example: it is kept for the audit, or is not here."
        )
    if not 0 <= like.start < like.end <= len(text):
        raise InvalidError(
            f"There is no place {like.start} to {like.end} in item {like.number}.", field="like"
        )


def _typed(such_as: str) -> list[str]:
    clean = such_as.replace("\x00", "")[:LONGEST_WORDS]
    return [" ".join(word.split()) for word in clean.split(",") if word.strip()]


def _marked(project: Project, label: Label) -> list[Place]:
    """What decided answers mark with the label, outside of the audit sample."""
    decided = Verdict.objects.filter(
        project=project, state=VerdictState.DECIDED, labels__contains=[label.pk]
    ).filter(item__in=Item.objects.filter(not_audit(project), project=project).present())
    rows = decided.order_by("-decided_at", "item").values_list("item__number", "value")[
        :MOST_EXAMPLES
    ]
    return [
        Place(number=number, start=one["start"], end=one["end"])
        for number, value in rows
        for one in (value or {}).get("spans", ())
        if one["label"] == label.pk
    ]


def _named(project: Project, names: Sequence[str]) -> list[Place]:
    """Where words occur as whole words, in items outside of the audit sample, some places of each."""
    found: list[Place] = []
    items = Item.objects.filter(not_audit(project), project=project).present()
    ends_at = time.monotonic() + LONGEST_SECONDS
    for name in dict.fromkeys(names):
        if time.monotonic() > ends_at:  # a rare word is looked for in every text
            break
        whole = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)
        rows = items.filter(text__icontains=name).order_by("number")
        places = [
            Place(number=number, start=match.start(), end=match.end())
            for number, text in rows.values_list("number", "text")[: 5 * PER_WORD]
            if (match := whole.search(text))
        ]
        found += places[:PER_WORD]
    return found


def _quotes(project: Project, places: Sequence[Place]) -> list[str]:
    numbers = {place.number for place in places}
    texts = dict(
        Item.objects.filter(project=project, number__in=numbers).values_list("number", "text")
    )
    quotes = [" ".join(texts[each.number][each.start : each.end].split()) for each in places]
    return [
        quote if len(quote) <= LONGEST_QUOTE else quote[: LONGEST_QUOTE - 1] + "…"
        for quote in quotes
    ]


def judged(project: Project, label: Label) -> tuple[list[Place], list[Place]]:
    """Places that people confirmed and refused for a label, and did not take back."""
    rows = Seeding.objects.filter(project=project, label=label, taken_back_at=None)
    kept: list[Place] = []
    refused: list[Place] = []
    for yes, no in rows.order_by("-id").values_list("kept", "refused"):
        kept += map(_place, yes)
        refused += map(_place, no)
    return kept, refused


def _place(row: Sequence[int]) -> Place:
    return Place(number=row[0], start=row[1], end=row[2])
