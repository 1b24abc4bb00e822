"""Gather evidence about labels: every item is judged by students that were fitted without it."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from learning.audit.detectors.ensemble import Ensemble
from learning.audit.detectors.evidence import Evidence, nearest
from learning.audit.detectors.neighbours import Neighbours
from learning.audit.detectors.ridge import held_out_ridge
from learning.audit.detectors.scoring import score
from learning.audit.detectors.temperature import Told, scaled, warmth
from learning.errors import NotEnoughDataError
from learning.students.folds import OutOfFold, assign_folds, near_duplicates
from learning.students.head import FittedHead, Head
from learning.types import Floats, Ints, Report, TrainingData, no_report, require

PATH = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # strengths of the head, the run of its training
LEAST_POINTS = 3
MOST_COMPARED = 20_000  # rows up to which near-duplicates are kept in one fold

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
    first = Evidence(
        labels=data.targets,
        held_out=OutOfFold(probabilities=training[best], fold=fold),
        training=training,
        students=held_out_ridge(data, told, fold),
        encodings=data.encodings,
        definitions=definitions,
        judges=judges,
        known=data.known if data.multi_label else None,
        multi_label=data.multi_label,
        label_names=label_names,
        near=nearest(data.encodings),
    )
    return replace(first, cleaned=walk.without(doubtful(first), PATH[best]))


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
    """Heads by fold, on their way along PATH."""

    data: TrainingData
    told: Told
    fold: Folds
    rng: np.random.Generator
    report: Report
    heads: dict[int, FittedHead] = field(default_factory=dict)
    fits: int = 0

    @property
    def folds(self) -> range:
        return range(int(self.fold.max()) + 1)

    def along(self) -> tuple[Table, int]:
        """(t, n, k) held-out probabilities on PATH, and which of them fits the labels best."""
        path: list[Table] = []
        costs: list[float] = []
        for strength in PATH:
            table, cost = self._warmed(self._fitted(self.data, Head(strength=strength)))
            path.append(table)
            costs.append(cost)
            if len(path) >= LEAST_POINTS and cost > min(costs):
                break
        return np.stack(path), int(np.argmin(costs))

    def without(self, doubt: NDArray[np.bool_], strength: float) -> Table:
        """(n, k) the same by heads that learnt from no label in doubt, (n,) or (n, k) bool."""
        if doubt.ndim == 2:
            known = self.told.known & ~doubt
            data = replace(self.data, known=known, targets=np.where(known, self.data.targets, 0))
            table = self._fitted(data, Head(strength=strength))
        else:
            table = self._fitted(self.data, Head(strength=strength), ~doubt)
        self._tell(last=True)
        return self._warmed(table)[0]

    def _fitted(
        self, data: TrainingData, head: Head, kept: NDArray[np.bool_] | None = None
    ) -> Table:
        """(n, k) what heads that were fitted without an item's fold say about it."""
        assert data.encodings is not None  # noqa: S101 - gather has refused that
        table = np.empty((data.rows, data.labels), dtype=np.float32)
        for number in self.folds:
            others = self.fold != number if kept is None else (self.fold != number) & kept
            learn, ask = np.flatnonzero(others), np.flatnonzero(self.fold == number)
            start = self.heads.get(number)
            fitted = head.fit(data.subset(learn), self.rng, self._beat, start=start)
            table[ask] = fitted.predict(data.encodings[ask])
            self.heads[number] = fitted
            self.fits += 1
        return table

    def _warmed(self, table: Table) -> tuple[Table, float]:
        warm, cost = warmth(table, self.told)
        return scaled(table, warm, multi_label=self.told.multi_label), cost

    def _beat(self, _done: int, _total: int) -> None:
        self._tell()  # a cancel passes through while a head is being fitted

    def _tell(self, *, last: bool = False) -> None:
        most = (len(PATH) + 1) * len(self.folds)
        self.report(most if last else self.fits, most)


def doubtful(evidence: Evidence) -> NDArray[np.bool_]:
    """(n,), or (n, k) for several labels: students and neighbours both prefer another answer.

    At most half of a label's items, the most doubtful ones.
    """
    scores = np.stack([score(Ensemble(), evidence), score(Neighbours(), evidence)])
    worse = np.nan_to_num(scores.max(axis=0), nan=1.0)
    doubt = np.asarray(worse < 0.5, dtype=np.bool_)
    if evidence.multi_label:
        return doubt
    for label in range(evidence.columns):
        rows = np.flatnonzero(evidence.given == label)
        allowed = len(rows) // 2
        if int(doubt[rows].sum()) > allowed:
            order = np.argsort(worse[rows], kind="stable")
            doubt[rows[order[allowed:]]] = False
    return doubt
