"""Train a ranker from verdicts that are orders, let it order the pool, measure it, publish it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from annotator import jobs
from annotator.actions.projects.schema import columns_of
from annotator.actions.queue import auditing
from annotator.actions.students import decided_values, evaluating, fitting, taught_orders, valued
from annotator.actions.verdicts.sealing import position as sealed_position
from annotator.models import Encoding, EstimateSource, Part, Project, StudentVersion

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.rankers import Lists, Ordered, Ranked, Ranker
    from learning.students.predictions import Predictions
    from learning.tasks import Columns

PLAN = fitting.Plan(kind="order-head")
FOLDS, FEWEST_FOR_FOLDS = 5, 10


@dataclass(frozen=True, kw_only=True)
class OrderLesson:
    """What a ranker is about to learn; as `lessons.Lesson`, with orders instead of labels.

    orders: the values of the items `numbers`; audited: item numbers with the values that people decided.
    """

    numbers: NDArray[np.int64]
    groups: NDArray[np.int64]
    data: Ranked
    orders: list[Any]
    columns: Columns
    audited: list[tuple[int, Any]]
    held: list[int]
    answers: int
    position: int


def gather(project: Project, lists: Lists) -> OrderLesson | None:
    """The orders as of now, or None while there are fewer than two, or in none of them one is better.

    Evaluation and calibration items and their content duplicates are never in it.
    """
    import numpy as np

    from learning.rankers.types import Ranked, places_of

    position = sealed_position(project)
    audited = decided_values.audited(project)
    calibrating = auditing.answered(project, Part.CALIBRATION)
    rows = decided_values.decided(project, lists.lists)
    orders = [row.value for row in rows]
    if len(rows) < 2 or not any(len(value["order"]) > 1 for value in orders):
        return None
    numbers = np.array([row.number for row in rows], dtype=np.int64)
    return OrderLesson(
        numbers=numbers,
        groups=np.array([row.group for row in rows], dtype=np.int64),
        data=Ranked(
            lists=lists.subset(numbers), places=[places_of(value["order"]) for value in orders]
        ),
        orders=orders,
        columns=columns_of(project),
        audited=audited,
        held=[number for number, _ in [*audited, *calibrating]],
        answers=sum(row.answers for row in rows),
        position=position,
    )


def learn(
    run: jobs.Run, encoding: Encoding, lists: Lists, lesson: OrderLesson
) -> tuple[StudentVersion, Predictions, Ordered]:
    """Train, order the pool, evaluate, publish; after a kill behind that only what follows it."""
    from learning import rankers
    from learning.rankers.pool import read_ordered, write_ordered

    ranker: Ranker = PLAN.plugin()
    data, beside = lesson.data, dict[str, Any]()
    if fitting.published(run) is None:
        data, beside = taught_orders.beside(run, encoding, lists, lesson, ranker)
    work = valued.Work(
        plan=PLAN,
        data=data,
        beside=beside,
        load=rankers.load,
        write=lambda folder, fitted: write_ordered(
            folder, fitted, lists, lambda at, of: run.progress(at, of, "Predicting")
        ),
        read=read_ordered,
        evaluate=lambda said, rng: evaluate(run, lesson, ranker, said, rng),
        told=lambda said, number: {"order": said.order(number)},
    )
    return valued.learn(run, encoding, lesson, work)


def evaluate(
    run: jobs.Run, lesson: OrderLesson, ranker: Ranker, said: Ordered, rng: np.random.Generator
) -> evaluating.Figures:
    """Pairs in the right order, on the audit sample when enough of it is answered, else out of fold."""
    # Items that joined the pool behind the lists that were read are not ordered yet.
    audited = [(number, value) for number, value in lesson.audited if number < said.lists]
    if len(audited) >= auditing.FEWEST_TO_SHOW:
        truth = [value for _, value in audited]
        told = [{"order": said.order(number)} for number, _ in audited]
        return _figures(EstimateSource.AUDIT, truth, told, rng)
    if len(lesson.numbers) < FEWEST_FOR_FOLDS:
        return evaluating.Figures()
    return _out_of_fold(run, lesson, ranker, rng)


def _out_of_fold(
    run: jobs.Run, lesson: OrderLesson, ranker: Ranker, rng: np.random.Generator
) -> evaluating.Figures:
    import numpy as np

    rows = np.arange(len(lesson.numbers))
    if len(rows) > evaluating.FOLD_ROWS:
        rows = np.sort(rng.choice(rows, evaluating.FOLD_ROWS, replace=False))
    said = out_of_fold(run, ranker, lesson.data.subset(rows), lesson.groups[rows], rng)
    if said is None:
        return evaluating.Figures()
    truth = [lesson.orders[row] for row in rows]
    told = [{"order": one.order(0)} for one in said]
    return _figures(EstimateSource.FOLDS, truth, told, rng)


def out_of_fold(
    run: jobs.Run,
    ranker: Ranker,
    data: Ranked,
    groups: NDArray[np.int64],
    rng: np.random.Generator,
    step: str = "",
) -> list[Ordered] | None:
    """What a ranker that learned from the other folds says of each list; None where all lists are one,
    or some folds cannot be learnt from. step: what progress is called; "" shows none.
    """
    import numpy as np

    from learning.errors import NotEnoughDataError
    from learning.students.folds import assign_folds

    fold = assign_folds(groups, FOLDS, rng)
    if fold.max() < 1:
        return None
    folds = int(fold.max()) + 1
    told: dict[int, Ordered] = {}
    try:
        for number in range(folds):
            if step:
                run.progress(number, folds, step)
            ask = np.flatnonzero(fold == number)
            learnt = data.subset(np.flatnonzero(fold != number))
            said = ranker.fit(learnt, rng, lambda at, of: run.check()).order(data.lists.subset(ask))
            told |= {row: said.alone(place) for place, row in enumerate(ask.tolist())}
    except NotEnoughDataError:
        return None
    return [told[row] for row in range(len(groups))]


def _figures(
    source: EstimateSource,
    truth: Sequence[Any],
    told: Sequence[Any],
    rng: np.random.Generator,
) -> evaluating.Figures:
    from learning.rankers.scores import metrics, pairs_interval, right_pairs

    right = right_pairs(truth, told)
    low, high = pairs_interval(right, rng)
    found = metrics(truth, told)
    return evaluating.Figures(
        source=source,
        accuracy=found["pairs_right"],
        low=low,
        high=high,
        evaluated_on=len(truth),
        metrics={name: round(value, 6) for name, value in found.items()},
    )
