"""Train a tagger from verdicts that mark spans, let it mark the pool, measure it, publish it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connection

from annotator import jobs
from annotator.actions.encoders.encoding import students_folder
from annotator.actions.projects.schema import columns_of
from annotator.actions.queue import auditing
from annotator.actions.students import evaluating, fitting
from annotator.actions.verdicts.sealing import position as sealed_position
from annotator.models import Encoding, EstimateSource, Part, Project, StudentVersion, Verdict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.spans import Span
    from learning.students.predictions import Predictions
    from learning.taggers import FittedTagger, Tagger
    from learning.taggers.types import Marked, Tagged, Words
    from learning.tasks import Columns

KIND = "token-head"
FOLDS, FEWEST_FOR_FOLDS = 3, 10

_MARKED = f"""
SELECT i.number, v.value::text, i.answers, i.content_hash
FROM annotator_verdict v JOIN annotator_item i ON i.id = v.item_id
WHERE v.project_id = %s AND i.number < %s AND v.state = 'decided' AND v.value IS NOT NULL
  AND i.removed_at IS NULL AND NOT {auditing.untrainable_items()}
ORDER BY i.number
"""  # noqa: S608 - only our own condition is put in


@dataclass(frozen=True, kw_only=True)
class MarkedLesson:
    """What a tagger is about to learn; as `lessons.Lesson`, with marked texts instead of arrays.

    audited: item numbers with the spans that people decided on, by column.
    """

    numbers: NDArray[np.int64]
    groups: NDArray[np.int64]
    data: Marked
    columns: Columns
    audited: list[tuple[int, list[Span]]]
    held: list[int]
    answers: int
    position: int


def gather(project: Project, words: Words) -> MarkedLesson | None:
    """The marked texts as of now, or None while there are fewer than two, or no span in any.

    Evaluation and calibration items and their content duplicates are never in it.
    """
    import numpy as np

    from learning.taggers.types import Marked

    position = sealed_position(project)
    columns = columns_of(project)
    audited = _audited(project, columns)
    calibrating = auditing.answered(project, Part.CALIBRATION)
    with connection.cursor() as cursor:
        cursor.execute(_MARKED, [project.pk, words.texts])
        rows = cursor.fetchall()
    spans = [in_columns(json.loads(row[1]), columns) for row in rows]
    if len(rows) < 2 or not any(spans):
        return None
    numbers = np.array([row[0] for row in rows], dtype=np.int64)
    return MarkedLesson(
        numbers=numbers,
        groups=np.array([int.from_bytes(bytes(row[3])[:7]) for row in rows], dtype=np.int64),
        data=Marked(words=words.subset(numbers), spans=spans, labels=len(columns)),
        columns=columns,
        audited=audited,
        held=[number for number, _ in [*audited, *calibrating]],
        answers=sum(row[2] for row in rows),
        position=position,
    )


def in_columns(value: Any, columns: Columns) -> list[Span]:
    """The spans of a value with columns for labels; those of archived labels are left out."""
    from learning.spans import Span, spans_of

    return [
        Span(span.start, span.end, columns.column(span.label))
        for span in spans_of(value)
        if span.label not in columns.archived
    ]


def _audited(project: Project, columns: Columns) -> list[tuple[int, list[Span]]]:
    """The evaluation items that people decided, in the order of the draw."""
    numbers = [number for number, _ in auditing.answered(project, Part.EVALUATION)]
    found = Verdict.objects.filter(project=project, item__number__in=numbers, value__isnull=False)
    values = dict(found.values_list("item__number", "value"))
    return [(number, in_columns(values[number], columns)) for number in numbers if number in values]


def learn(
    run: jobs.Run, encoding: Encoding, words: Words, lesson: MarkedLesson
) -> tuple[StudentVersion, Predictions, Tagged]:
    """Train, mark the pool, evaluate, publish; after a kill behind that only what follows it."""
    import numpy as np

    from learning.students.predictions import read_predictions
    from learning.taggers import TAGGERS
    from learning.taggers.pool import read_tagged, write_tagged

    project = run.project
    done = fitting.published(run)
    if done is not None:
        pool = students_folder(project.pk) / done.folder / "pool"
        predictions = read_predictions(pool)
        fitting.follow_up(run, done, predictions)
        return done, predictions, read_tagged(pool, predictions)
    started = time.monotonic()
    rng = np.random.default_rng([project.pk, lesson.position, len(lesson.numbers)])
    tagger = TAGGERS.create(KIND)
    fitting.remove_attempts(run, project)
    folder = students_folder(project.pk) / f"{KIND}-{run.job.pk}-{run.job.attempt}"
    fitted = tagger.fit(
        lesson.data,
        rng,
        lambda at, of: run.progress(at, of, "Training"),
        start=_former(project, lesson.columns),
    )
    fitted.save(folder)
    predictions, said = write_tagged(
        folder / "pool", fitted, words, lambda at, of: run.progress(at, of, "Predicting")
    )
    figures = evaluate(run, lesson, tagger, said, rng)
    seconds = round(time.monotonic() - started, 3)
    fields = {"kind": KIND, "params": {}, "folder": folder.name, "seconds": seconds}
    version = fitting.publish(run, encoding, lesson, predictions, {**figures.fields(), **fields})
    fitting.follow_up(run, version, predictions)
    return version, predictions, said


def _former(project: Project, columns: Columns) -> FittedTagger | None:
    """The newest tagger of this kind to begin from, if its columns are still ours."""
    from learning import taggers
    from learning.errors import DamagedFileError

    known = StudentVersion.objects.filter(project=project, kind=KIND).exclude(folder="")
    former = known.order_by("-number").first()
    if former is None or tuple(former.label_ids) != columns.label_ids[: len(former.label_ids)]:
        return None
    try:
        return taggers.load(students_folder(project.pk) / former.folder)
    except DamagedFileError:
        return None  # a cold start gives the same tagger, only slower


def evaluate(
    run: jobs.Run, lesson: MarkedLesson, tagger: Tagger, said: Tagged, rng: np.random.Generator
) -> evaluating.Figures:
    """F1 of spans on the audit sample when enough of it is answered, else out of fold."""
    # Items that joined the pool behind the words that were read are not tagged yet.
    audited = [(number, spans) for number, spans in lesson.audited if number < said.texts]
    if len(audited) >= auditing.FEWEST_TO_SHOW:
        truth = [spans for _, spans in audited]
        told = [[span for span, _ in said.spans(number)] for number, _ in audited]
        return _figures(EstimateSource.AUDIT, truth, told, rng)
    if len(lesson.numbers) < FEWEST_FOR_FOLDS:
        return evaluating.Figures()
    return _out_of_fold(run, lesson, tagger, rng)


def _out_of_fold(
    run: jobs.Run, lesson: MarkedLesson, tagger: Tagger, rng: np.random.Generator
) -> evaluating.Figures:
    import numpy as np

    from learning.students.folds import assign_folds

    rows = np.arange(len(lesson.numbers))
    if len(rows) > evaluating.FOLD_ROWS:
        rows = np.sort(rng.choice(rows, evaluating.FOLD_ROWS, replace=False))
    data = lesson.data.subset(rows)
    fold = assign_folds(lesson.groups[rows], FOLDS, rng)
    if fold.max() < 1:
        return evaluating.Figures()
    told: list[list[Span]] = [[] for _ in rows]
    for number in range(int(fold.max()) + 1):
        ask = np.flatnonzero(fold == number)
        fitted = tagger.fit(
            data.subset(np.flatnonzero(fold != number)), rng, lambda at, of: run.check()
        )
        said = fitted.tag(data.words.subset(ask))
        for place, row in enumerate(ask.tolist()):
            told[row] = [span for span, _ in said.spans(place)]
    return _figures(EstimateSource.FOLDS, data.spans, told, rng)


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
