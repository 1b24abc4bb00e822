"""Gather evidence about labels: every item is judged by students that were fitted without it."""

from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from learning.audit.detectors.doubting import doubtful
from learning.audit.detectors.evidence import Evidence, nearest
from learning.audit.detectors.ridge import Ridges
from learning.audit.detectors.temperature import Told, scaled, warmth
from learning.errors import NotEnoughDataError
from learning.students.folds import OutOfFold, assign_folds, near_duplicates
from learning.students.head import FittedHead, Head
from learning.students.parted import PartedHead
from learning.types import Bools, Floats, Ints, Report, TrainingData, no_report, require

PATH = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # strengths of the head, the run of its training
LEAST_POINTS = 3
MOST_COMPARED = 20_000  # rows up to which near-duplicates are kept in one fold
# A head of a fold learns from so many rows at most, drawn at random: more hardly change what it says,
# and cost as much again. With many labels it takes more, so that each has some.
MOST_LEARNT, LEAST_PER_LABEL = 20_000, 100
NEAR_WORK = 10  # how many fits of one fold the search for neighbours takes about as long as

Table = NDArray[np.float32]
Folds = NDArray[np.int64]


def gather(
    data: TrainingData,
    rng: np.random.Generator,
    *,
    folds: int = 5,
    groups: Ints | None = None,
    definitions: Floats | None = None,
    judges: Floats | None = None,
    label_names: tuple[str, ...] = (),
    report: Report = no_report,
) -> Evidence:
    """Evidence on the labels of `data`, from heads and ridge regressions fitted fold by fold.

    The head's path from a strong to a weak penalty stands for its run of training: along it heads
    move as gradient descent does from zero (Suggala, Prasad, Ravikumar 2018). Each begins where
    the last one of its fold ended; the walk ends when the held-out likelihood has fallen, and the
    likeliest point speaks for the student.

    groups: (n,) rows with equal numbers share a fold, and so do near-duplicates.
    report: called with (fits done, fits at most).
    Raises NotEnoughDataError without encodings or without two items that differ.
    """
    if data.encodings is None:
        raise NotEnoughDataError("To look for wrong labels, items must be encoded first.")
    fold = _folds(data, rng, folds, groups)
    told = Told.of(data)
    walk = _Walk(data=data, told=told, fold=fold, rng=rng, report=report)
    training, best = walk.along()
    near = nearest(data.encodings, report=walk.looked)
    ridges = Ridges.of(data, told, fold)
    doubts = [walk.done(doubtful(ridges, near, number)) for number in walk.folds]
    return Evidence(
        labels=data.targets,
        held_out=OutOfFold(probabilities=training[best], fold=fold),
        training=training,
        students=ridges.held_out(),
        cleaned=walk.without(doubts, PATH[best]),
        encodings=data.encodings,
        definitions=definitions,
        judges=judges,
        known=data.known if data.multi_label else None,
        multi_label=data.multi_label,
        label_names=label_names,
        near=near,
    )


def _folds(data: TrainingData, rng: np.random.Generator, folds: int, groups: Ints | None) -> Folds:
    joined = np.arange(data.rows) if groups is None else groups
    require(len(joined) == data.rows, "Each row needs one group.")
    if data.encodings is not None and data.rows <= MOST_COMPARED:
        joined = near_duplicates(data.encodings, joined)
    fold = assign_folds(joined, folds, rng)
    if int(fold.max(initial=-1)) < 1:
        raise NotEnoughDataError("To look for wrong labels, at least two items must differ.")
    return fold


@dataclass(kw_only=True)
class _Walk:
    """Heads by fold, on their way along PATH, and how far all the work is, in fits."""

    data: TrainingData
    told: Told
    fold: Folds
    rng: np.random.Generator
    report: Report
    heads: dict[int, FittedHead | PartedHead] = field(default_factory=dict)
    fits: int = 0

    @property
    def folds(self) -> range:
        return range(int(self.fold.max()) + 1)

    @cached_property
    def turn(self) -> Folds:
        """(n,) the order in which rows are learnt from where there are more than enough."""
        if self.data.rows <= self._most:
            return np.arange(self.data.rows)
        return self.rng.permutation(self.data.rows)

    @property
    def _most(self) -> int:
        return max(MOST_LEARNT, LEAST_PER_LABEL * self.data.labels)

    def along(self) -> tuple[Table, int]:
        """(t, n, k) held-out probabilities on PATH, and which of them fits the labels best."""
        path: list[Table] = []
        costs: list[float] = []
        for strength in PATH:
            table, cost = self._warmed(self._fitted(Head(strength=strength)))
            path.append(table)
            costs.append(cost)
            if len(path) >= LEAST_POINTS and cost > min(costs):
                break
        self.fits = len(PATH) * len(self.folds)
        return np.stack(path), int(np.argmin(costs))

    def without(self, doubts: list[Bools], strength: float) -> Table:
        """(n, k) the same by heads that learnt from no label in doubt; for each fold what is."""
        table = self._warmed(self._fitted(Head(strength=strength), doubts))[0]
        self.report(self._all, self._all)
        return table

    def looked(self, done: int, total: int) -> None:
        """So many of the items have found their neighbours."""
        self.report(self.fits + NEAR_WORK * done // total, self._all)

    def done(self, doubt: Bools) -> Bools:
        """One more of what takes about as long as a fit."""
        self.fits += 1
        self.report(self.fits + NEAR_WORK, self._all)
        return doubt

    @property
    def _all(self) -> int:
        return (len(PATH) + 2) * len(self.folds) + NEAR_WORK

    def _fitted(self, head: Head, doubts: list[Bools] | None = None) -> Table:
        """(n, k) what heads that were fitted without an item's fold say about it."""
        assert self.data.encodings is not None  # noqa: S101 - gather has refused that
        table = np.empty((self.data.rows, self.data.labels), dtype=np.float32)
        before = 0 if doubts is None else NEAR_WORK
        for number in self.folds:
            lesson = self._lesson(number, None if doubts is None else doubts[number])
            beat = partial(self._beat, self.fits + before)
            fitted = head.fit(lesson, self.rng, beat, start=self.heads.get(number))
            ask = np.flatnonzero(self.fold == number)
            table[ask] = fitted.predict(self.data.encodings[ask])
            self.heads[number] = fitted
            self.fits += 1
        return table

    def _lesson(self, number: int, doubt: Bools | None) -> TrainingData:
        """What the head of a fold learns from: others' labels, but for those in doubt."""
        data, there = self.data, self.fold != number
        if doubt is not None and data.multi_label:
            known = self.told.known & ~doubt
            data = replace(data, known=known, targets=np.where(known, data.targets, 0))
        elif doubt is not None:
            there &= ~doubt
        return data.subset(np.sort(self.turn[there[self.turn]][: self._most]))

    def _warmed(self, table: Table) -> tuple[Table, float]:
        warm, cost = warmth(table, self.told)
        return scaled(table, warm, multi_label=self.told.multi_label), cost

    def _beat(self, fits: int, _done: int, _total: int) -> None:
        self.report(fits, self._all)  # a cancel passes through while a head is being fitted
