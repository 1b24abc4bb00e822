"""Boxes: marked rectangles of a picture, and the arithmetic on them.

x, y is the upper left corner and w, h the size, all as shares of the picture's width or height, 0 … 1.
A value, which is what is stored and sent, is `{"boxes": [{"x": 0.1, "y": 0.2, "w": 0.3, "h": 0.1,
"label": 7}, …]}`; here its boxes are tuples.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from learning.matching import one_to_one
from learning.types import require

Value = Mapping[str, Any]
# A hundred-thousandth of the side: finer than a pixel of any picture that is taken.
DIGITS = 5
# Boxes of one thing overlap at least so much; the usual threshold (Everingham et al. 2010).
SAME = 0.5


class Box(NamedTuple):
    """A rectangle with a label's id."""

    x: float
    y: float
    w: float
    h: float
    label: int


def boxes_of(value: Value) -> list[Box]:
    """The boxes of a value that was read before, in its order."""
    return [Box(**one) for one in value["boxes"]]


def value_of(boxes: Iterable[Box]) -> dict[str, list[dict[str, Any]]]:
    """The one value of these boxes: rounded, sorted, each of them once."""
    rounded = {
        Box(
            x=round(float(box.x), DIGITS),
            y=round(float(box.y), DIGITS),
            w=round(float(box.w), DIGITS),
            h=round(float(box.h), DIGITS),
            label=box.label,
        )
        for box in boxes
    }
    return {"boxes": [box._asdict() for box in sorted(rounded)]}


def iou(a: Box, b: Box) -> float:
    """Common area by the area of both, 0 apart … 1 equal; labels do not matter. Source: Jaccard 1912."""
    wide = min(a.x + a.w, b.x + b.w) - max(a.x, b.x)
    high = min(a.y + a.h, b.y + b.h) - max(a.y, b.y)
    if wide <= 0 or high <= 0:
        return 0.0
    if a[:4] == b[:4]:
        return 1.0
    return wide * high / (a.w * a.h + b.w * b.h - wide * high)


def paired(a: Sequence[Box], b: Sequence[Box], least: float = SAME) -> list[tuple[int, int, float]]:
    """Places of boxes of equal label that overlap by `least` at least, each box once, best first."""
    return one_to_one(
        (at, to, share)
        for at, one in enumerate(a)
        for to, other in enumerate(b)
        if one.label == other.label and (share := iou(one, other)) >= least
    )


def f1(a: Sequence[Box], b: Sequence[Box], least: float = SAME) -> float:
    """2 |pairs| / (|a| + |b|); 1 where both are empty. Source: Everingham et al. 2010."""
    total = len(a) + len(b)
    return 2 * len(paired(a, b, least)) / total if total else 1.0


def metrics(
    truth: Sequence[Sequence[Box]], said: Sequence[Sequence[Box]], least: float = SAME
) -> dict[str, float]:
    """box_f1, box_precision, box_recall over all boxes; mean_iou of those that were found;
    exact_items, the share of items where every box was found and none beside them.
    """
    require(len(truth) == len(said), "Truth and prediction differ in the number of items.")
    pairs = [paired(true, told, least) for true, told in zip(truth, said, strict=True)]
    right = sum(map(len, pairs))
    true, told = sum(map(len, truth)), sum(map(len, said))
    shares = [share for one in pairs for _, _, share in one]
    exact = [len(one) == len(a) == len(b) for one, a, b in zip(pairs, truth, said, strict=True)]
    return {
        "n": float(len(pairs)),
        "box_f1": 2 * right / (true + told) if true + told else 1.0,
        "box_precision": right / told if told else float(true == 0),
        "box_recall": right / true if true else float(told == 0),
        "mean_iou": float(np.mean(shares)) if shares else 0.0,
        "exact_items": float(np.mean(exact)) if exact else 1.0,
    }
