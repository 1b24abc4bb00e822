"""What a tagger learns from: the verdicts of now that mark spans."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from annotator import jobs
from annotator.actions.projects.schema import columns_of
from annotator.actions.queue import auditing
from annotator.actions.students import decided_values, lessons
from annotator.actions.verdicts.sealing import position as sealed_position
from annotator.models import Encoding, Item, Part, Project

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.spans import Span
    from learning.taggers import Tagger
    from learning.taggers.types import Marked, Tagged, Words
    from learning.tasks import Columns, Question

FOLDS, FEWEST_FOR_FOLDS = 3, 10


@dataclass(frozen=True, kw_only=True)
class MarkedLesson:
    """What a tagger is about to learn; as `lessons.Lesson`, with marked texts instead of arrays.

    taught: (n,) bool, a teacher decided it: it weighs less, and no figure is computed from it.
    audited: item numbers with the spans that people decided on, by column.
    """

    numbers: NDArray[np.int64]
    groups: NDArray[np.int64]
    taught: NDArray[np.bool_]
    data: Marked
    columns: Columns
    audited: list[tuple[int, list[Span]]]
    held: list[int]
    answers: int
    position: int


def gather(
    project: Project, words: Words, question: Question | None = None, *, texts: bool = False
) -> MarkedLesson | None:
    """The marked texts as of now, or None while there are fewer than two, or no span in any.

    Of a form one question's spans, by its own columns, in the texts that were asked it. `texts` are read
    for a tagger that reads them itself. Evaluation and calibration items and their content duplicates are
    never in it.
    """
    import numpy as np

    from learning.taggers.types import Marked

    position = sealed_position(project)
    columns = columns_of(project) if question is None else own_columns(question)
    found = decided_values.audited(project, question)
    audited = [(number, in_columns(value, columns)) for number, value in found]
    calibrating = auditing.answered(project, Part.CALIBRATION)
    rows = decided_values.decided(project, words.texts, question)
    spans = [in_columns(row.value, columns) for row in rows]
    if len(rows) < 2 or not any(spans):
        return None
    numbers = np.array([row.number for row in rows], dtype=np.int64)
    return MarkedLesson(
        numbers=numbers,
        groups=np.array([row.group for row in rows], dtype=np.int64),
        taught=np.array([row.p_right is not None for row in rows], dtype=np.bool_),
        data=Marked(
            words=words.subset(numbers),
            spans=spans,
            labels=len(columns),
            weights=_weights(rows),
            texts=texts_of(project, numbers.tolist()) if texts else None,
        ),
        columns=columns,
        audited=audited,
        held=[number for number, _ in [*audited, *calibrating]],
        answers=sum(row.answers for row in rows),
        position=position,
    )


def digest_of(project: Project, encoding: Encoding, lesson: MarkedLesson) -> str:
    """A hash of all that a tagger learns from, as `lessons.digest_of`."""
    marked = [[list(span) for span in spans] for spans in lesson.data.spans]
    return lessons.hashed(project, encoding, lesson, [lesson.data.weights], marked)


def _weights(rows: Sequence[decided_values.Decided]) -> NDArray[np.float32] | None:
    """(n,) how likely right each is held to be; None where people decided all."""
    import numpy as np

    if all(row.p_right is None for row in rows):
        return None
    return np.array([1.0 if r.p_right is None else r.p_right for r in rows], dtype=np.float32)


def texts_of(project: Project, numbers: list[int]) -> list[str]:
    """The texts of these items, in the order of the numbers."""
    found = Item.objects.filter(project=project, number__in=numbers)
    by_number = dict(found.values_list("number", "text"))
    return [by_number[number] for number in numbers]


def in_columns(value: Any, columns: Columns) -> list[Span]:
    """The spans of a value with columns for labels; those of other and of archived labels are left out."""
    from learning.spans import Span, spans_of

    live = set(columns.label_ids) - columns.archived
    return [
        Span(span.start, span.end, columns.column(span.label))
        for span in spans_of(value)
        if span.label in live
    ]


def own_columns(question: Question) -> Columns:
    """The labels of one question of a form as columns, in the order of the project's own: it stays when
    labels are listed otherwise, and what is new comes last."""
    from learning.tasks import Columns

    by_column = sorted(zip(question.columns, question.labels, strict=True))
    return Columns(
        label_ids=tuple(label for _, label in by_column),
        archived=frozenset(set(question.labels) - question.live),
    )


def unseen(
    run: jobs.Run, tagger: Tagger, data: Marked, fold: NDArray[np.int64], rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.int64], Tagged]]:
    """Of each fold its rows, and what a tagger says of them that learned from the others."""
    import numpy as np

    for number in range(int(fold.max()) + 1):
        ask = np.flatnonzero(fold == number)
        rest = data.subset(np.flatnonzero(fold != number))
        fitted = tagger.fit(rest, rng, lambda at, of: run.check())
        yield ask, fitted.tag(data.words.subset(ask))
