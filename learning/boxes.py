"""Boxes: marked rectangles of a picture, and the arithmetic on them.

x, y is the upper left corner and w, h the size, all as shares of the picture's width or height, 0 … 1.
A value, which is what is stored and sent, is `{"boxes": [{"x": 0.1, "y": 0.2, "w": 0.3, "h": 0.1,
"label": 7}, …]}`; here its boxes are tuples.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from learning.matching import Pair, one_to_one
from learning.types import require

Value = Mapping[str, Any]
Floats64 = NDArray[np.float64]
# A hundred-thousandth of the side: finer than a pixel of any picture that is taken.
DIGITS = 5
# Boxes of one thing overlap at least so much; the usual threshold (Everingham et al. 2010).
SAME = 0.5
# Boxes that are compared with others at once.
_BLOCK = 64


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


def overlaps(a: Sequence[Box], b: Sequence[Box], least: float = SAME) -> list[Pair]:
    """(place in a, place in b, `iou`) of all that overlap by `least` at least, which is above 0; labels do
    not matter. In no order.

    Boxes are compared in blocks, from left to right, with those alone that begin where one of the block may
    meet them: thousands of small ones take time by the number that meet, not by all pairs.
    """
    if not a or not b:
        return []
    one, other = (np.array([box[:4] for box in boxes], dtype=np.float64) for boxes in (a, b))
    own, theirs = one[:, 0].argsort(kind="stable"), other[:, 0].argsort(kind="stable")
    lefts, widest = other[theirs, 0], other[:, 2].max()
    found: list[Pair] = []
    for start in range(0, len(own), _BLOCK):
        block = own[start : start + _BLOCK]
        first = np.searchsorted(lefts, one[block, 0].min() - widest, "left")
        last = np.searchsorted(lefts, (one[block, 0] + one[block, 2]).max(), "right")
        near = theirs[first:last]
        shares = _shares(one[block, None], other[None, near])
        rows, columns = np.nonzero(shares >= least)
        sides = (block[rows].tolist(), near[columns].tolist(), shares[rows, columns].tolist())
        found += zip(*sides, strict=True)
    return found


def _shares(one: Floats64, other: Floats64) -> Floats64:
    """(n, m) intersections over unions of (n, 1, 4) and (1, m, 4) sides."""
    low = np.maximum(one[..., :2], other[..., :2])
    high = np.minimum(one[..., :2] + one[..., 2:], other[..., :2] + other[..., 2:])
    common = np.clip(high - low, 0, None).prod(axis=-1)
    whole = one[..., 2:].prod(axis=-1) + other[..., 2:].prod(axis=-1) - common
    shares: Floats64 = common / whole
    shares[(one == other).all(axis=-1)] = 1.0
    return shares


def paired(a: Sequence[Box], b: Sequence[Box], least: float = SAME) -> list[tuple[int, int, float]]:
    """Places of boxes of equal label that overlap by `least` at least, each box once, best first."""
    return one_to_one(
        near for near in overlaps(a, b, least) if a[near[0]].label == b[near[1]].label
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
