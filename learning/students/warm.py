"""A head that begins with what was learnt elsewhere about some of its labels, and with nothing else of it.

Letters: m rows elsewhere, t labels taken over, n rows of the lesson, k label columns, d dimensions.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from learning.errors import NotEnoughDataError
from learning.students.decision import HALF
from learning.students.head import FittedHead, Head
from learning.students.regression import Problem
from learning.students.strength import STRENGTHS, USUAL_OWN, USUAL_SCALE, Choice, Grid
from learning.types import Floats, Ints, Report, TrainingData, no_report, require

# Of one label each: a row is about labels taken over where more than this of its target is.
LEAST_MASS = 0.5
# What answers elsewhere count, strength times answers for each label, where all labels are taken over: many
# of them must not shout down labels here that have only a name.
WEIGHT = 120.0
# How strongly the lesson speaks is chosen as without a beginning; few rows take what they always take.
BEGUN = Grid(strengths=STRENGTHS, scales=(1.0,))


def about(data: TrainingData, place: Ints) -> NDArray[np.int64]:
    """Rows of `data` that say something of labels taken over, see `only`."""
    at = np.asarray(place, dtype=np.int64)
    require(at.shape == (data.labels,), f"There must be {data.labels} places, one per label.")
    if not data.multi_label:
        mass = np.asarray(data.targets, dtype=np.float32)[:, at >= 0].sum(axis=1)
        return np.flatnonzero(mass > LEAST_MASS)
    if data.known is None:
        return np.arange(data.rows)
    return np.flatnonzero(data.known[:, at >= 0].any(axis=1))


def only(data: TrainingData, place: Ints, taken: int) -> TrainingData:
    """What `data`, m rows, says of the labels taken over, as if it had no others.

    place: (labels of data,) which of the `taken` labels each of its labels is, 0 … taken - 1, or -1 for
    one that is left behind. Of one label each, rows of labels left behind are left out, and labels that
    become one are added up; of several labels the surer one counts, and a no needs both. What labels are
    called there is left out: vectors of names were moved among the names of all labels.
    Raises NotEnoughDataError where no row is left.
    """
    at = np.asarray(place, dtype=np.int64)
    require(bool(np.all((at >= -1) & (at < taken))), f"A place lies between -1 and {taken - 1}.")
    rows = about(data, at)
    if not len(rows):
        raise NotEnoughDataError("No answer there is about a label that is taken over.")
    part = data.subset(rows)
    targets = _joined(part, at, taken)
    known = None if part.known is None else ~_any(~part.known, at, taken) | (targets > 0)
    if known is not None:
        targets = np.where(known, targets, np.float32(0))
    if not data.multi_label:
        targets = targets / targets.sum(axis=1, keepdims=True)
    younger = None if part.younger is None else _any(part.younger, at, taken) & (targets == 0)
    return replace(
        part,
        targets=targets,
        texts=None,
        label_texts=None,
        known=known,
        younger=younger,
        label_vectors=None,
    )


def learnt(
    part: TrainingData,
    names: Floats | None,
    labels: int,
    rng: np.random.Generator,
    report: Report = no_report,
) -> FittedHead:
    """What is taken over: a head of `only` the labels taken over.

    names: (t, d) what these labels are called here, from which its weights set out; None where that is
    not told. labels: how many there are here, t or more. Of one label each t labels tell t - 1
    directions apart and nothing of the others, so the more others there are the less it counts.
    Raises NotEnoughDataError for one label taken over where each item has one, and what `Head.fit` raises.
    """
    if part.labels < 2 and not part.multi_label:
        raise NotEnoughDataError("One label tells nothing apart; at least two are taken over.")
    each = float(np.asarray(part.targets).sum()) / part.labels
    share = 1.0 if part.multi_label else (part.labels - 1) / labels
    head = Head(strength=WEIGHT * share / max(each, 1.0), prior_scale=USUAL_SCALE)
    return head.fit_one(replace(part, label_vectors=names), rng, report)


def _joined(data: TrainingData, place: NDArray[np.int64], taken: int) -> NDArray[np.float32]:
    """(m, t) the targets that are taken over, those of labels that become one together."""
    targets = np.asarray(data.targets, dtype=np.float32)
    joined = np.zeros((data.rows, taken), dtype=np.float32)
    for column in np.flatnonzero(place >= 0):
        into = joined[:, place[column]]
        if data.multi_label:
            np.maximum(into, targets[:, column], out=into)
        else:
            into += targets[:, column]
    return joined


def _any(table: NDArray[np.bool_], place: NDArray[np.int64], taken: int) -> NDArray[np.bool_]:
    joined = np.zeros((len(table), taken), dtype=np.bool_)
    for column in np.flatnonzero(place >= 0):
        joined[:, place[column]] |= table[:, column]
    return joined


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A head that began with labels taken over.

    cost, alone: held-out cross-entropy of the lesson's rows with and without the beginning, on the same
    rows; None where there are too few rows to tell.
    """

    head: FittedHead
    cost: float | None
    alone: float | None

    @property
    def is_refuted(self) -> bool:
        """Whether answers that were held out are better explained without the beginning."""
        return self.cost is not None and self.alone is not None and self.cost > self.alone


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """The weights of labels taken over, and those that the labels' names give the others, are what the
    penalty of a head pulls towards; the more answers of its own it has, the less that says.

    Source: Chang et al. 2008 (the prior).

    taken: what was `learnt` elsewhere, t columns.
    columns: (t,) the column here of each.
    """

    taken: FittedHead
    columns: Ints

    def fit(
        self,
        head: Head,
        lesson: TrainingData,
        rng: np.random.Generator,
        report: Report = no_report,
    ) -> Begun:
        """The head of `lesson`, n rows and k labels, encodings of the encoder that `taken` learnt from.

        The same generator state gives the same head. Raises ShapeError where columns or dimensions
        do not fit, and what `Head.fit` raises.
        """
        seed = int(rng.integers(2**62))
        # Where a label is given from changes no cost.
        plain = replace(head, own=self.taken.own, cut=HALF)
        alone = plain.fit_one(lesson, np.random.default_rng(seed), report)
        drawn = np.random.default_rng(seed)  # the same rows are held out
        made = self.beside(alone, head, lesson, drawn, report)
        return Begun(head=made, cost=made.choice.cost, alone=alone.choice.cost)

    def beside(
        self,
        alone: FittedHead,
        head: Head,
        lesson: TrainingData,
        rng: np.random.Generator,
        report: Report = no_report,
        chosen: Choice | None = None,
    ) -> FittedHead:
        """The same beside `alone`, a head of this very lesson without the beginning.

        chosen: what was chosen with this beginning before; it is kept until there are a quarter more rows.
        """
        begun = replace(
            alone,
            weights=self.centre(lesson, alone.choice.scale),
            bias=np.zeros(lesson.labels, dtype=np.float32),
            choice=chosen or Choice(),
            own=self.taken.own,
        )
        return head.fit_towards(begun, lesson, rng, report, BEGUN)

    def centre(self, lesson: TrainingData, scale: float | None) -> NDArray[np.float32]:
        """(d, k) the weights that the penalty pulls towards; scale: how far the names count."""
        columns = np.asarray(self.columns, dtype=np.int64)
        problem = Problem.of(lesson, own=self.taken.own or USUAL_OWN)
        require(
            self.taken.weights.shape == (problem.d, len(columns))
            and len(set(columns.tolist())) == len(columns)
            and bool(np.all((columns >= 0) & (columns < problem.k))),
            f"Labels taken over need weights of {problem.d} rows and a column each of {problem.k}.",
        )
        require(
            self.taken.multi_label == lesson.multi_label, "Both give one label, or both several."
        )
        table = np.zeros((problem.d, problem.k), dtype=np.float32)
        if problem.named is not None:
            table += np.float32(USUAL_SCALE if scale is None else scale) * problem.named
        theirs = self.taken.weights
        if not lesson.multi_label:  # softmax tells no common part, so it is that of the names here
            common = table[:, columns].mean(axis=1) - theirs.mean(axis=1)
            theirs = theirs + common[:, None]
        table[:, columns] = theirs
        return table
