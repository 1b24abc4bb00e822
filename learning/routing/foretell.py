"""The loop's budget curve: what more labels of people will make of the student, and of the rest."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from learning.audit.curves import Curve, Measured, fit
from learning.audit.intervals import CONFIDENCE, Estimate
from learning.errors import NotEnoughDataError
from learning.routing.crossfit import Order, order_of
from learning.routing.curve import ALL_DECIDED, SHARES, Point, Work, points
from learning.routing.loop import Voices, fit_blend, opinion_of
from learning.routing.types import Shares, decided
from learning.scores import margins
from learning.students import Student
from learning.students.folds import assign_folds
from learning.types import Bools, Floats, Report, TrainingData, no_report

SIZES = (0.25, 0.4, 0.63, 1.0)  # of the labels there are: as many students as a curve needs
FOLDS = 5
FEWEST = 60  # people's answers on items that chance drew
FEWEST_EACH = 5  # people's answers for each label: with fewer the curve is far too low (measured)
DRAWS = 1_000
GRID = np.linspace(0, 1, 101)
# How many random labels a label is worth that the loop chose, on replays of three sets [ours]: from
# little more than one with few labels in the schema to about two with 77 (docs/selection.md).
WORTH = np.linspace(1.0, 2.5, 7)

Rows = NDArray[np.int64]


def loop_curve(
    heard: Voices,
    work: Work,
    student: Student,
    rng: np.random.Generator,
    report: Report = no_report,
    shares: Sequence[float] = SHARES,
) -> list[Point]:
    """What to expect when people's answers train the student: quality by the share of the waiting
    items that people label, with its interval, money and hours.

    Students of several sizes are judged on items that chance drew and that they have not seen, each
    blended with the teacher; the power law through them (`learning.audit.curves`) says how good the
    blend will be, and its order of doubt how many of its errors people will have put right. Source:
    own. The items that chance drew count alike, and people count as right.

    report: called with (students fitted, students). Raises NotEnoughDataError under 60 answers on
    items that chance drew, under five for each label, or without encodings.
    """
    labelled, drawn = _enough(heard)
    sizes, said = _unseen(heard, labelled, student, rng, report)
    told = _opinions(heard, labelled, drawn, said)
    multi = heard.items.multi_label
    truth = np.asarray(heard.answers, dtype=np.float64)[drawn] >= 0.5
    right = np.stack([(decided(p, multi_label=multi) == truth).all(axis=1) for p in told])
    measured = Measured(labels=sizes, right=right, asked=np.ones_like(right))
    curve = fit(measured, heard.items.labels, rng, DRAWS)
    doubt = 1 - margins(told[-1], multi_label=multi).astype(np.float64)
    alike, whole = np.ones(len(truth)), np.zeros(len(truth), dtype=np.int64)
    order = order_of(doubt, ~right[-1], alike, whole, rng)
    asked = np.asarray(shares, dtype=np.float64)
    reached = _quality(curve, order, len(labelled), work.items, asked, rng)
    return points(shares, [(quality, ALL_DECIDED) for quality in reached], work)


def _enough(heard: Voices) -> tuple[Rows, Bools]:
    """(l,) the labelled rows and (l,) those that chance drew, where they will do."""
    labelled = np.flatnonzero(heard.labelled)
    drawn = np.ones(len(labelled), dtype=np.bool_) if heard.drawn is None else heard.drawn
    if int(drawn.sum()) < FEWEST:
        raise NotEnoughDataError(
            f"A forecast of the loop needs {FEWEST} items that chance drew and a person labelled; "
            f"there are {int(drawn.sum())}."
        )
    if len(labelled) < FEWEST_EACH * heard.items.labels:
        raise NotEnoughDataError(
            f"A forecast of the loop needs {FEWEST_EACH} labelled items for each label, "
            f"{FEWEST_EACH * heard.items.labels} here; there are {len(labelled)}."
        )
    if heard.items.encodings is None:
        raise NotEnoughDataError("A forecast of the loop needs encodings; there are none yet.")
    return labelled, drawn


def _opinions(heard: Voices, labelled: Rows, drawn: Bools, said: list[Floats]) -> list[Floats]:
    """For each student the (m, k) blend with the teacher on the drawn items, at the weights of the
    last one."""
    student = np.zeros(heard.items.teacher.shape, dtype=np.float32)
    student[labelled] = said[-1]
    blend = fit_blend(replace(heard, items=replace(heard.items, student=student)))
    items = heard.heard.subset(labelled[drawn])
    return [opinion_of(items, blend, each[drawn]).astype(np.float32) for each in said]


def _unseen(
    heard: Voices, labelled: Rows, student: Student, rng: np.random.Generator, report: Report
) -> tuple[Rows, list[Floats]]:
    """(v,) how many labels each student learned from, and for each (l, k) what such students say of
    labelled items that they have not seen."""
    encodings = np.asarray(heard.items.encodings[labelled], dtype=np.float32)  # type: ignore[index]
    data = TrainingData(
        targets=np.asarray(heard.answers, dtype=np.float32),
        encodings=encodings,
        multi_label=heard.items.multi_label,
        paired=heard.items.paired,
        sided=heard.items.sided,
    )
    fold = assign_folds(np.arange(len(labelled)), FOLDS, rng)
    sizes, said = [], []
    for place, size in enumerate(SIZES):
        p = np.empty(data.targets.shape, dtype=np.float32)
        learned = 0
        for f in range(FOLDS):
            report(place * FOLDS + f, len(SIZES) * FOLDS)
            rest = rng.permutation(np.flatnonzero(fold != f))
            rest = rest[: max(2, round(size * len(rest)))]
            fitted = student.fit(data.subset(rest), rng, no_report)
            p[fold == f] = fitted.predict(encodings[fold == f])
            learned += len(rest)
        sizes.append(round(learned / FOLDS))
        said.append(p)
    report(len(SIZES) * FOLDS, len(SIZES) * FOLDS)
    return np.array(sizes, dtype=np.int64), list(said)


def _quality(
    curve: Curve, order: Order, labels: int, waiting: int, shares: Shares, rng: np.random.Generator
) -> list[Estimate]:
    """The finished labels at each share: errors of a student of that many labels, less those that
    people meet first. Doubt finds a better student's fewer errors as well, in proportion, as it does
    those of today's. The band takes in drawn curves, what a chosen label is worth, and the Bayesian
    bootstrap over items (Rubin 1981).
    """
    worth = labels + WORTH[:, None] * shares * waiting  # (w, q)
    reached = curve.versions(np.maximum(worth, curve.at).ravel())  # (draws, w q)
    reached = reached.reshape(len(reached), len(WORTH), len(shares))
    accuracy = reached[np.arange(len(reached)), rng.integers(0, len(WORTH), len(reached))]
    counts = rng.exponential(size=(len(accuracy), len(order.wrong)))
    counts *= order.wrong + 1e-9  # with no error seen, errors lie anywhere
    left = counts @ order.left(GRID) / counts.sum(axis=1, keepdims=True)  # (draws, g)
    fewer = (1 - curve.level)[:, None] / np.maximum(1 - accuracy, 1e-6)  # errors today for one then
    asked = np.clip(np.where(shares < 1, shares * fewer, 1), 0, 1)
    kept = np.stack([np.interp(x, GRID, y) for x, y in zip(asked, left, strict=True)])
    quality = 1 - (1 - accuracy) * kept
    low, high = np.quantile(quality, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    return [
        Estimate(value=float(mean), low=float(a), high=float(b), n=curve.n)
        for mean, a, b in zip(quality.mean(axis=0), low, high, strict=True)
    ]
