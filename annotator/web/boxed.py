"""Answers that mark places of a picture, as pages show them and as their forms send them back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from annotator.errors import InvalidError
from annotator.models import Label

if TYPE_CHECKING:
    from learning.boxes import Box

# A form names a box by whole numbers: a hundred thousand to the side.
UNITS = 100_000
_PART = re.compile(r"b(\d{1,6})-(\d{1,6})-(\d{1,6})-(\d{1,6})-(\d{1,18})")


@dataclass(frozen=True)
class BoxPart:
    """A marked box; sides in percent of the picture's."""

    sides: tuple[float, float, float, float]
    label: Label
    voices: tuple[str, ...] = ()

    is_box = True

    @property
    def place(self) -> str:
        """How a form names the box without its label."""
        return "b" + "-".join(str(round(side * UNITS / 100)) for side in self.sides)

    @property
    def key(self) -> str:
        return f"{self.place}-{self.label.pk}"

    @property
    def order(self) -> tuple[Any, ...]:
        return (*self.sides, self.label.pk)

    @property
    def box(self) -> Box:
        from learning.boxes import Box

        x, y, w, h = (side / 100 for side in self.sides)
        return Box(x, y, w, h, self.label.pk)

    @property
    def quote(self) -> str:
        """Where it is, in words that can be read aloud."""
        x, y, w, h = (round(side) for side in self.sides)
        return f"{x} % right, {y} % down, {w} × {h} %"

    def drawn(self) -> dict[str, str]:
        """The sides as an SVG has them."""
        return {name: f"{side:.3f}%" for name, side in zip("xywh", self.sides, strict=True)}


def part_of(one: dict[str, Any], label: Label) -> BoxPart:
    """A box of a stored value."""
    x, y, w, h = (100 * float(one[side]) for side in "xywh")
    return BoxPart((x, y, w, h), label)


def only(parts: Iterable[Any]) -> list[BoxPart]:
    """Those of the marked places that are boxes."""
    return [part for part in parts if isinstance(part, BoxPart)]


def things(said: Sequence[tuple[str, Sequence[BoxPart]]], had: Sequence[BoxPart]) -> list[BoxPart]:
    """What voices, by their names, boxed: each thing once for each label it was given, with who gave it.

    Its box is the one of `had`, what is decided, or else lies in the middle of theirs.
    """
    from learning.consensus.box_candidates import BoxAnswer, between, candidates_of

    answers = [[part.box for part in parts] for parts in (*(parts for _, parts in said), had)]
    labels = {part.label.pk: part.label for _, parts in (*said, ("", had)) for part in parts}
    found = []
    for marks in candidates_of([BoxAnswer(annotator=0, boxes=boxes) for boxes in answers]):
        for pk in {box.label for box in marks.values()}:
            mine = {place: box for place, box in marks.items() if box.label == pk}
            box = mine.pop(len(said)) if len(said) in mine else between(list(mine.values()))
            voices = tuple(said[place][0] for place in sorted(mine))
            found.append(replace(part_of(box._asdict(), labels[pk]), voices=voices))
    return sorted(found, key=lambda part: part.order)


def box_of(key: str) -> dict[str, Any]:
    """The box that a form names. Raises InvalidError for a name that is none."""
    found = _PART.fullmatch(key)
    if found is None:
        raise InvalidError("The form is too old. Reload it and choose again.", field="part")
    *sides, label = map(int, found.groups())
    box: dict[str, Any] = {name: side / UNITS for name, side in zip("xywh", sides, strict=True)}
    return box | {"label": label}
