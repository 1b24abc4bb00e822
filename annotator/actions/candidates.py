"""What a router looks at: the policy's teacher, the student and the vectors, item by item."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import connection

from annotator import jobs
from annotator.actions import conforming, doubling, lessons, queueing, teacher_runs
from annotator.actions.doubling import Both
from annotator.actions.encoding import current_encoding, open_matrix
from annotator.actions.searching import predictions_of
from annotator.models import Assignment, AssignmentState, Encoding, Item, Label, Project, Teacher

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.routing.types import Candidates, Seed
    from learning.students.predictions import Predictions

# Items that are looked at at once; fewer where there are many labels.
MOST_WORDS, MOST_UNASKED = 20_000, 10_000
MOST_CELLS = 20_000_000
# What the student learned is predicted out of fold, of so many items at most.
MOST_FOLDED = 5_000
FOLDS = 5

# The teacher's standing, sealed answers on items that no person and no file decided, none of them in
# the audit sample.
_WORDS = """
SELECT i.id, i.number, a.id, a.labels, t.probabilities::text, t.confidence
FROM annotator_annotation a
JOIN annotator_ledgerentry e ON e.annotation_id = a.id AND e.position IS NOT NULL
JOIN annotator_teacheranswer t ON t.annotation_id = a.id
JOIN annotator_item i ON i.id = a.item_id
LEFT JOIN annotator_verdict v ON v.item_id = i.id
WHERE a.annotator_id = %s AND a.kind = 'answer' AND i.removed_at IS NULL AND i.answers = 0
  AND i.part = '' AND i.order_key > %s AND (v.item_id IS NULL OR v.source = 'teacher')
  AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
ORDER BY a.id DESC LIMIT %s
"""


class Said(NamedTuple):
    """A teacher's answer to an item: which annotation it is, and what it holds by label id."""

    item: int
    number: int
    annotation: int
    labels: list[int]
    chances: dict[str, float]
    confidence: float | None


@dataclass(frozen=True, kw_only=True)
class Sight:
    """One row per item: the seed, then the teacher's other answers, then what it was not asked.

    The columns are the live labels. `fair` marks the rows of which the student's word does not come
    from the item's own label; the others are not judged.
    """

    numbers: NDArray[np.int64]
    label_ids: tuple[int, ...]
    drawn: list[Both]
    words: list[Said]
    items: Candidates
    fair: NDArray[np.bool_]
    # False where there are more answers of the teacher's than are looked at.
    all_words: bool

    @cached_property
    def asked(self) -> int:
        return len(self.drawn) + len(self.words)

    def seed(self) -> Seed:
        """What both a person and the teacher answered."""
        import numpy as np

        from learning.routing.types import Seed

        place = {label: column for column, label in enumerate(self.label_ids)}
        truth = np.zeros((len(self.drawn), len(self.label_ids)), dtype=np.float32)
        for row, drawn in enumerate(self.drawn):
            truth[row, [place[label] for label in drawn.truth if label in place]] = 1
        return Seed(
            items=self.items.subset(np.arange(len(self.drawn))),
            truth=truth,
            draw_probabilities=np.array([one.probability for one in self.drawn]),
        )

    def word_rows(self) -> NDArray[np.int64]:
        """Rows of the teacher's answers outside of the seed."""
        import numpy as np

        return np.arange(len(self.drawn), self.asked)

    def open_rows(self) -> NDArray[np.int64]:
        """Rows that a person may be asked about: all but the seed."""
        import numpy as np

        return np.arange(len(self.drawn), len(self.numbers))

    def unasked_rows(self) -> NDArray[np.int64]:
        """Rows that the teacher was not asked about."""
        import numpy as np

        return np.arange(self.asked, len(self.numbers))


def look(
    run: jobs.Run, project: Project, teacher: Teacher, rng: np.random.Generator
) -> Sight | None:
    """Everything that is known now, or None while the items have no vectors."""
    import numpy as np

    from learning.routing.signals import neighbour_agreement
    from learning.routing.types import Candidates

    encoding = current_encoding(project)
    if encoding is None or not encoding.rows:
        return None
    ids = tuple(label.pk for label in project.live_labels())
    most = max(1, min(MOST_WORDS, MOST_CELLS // max(len(ids), 1)))
    drawn = [one for one in doubling.both(project, teacher) if one.number < encoding.rows]
    twice = {one.number for one in drawn}
    words = [
        one
        for one in _words(project, teacher, most)
        if one.number < encoding.rows and one.number not in twice
    ]
    said: list[Said | Both] = [*drawn, *words]
    student = Student.of(run, project, encoding, [one.number for one in said], rng)
    unasked = _unasked(project, teacher, encoding.rows, student, rng)[:most]
    numbers = np.concatenate([[one.number for one in said], unasked]).astype(np.int64)
    items = Candidates(
        teacher=_distributions(said, len(unasked), ids, multi=project.multi_label),
        answered=np.arange(len(numbers)) < len(said),
        confidence=_confidences(said, len(unasked)),
        **_of_student(project, student, numbers, ids),
        encodings=np.asarray(open_matrix(encoding).view()[numbers], dtype=np.float32),
        lengths=_lengths(project, numbers),
        label_names=_names(project, ids),
        multi_label=project.multi_label,
    )
    return Sight(
        numbers=numbers,
        label_ids=ids,
        drawn=drawn,
        words=words,
        items=replace(items, neighbours=neighbour_agreement(items, rng)),
        fair=np.ones(len(numbers), dtype=np.bool_) if student is None else student.fair(numbers),
        all_words=len(words) < most,
    )


def _of_student(
    project: Project, student: Student | None, numbers: NDArray[np.int64], ids: tuple[int, ...]
) -> dict[str, Any]:
    """What there is of the student: its word, and how many labels its answer sets leave."""
    if student is None:
        return {}
    return {
        "student": student.said(numbers, ids),
        "set_sizes": student.set_sizes(project, numbers),
    }


def _words(project: Project, teacher: Teacher, most: int) -> list[Said]:
    with connection.cursor() as cursor:
        cursor.execute(_WORDS, [teacher.voice_id, project.audit_cutoff, most])
        return [
            Said(item, number, annotation, labels, json.loads(chances), confidence)
            for item, number, annotation, labels, chances, confidence in cursor.fetchall()
        ]


def _unasked(
    project: Project,
    teacher: Teacher,
    below: int,
    student: Student | None,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """What the teacher may be asked about: nobody decided it and nobody holds it now; the student's
    most doubtful ones where there are many."""
    import numpy as np

    numbers = rng.permutation(queueing.open_numbers(project, below))
    taken = [*teacher_runs.known_to(teacher), *teacher_runs.busy(project), *_held(project)]
    numbers = numbers[~np.isin(numbers, taken)]
    if student is not None and len(numbers) > MOST_UNASKED:
        kept = numbers[numbers < student.predictions.rows]
        numbers = kept[np.argsort(student.predictions.margins[kept], kind="stable")]
    return numbers[:MOST_UNASKED]


def _held(project: Project) -> list[int]:
    live = Assignment.objects.filter(project=project, state=AssignmentState.LEASED)
    return list(live.values_list("item__number", flat=True))


def _distributions(
    said: Sequence[Said | Both], unasked: int, ids: tuple[int, ...], *, multi: bool
) -> NDArray[np.float32]:
    import numpy as np

    place = {label: column for column, label in enumerate(ids)}
    table = np.zeros((len(said) + unasked, len(ids)), dtype=np.float32)
    for row, one in enumerate(said):
        for label, chance in one.chances.items():
            if int(label) in place:
                table[row, place[int(label)]] = chance
    if not multi:
        total = table.sum(axis=1, keepdims=True)
        np.divide(table, total, out=table, where=total > 0)
    return table


def _confidences(said: Sequence[Said | Both], unasked: int) -> NDArray[np.float64] | None:
    import numpy as np

    told = [np.nan if one.confidence is None else one.confidence for one in said]
    values = np.array(told + [np.nan] * unasked, dtype=np.float64)
    return values if np.isfinite(values).any() else None


def _lengths(project: Project, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    import numpy as np
    from django.db.models.functions import Length

    rows = Item.objects.filter(project=project, number__in=numbers.tolist())
    known = {
        number: a + b
        for number, a, b in rows.values_list("number", Length("text"), Length("text_b"))
    }
    return np.array([known.get(int(number), 0) for number in numbers], dtype=np.int64)


def _names(project: Project, ids: tuple[int, ...]) -> tuple[str, ...]:
    names = dict(Label.objects.filter(project=project).values_list("pk", "name"))
    return tuple(names[pk] for pk in ids)


@dataclass(frozen=True, kw_only=True)
class Student:
    """The current student's word on any item, out of fold on those that it learned from."""

    predictions: Predictions
    label_ids: tuple[int, ...]
    # Item numbers with their out-of-fold rows, and all that it learned from.
    folded: dict[int, NDArray[np.float32]]
    learnt: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        run: jobs.Run,
        project: Project,
        encoding: Encoding,
        first: list[int],
        rng: np.random.Generator,
    ) -> Student | None:
        """None while there is no student. Items of `first` are folded before others."""
        predictions = predictions_of(project)
        current = project.current_student
        if predictions is None or current is None:
            return None
        lesson = lessons.gather(project, encoding)
        if lesson is None:
            return None
        return cls(
            predictions=predictions,
            label_ids=tuple(current.label_ids),
            folded=_folded(run, lesson, first, rng),
            learnt=lesson.numbers,
        )

    def set_sizes(self, project: Project, numbers: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """(n,) labels that its answer sets leave, None while nothing is promised."""
        current = project.current_student
        if current is None or tuple(current.label_ids) != self.label_ids:
            return None
        return conforming.sizes_of(conforming.ready(current), self.said(numbers, self.label_ids))

    def said(self, numbers: NDArray[np.int64], ids: tuple[int, ...]) -> NDArray[np.float32]:
        """(n, k) by these label ids; rows of one label sum to 1."""
        import numpy as np

        known = {label: column for column, label in enumerate(self.label_ids)}
        there = [column for column, label in enumerate(ids) if label in known]
        theirs = [known[ids[column]] for column in there]
        table = np.zeros((len(numbers), len(ids)), dtype=np.float32)
        for row, number in enumerate(numbers.tolist()):
            full = self.folded.get(number)
            if full is None:
                if number >= self.predictions.rows:
                    continue
                full = self.predictions.row(number)
            table[row, there] = full[theirs]
        if not self.predictions.multi_label:
            total = table.sum(axis=1, keepdims=True)
            np.divide(table, total, out=table, where=total > 0)
            table[total[:, 0] <= 0] = 1 / max(len(ids), 1)
        return table

    def fair(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(n,) bool: what it says of the item does not come from the item's own label."""
        import numpy as np

        folded = np.fromiter(self.folded, dtype=np.int64, count=len(self.folded))
        return ~np.isin(numbers, self.learnt) | np.isin(numbers, folded)


def _folded(
    run: jobs.Run, lesson: lessons.Lesson, first: list[int], rng: np.random.Generator
) -> dict[int, NDArray[np.float32]]:
    """Item number -> out-of-fold probabilities, by the project's columns; {} for too few labels."""
    import numpy as np

    from learning.errors import NotEnoughDataError
    from learning.students import STUDENTS
    from learning.students.folds import out_of_fold

    order = rng.permutation(len(lesson.numbers))
    later = ~np.isin(lesson.numbers[order], first)
    rows = np.sort(order[np.argsort(later, kind="stable")][:MOST_FOLDED])
    try:
        found = out_of_fold(
            STUDENTS["head"](),
            lesson.data.subset(rows),
            rng,
            FOLDS,
            lesson.groups[rows],
            lambda done, total: run.progress(done, total, "Asking the student out of fold"),
        )
    except NotEnoughDataError:
        return {}
    return dict(zip(lesson.numbers[rows].tolist(), found.probabilities, strict=True))
