"""Out-of-fold probabilities: every item predicted by a student that has not seen it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from learning.errors import NotEnoughDataError
from learning.students import Student
from learning.types import Floats, Ints, Report, TrainingData, no_report, require, row_blocks

NEARLY_SAME = 0.98  # cosine from which two items are one for an honest figure


@dataclass(frozen=True, kw_only=True)
class OutOfFold:
    """probabilities: (n, k) float32; fold: (n,) int64, which fold predicted the row."""

    probabilities: NDArray[np.float32]
    fold: NDArray[np.int64]


def out_of_fold(
    student: Student,
    data: TrainingData,
    rng: np.random.Generator,
    folds: int = 5,
    groups: Ints | None = None,
    report: Report = no_report,
) -> OutOfFold:
    """Cross-fitted probabilities for the rows of `data`.

    groups: (n,) ints; rows with equal numbers (duplicates by content) share a fold, and so do
    rows whose encodings are nearly the same. Fewer groups than folds means as many folds as
    groups. Raises NotEnoughDataError below two groups.
    """
    joined = np.arange(data.rows) if groups is None else groups
    if data.encodings is not None:
        joined = near_duplicates(data.encodings, joined)
    fold = assign_folds(joined, folds, rng)
    used = int(fold.max(initial=-1)) + 1
    if used < 2:
        raise NotEnoughDataError("Out-of-fold probabilities need two items that differ.")
    require(len(fold) == data.rows, "Each row needs one group.")
    probabilities = np.empty((data.rows, data.labels), dtype=np.float32)
    for number in range(used):
        report(number, used)
        learn, ask = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        beat = partial(_beat, report, number, used)
        fitted = student.fit(data.subset(learn), rng, beat)
        student = student.settle(fitted)  # what the first fold chose serves the others
        probabilities[ask] = fitted.predict(_items(student, data.subset(ask)))
    report(used, used)
    return OutOfFold(probabilities=probabilities, fold=fold)


def _beat(report: Report, number: int, used: int, _done: int, _total: int) -> None:
    report(number, used)  # a cancel passes through while a fold is being fitted


def _items(student: Student, data: TrainingData) -> Floats | list[str] | Sequence[bytes]:
    kinds = {"encodings": data.encodings, "texts": data.texts, "images": data.images}
    items = kinds[student.needs]
    if items is None:
        raise NotEnoughDataError(f"The data has no {student.needs} to predict from.")
    return items


def near_duplicates(
    encodings: Floats, groups: Ints, similarity: float = NEARLY_SAME
) -> NDArray[np.int64]:
    """(n,) group numbers after joining all rows whose cosine is at least `similarity`, and the
    groups that such rows belong to. Compares every pair, block by block: made for some thousands.
    """
    points = np.asarray(encodings, dtype=np.float32)
    length = np.linalg.norm(points, axis=1, keepdims=True)
    points = np.asarray(points / np.where(length > 0, length, 1), dtype=np.float32)
    _, given = np.unique(groups, return_inverse=True)
    number = given.astype(np.int64)
    while True:
        before = number.copy()
        for block in row_blocks(len(points), 1024):
            near = points[block] @ points.T >= similarity  # (b, n)
            least = np.where(near, number, len(points)).min(axis=1, initial=len(points))
            number[block] = np.minimum(number[block], least)
        smallest = np.full(len(points), len(points), dtype=np.int64)
        np.minimum.at(smallest, given, number)
        number = smallest[given]  # a group moves as a whole
        if np.array_equal(number, before):
            return number


def some_to_fold(
    numbers: Ints, first: Sequence[int], most: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Ascending rows of `numbers`, at most `most`: those of `first` in its order, then others by chance."""
    order = rng.permutation(len(numbers))
    turn = {number: at for at, number in enumerate(first)}
    rank = [turn.get(number, len(turn)) for number in numbers[order].tolist()]
    return np.sort(order[np.argsort(rank, kind="stable")][:most])


def assign_folds(groups: Ints, folds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(n,) fold numbers 0 … folds - 1: whole groups, large ones first, to the smallest fold."""
    require(folds >= 2, "There must be at least two folds.")
    _, place, size = np.unique(groups, return_inverse=True, return_counts=True)
    shuffled = rng.permutation(len(size))
    order = shuffled[np.argsort(-size[shuffled], kind="stable")]
    load = np.zeros(min(folds, max(len(size), 1)), dtype=np.int64)
    home = np.empty(len(size), dtype=np.int64)
    for group in order:
        target = int(load.argmin())
        home[group] = target
        load[target] += size[group]
    return home[place]
