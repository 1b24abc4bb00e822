"""Train a tagger from verdicts that mark spans, let it mark the pool, measure it, publish it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from annotator import jobs
from annotator.actions.queue import auditing
from annotator.actions.students import evaluating, fitting, valued
from annotator.actions.students.marked_lessons import (
    FEWEST_FOR_FOLDS,
    FOLDS,
    MarkedLesson,
    digest_of,
    unseen,
)
from annotator.actions.students.pool_items import pool_of
from annotator.models import Encoding, EstimateSource, StudentVersion

if TYPE_CHECKING:
    import numpy as np

    from learning.spans import Span
    from learning.students.predictions import Predictions
    from learning.taggers import Tagger
    from learning.taggers.types import Tagged, Words

QUICK = fitting.Plan(kind="token-head")


def learn(
    run: jobs.Run,
    encoding: Encoding,
    words: Words,
    lesson: MarkedLesson,
    plan: fitting.Plan = QUICK,
) -> tuple[StudentVersion, Predictions, Tagged]:
    """Train, mark the pool, evaluate, publish; after a kill behind that only what follows it."""
    from learning import taggers
    from learning.taggers.pool import read_tagged, write_tagged

    tagger: Tagger = plan.plugin()
    texts = pool_of(run.project) if tagger.needs == "texts" else None
    work = valued.Work(
        plan=plan,
        data=lesson.data,
        load=taggers.load if plan == QUICK else None,
        write=lambda folder, fitted: write_tagged(
            folder, fitted, words, lambda at, of: run.progress(at, of, "Predicting"), texts
        ),
        read=read_tagged,
        evaluate=lambda said, rng: evaluate(run, lesson, tagger, said, rng),
        told=lambda said, number: _value(said, number, lesson.columns.label_ids),
        digest=digest_of(run.project, encoding, lesson),
    )
    return valued.learn(run, encoding, lesson, work)


def _value(said: Tagged, number: int, label_ids: Sequence[int]) -> dict[str, Any]:
    from learning.spans import value_of

    return value_of(span._replace(label=label_ids[span.label]) for span, _ in said.spans(number))


def evaluate(
    run: jobs.Run, lesson: MarkedLesson, tagger: Tagger, said: Tagged, rng: np.random.Generator
) -> evaluating.Figures:
    """F1 of spans on the audit sample when enough of it is answered, else out of fold; a tagger that
    reads texts waits for the sample, since folds would train it once more each."""
    # Items that joined the pool behind the words that were read are not tagged yet.
    audited = [(number, spans) for number, spans in lesson.audited if number < said.texts]
    if len(audited) >= auditing.FEWEST_TO_SHOW:
        truth = [spans for _, spans in audited]
        told = [[span for span, _ in said.spans(number)] for number, _ in audited]
        return _figures(EstimateSource.AUDIT, truth, told, rng)
    if tagger.needs == "texts" or int((~lesson.taught).sum()) < FEWEST_FOR_FOLDS:
        return evaluating.Figures()
    return _out_of_fold(run, lesson, tagger, rng)


def _out_of_fold(
    run: jobs.Run, lesson: MarkedLesson, tagger: Tagger, rng: np.random.Generator
) -> evaluating.Figures:
    import numpy as np

    from learning.students.folds import assign_folds

    # What people marked is judged, so it comes first; what a teacher marked only helps to learn.
    order = rng.permutation(len(lesson.numbers))
    rows = np.sort(order[np.argsort(lesson.taught[order], kind="stable")][: evaluating.FOLD_ROWS])
    data = lesson.data.subset(rows)
    fold = assign_folds(lesson.groups[rows], FOLDS, rng)
    if fold.max() < 1:
        return evaluating.Figures()
    told: list[list[Span]] = [[] for _ in rows]
    for ask, said in unseen(run, tagger, data, fold, rng):
        for place, row in enumerate(ask.tolist()):
            told[row] = [span for span, _ in said.spans(place)]
    judged = np.flatnonzero(~lesson.taught[rows]).tolist()
    truth = [data.spans[row] for row in judged]
    return _figures(EstimateSource.FOLDS, truth, [told[row] for row in judged], rng)


def _figures(
    source: EstimateSource,
    truth: Sequence[Sequence[Span]],
    told: Sequence[Sequence[Span]],
    rng: np.random.Generator,
) -> evaluating.Figures:
    from learning.spans.scores import counts, f1_interval, metrics

    found = metrics(truth, told)
    low, high = f1_interval(counts(truth, told), rng)
    return evaluating.Figures(
        source=source,
        accuracy=found["span_f1"],
        low=low,
        high=high,
        evaluated_on=len(truth),
        metrics={name: round(value, 6) for name, value in found.items()},
    )
