"""Boxes: an answer marks rectangles of a picture, each with a label; none at all is an answer too."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from learning.boxes import DIGITS, SAME, Box, boxes_of, f1, metrics, value_of
from learning.consensus import ConsensusMethod
from learning.consensus.box_candidates import BoxAnswer, settle, votes_of
from learning.consensus.skills import Skills
from learning.errors import ShapeError
from learning.tasks.columns import Columns
from learning.tasks.content import Content
from learning.tasks.multi import Multi
from learning.tasks.values import Agreed, Given
from learning.types import Votes

SIDES = ("x", "y", "w", "h")
MOST_BOXES = 1_000
SLACK = 1e-3  # what rounding elsewhere may put over the edge


@dataclass(frozen=True, kw_only=True)
class Boxes(Multi):
    """Rectangles with a label each, compared by the F1 of boxes that overlap by half. Source: Everingham
    et al. 2010.

    Seen by its labels alone, an answer says which labels occur: what `Multi` does with arrays holds.

    overlap: two boxes of one label are of one thing from this intersection over union on.
    """

    shape: ClassVar[str] = "boxes"
    item_kinds: ClassVar[frozenset[str]] = frozenset({"image"})
    measure: ClassVar[str] = "boxes"
    headline: ClassVar[str] = "box_f1"
    teachers: ClassVar[tuple[str, ...]] = ()
    students: ClassVar[tuple[str, ...]] = ()
    strategies: ClassVar[tuple[str, ...]] = ("representatives", "random", "probcover", "typiclust")
    consensus: ClassVar[tuple[str, ...]] = ("weighted-majority", "majority", "one-coin")
    conformal: ClassVar[tuple[str, ...]] = ()

    overlap: float = SAME

    def read(self, value: object, content: Content, labels: Collection[int]) -> dict[str, Any]:
        """The canonical value: sides as shares of the picture, rounded to five digits, sorted.

        labels: ids that may be given. Raises ShapeError with a sentence that names the box (the first
        is 1) and its fault.
        """
        if not isinstance(value, dict) or set(value) != {"boxes"}:
            raise ShapeError('An answer of boxes is {"boxes": […]} and nothing else.')
        given = value["boxes"]
        if not isinstance(given, list):
            raise ShapeError("`boxes` is a list, which may be empty.")
        if len(given) > MOST_BOXES:
            raise ShapeError(f"An answer has {MOST_BOXES:,} boxes at most, not {len(given):,}.")
        return value_of(_read(f"Box {at}", one, labels) for at, one in enumerate(given, 1))

    def labels_of(self, value: Any) -> list[int]:
        """The label ids that occur, ascending, each once."""
        return sorted({box.label for box in boxes_of(value)})

    def distance(self, a: Any, b: Any, columns: Columns) -> float:
        """Disagreement of two values: 1 - F1 of their boxes; two without any agree (0)."""
        return 1 - f1(boxes_of(a), boxes_of(b), self.overlap)

    def facets(self, value: Any) -> Mapping[str, tuple[Box, ...]]:
        """All boxes together: which one of two answers is the same is only told by their overlap."""
        return {"boxes": tuple(boxes_of(value))}

    def facets_apart(self, a: Sequence[Box], b: Sequence[Box]) -> float:
        """1 - F1 of the boxes."""
        return 1 - f1(a, b, self.overlap)

    def settle(
        self,
        method: ConsensusMethod,
        items: Sequence[Sequence[Given]],
        skills: Skills | None = None,
    ) -> list[Agreed]:
        """Box by box, whether it is there, then its label and its edges; see `box_candidates`."""
        found = settle(method, [list(map(_answer, given)) for given in items], skills, self.overlap)
        return [
            Agreed(value=value_of(one.boxes), shares=one.shares, tied=one.tied) for one in found
        ]

    def votes(
        self, items: Sequence[Sequence[Given]], truth: Sequence[Any | None] | None = None
    ) -> Votes:
        """Votes on every thing that somebody boxed, "is there one?"; see `box_candidates`."""
        sure = None
        if truth is not None:
            sure = [None if value is None else boxes_of(value) for value in truth]
        return votes_of([list(map(_answer, given)) for given in items], sure, self.overlap)[0]

    def compare(self, truth: Sequence[Any], said: Sequence[Any]) -> dict[str, float]:
        """What `learning.boxes.metrics` tells of the boxes said against the true ones."""
        return metrics(list(map(boxes_of, truth)), list(map(boxes_of, said)), self.overlap)


def _answer(given: Given) -> BoxAnswer:
    return BoxAnswer(annotator=given.annotator, boxes=boxes_of(given.value), weight=given.weight)


def _read(name: str, given: object, labels: Collection[int]) -> Box:
    if not isinstance(given, dict) or set(given) != {*SIDES, "label"}:
        raise ShapeError(f"{name} must have x, y, w, h and label, and nothing else.")
    for side in SIDES:
        number = given[side]
        told = f"{name}: {side} must be a share of the picture between 0 and 1, not {number!r:.40}."
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise ShapeError(told)
        if not -SLACK <= number <= 1 + SLACK:  # nor is NaN, or a whole number that no float holds
            raise ShapeError(told)
    label = given["label"]
    if isinstance(label, bool) or not isinstance(label, int) or label not in labels:
        raise ShapeError(f"{name} has the label {label!r:.40}, which is not in the schema.")
    left, top = (max(0.0, given[side]) for side in ("x", "y"))
    right, bottom = given["x"] + given["w"], given["y"] + given["h"]
    if right > 1 + SLACK or bottom > 1 + SLACK:
        raise ShapeError(f"{name} reaches over the edge of the picture: x + w or y + h is above 1.")
    # Rounded corner by corner, so that a value that was read reads as itself.
    left, top = round(left, DIGITS), round(top, DIGITS)
    wide = round(min(right, 1.0) - left, DIGITS)
    high = round(min(bottom, 1.0) - top, DIGITS)
    if wide <= 0 or high <= 0:
        raise ShapeError(f"{name} is empty: it has no width or no height.")
    return Box(left, top, wide, high, label)
