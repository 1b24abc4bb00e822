"""How good is a student: on audit evaluation items, or out of fold until there are enough."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from annotator import jobs
from annotator.actions.queue import auditing
from annotator.models import EstimateSource, Project

if TYPE_CHECKING:
    import numpy as np

    from annotator.actions.students.lessons import Lesson
    from learning.students import Student
    from learning.students.predictions import Predictions
    from learning.tasks import Columns, Task
    from learning.types import TrainingData

FOLDS = 5
# Out-of-fold figures are looked up on at most this many labelled items, which keeps them quick.
FOLD_ROWS = 1_000
FEWEST_FOR_FOLDS = 10


@dataclass(frozen=True, kw_only=True)
class Figures:
    """A student's accuracy (0…1) with its 95 % interval, and on what it was measured."""

    source: str = EstimateSource.NONE
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    evaluated_on: int = 0
    metrics: dict[str, float] = field(default_factory=dict)

    def fields(self) -> dict[str, Any]:
        """Them by the names of a version's columns."""
        return {
            "accuracy": self.accuracy,
            "accuracy_low": self.low,
            "accuracy_high": self.high,
            "evaluated_on": self.evaluated_on,
            "estimate": self.source,
            "metrics": self.metrics,
        }


def evaluate(
    project: Project,
    lesson: Lesson,
    student: Student,
    predictions: Predictions,
    rng: np.random.Generator,
    run: jobs.Run,
) -> Figures:
    """The audit figure when enough evaluation items are answered, else the out-of-fold one."""
    from learning.students.head import Head

    audited = _on_audit(project, lesson, predictions)
    if audited is not None:
        return audited
    if not isinstance(student, Head) or len(lesson.numbers) < FEWEST_FOR_FOLDS:
        return Figures()
    return _out_of_fold(project, lesson, student, rng, run)


def _on_audit(project: Project, lesson: Lesson, predictions: Predictions) -> Figures | None:
    import numpy as np

    answered = [(number, labels) for number, labels in lesson.audited if number < predictions.rows]
    task = project.task
    truth = task.encode([labels for _, labels in answered], lesson.columns)
    usable = task.usable(truth)
    if usable.sum() < auditing.FEWEST_TO_SHOW:
        return None
    rows = [number for (number, _), kept in zip(answered, usable, strict=True) if kept]
    predicted = np.stack([predictions.row(number) for number in rows])
    return _figures(EstimateSource.AUDIT, task, truth[usable], predicted, lesson.columns)


def _out_of_fold(
    project: Project, lesson: Lesson, student: Student, rng: np.random.Generator, run: jobs.Run
) -> Figures:
    import numpy as np

    from learning.errors import NotEnoughDataError
    from learning.students.folds import out_of_fold

    # What only questions were answered about measures nothing, nor does what a teacher said.
    rows = np.flatnonzero(lesson.whole & ~lesson.taught)
    if len(rows) < FEWEST_FOR_FOLDS:
        return Figures()
    if len(rows) > FOLD_ROWS:
        rows = np.sort(rng.choice(rows, FOLD_ROWS, replace=False))
    data = lesson.data.subset(rows)
    try:
        folds = out_of_fold(
            student, data, rng, FOLDS, lesson.groups[rows], lambda done, total: run.check()
        )
    except NotEnoughDataError:
        return Figures()
    task = project.task
    truth = np.asarray(data.targets)
    said = _as_then(folds.probabilities, data)
    return _figures(EstimateSource.FOLDS, task, truth, said, lesson.columns)


def _as_then(probabilities: Any, data: TrainingData) -> Any:
    """(n, k) what it says among the labels that an answer could name: a newer one is not wrong."""
    import numpy as np

    if data.younger is None:
        return probabilities
    said = np.where(data.younger, 0, probabilities)
    if not data.multi_label:
        total = said.sum(axis=1, keepdims=True)
        np.divide(said, total, out=said, where=total > 0)
    return said


def _figures(
    source: EstimateSource, task: Task, truth: Any, predicted: Any, columns: Columns
) -> Figures:
    from learning.metrics import wilson

    right = task.correct(truth, predicted)
    low, high = wilson(int(right.sum()), len(right))
    found = task.metrics(truth, predicted, columns)
    return Figures(
        source=source,
        accuracy=float(right.mean()),
        low=low,
        high=high,
        evaluated_on=len(right),
        metrics={name: round(value, 6) for name, value in found.items()},
    )
