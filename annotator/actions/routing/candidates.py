"""What a router looks at: the policy's teacher, the student and the vectors, item by item."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, LiteralString, NamedTuple

from django.db import connection
from django.db.models.functions import Now

from annotator import jobs
from annotator.actions.encoders.encoding import current_encoding, open_matrix
from annotator.actions.queue import queueing
from annotator.actions.routing import doubling
from annotator.actions.routing.doubling import Both
from annotator.actions.students.student_words import Student
from annotator.actions.students.tagger_words import Tagger
from annotator.actions.teachers import teacher_runs
from annotator.models import (
    Assignment,
    AssignmentState,
    Item,
    Label,
    Policy,
    Project,
    Shape,
    Teacher,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.routing.loop import Voices
    from learning.routing.types import Candidates, Seed

Word = Student | Tagger

# Items that are looked at at once; fewer where there are many labels.
MOST_WORDS, MOST_UNASKED = 20_000, 10_000
MOST_CELLS = 20_000_000

# The teacher's standing, sealed answers on items that no person and no file decided, none of them in
# the audit sample; with the calibrated confidence where there is one, and answers are labels: that of
# marks is told by what routers look at themselves.
_OPEN_WORDS = """
FROM annotator_annotation a
JOIN annotator_ledgerentry e ON e.annotation_id = a.id AND e.position IS NOT NULL
JOIN annotator_teacheranswer t ON t.annotation_id = a.id
JOIN annotator_item i ON i.id = a.item_id
LEFT JOIN annotator_verdict v ON v.item_id = i.id
WHERE a.annotator_id = %s AND a.kind = 'answer' AND i.removed_at IS NULL AND i.answers = 0
  AND i.part = '' AND i.order_key > %s AND (v.item_id IS NULL OR v.source = 'teacher')
  AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
"""
_WORDS = (
    """
SELECT i.id, i.number, a.id, a.labels, t.probabilities::text,
       CASE WHEN a.value IS NULL THEN coalesce(t.p_right, t.confidence) ELSE t.confidence END,
       a.value::text
"""
    + _OPEN_WORDS
)
_LATEST = _WORDS + "ORDER BY a.id DESC LIMIT %s"
_EARLIER = _WORDS + "AND a.id < %s ORDER BY random() LIMIT %s"
_DOUBTFUL = (
    "SELECT count(*), count(*) FILTER (WHERE NOT i.number = ANY(%s))"
    + _OPEN_WORDS
    + "AND v.item_id IS NULL AND e.position <= %s"
)


class Said(NamedTuple):
    """A teacher's answer to an item: which annotation it is, what it holds by label id, and its value
    where labels are not all of it."""

    item: int
    number: int
    annotation: int
    labels: list[int]
    chances: dict[str, float]
    confidence: float | None
    value: Any


@dataclass(frozen=True, kw_only=True)
class Sight:
    """One row per item: the seed, the teacher's other answers, what it was not asked, and what people
    decided besides: (h, k) `heard` are the labels of those.

    The columns are the live labels. `fair` marks the rows of which the student's word does not come
    from the item's own label; the others are not judged.
    """

    numbers: NDArray[np.int64]
    label_ids: tuple[int, ...]
    drawn: list[Both]
    words: list[Said]
    items: Candidates
    fair: NDArray[np.bool_]
    heard: NDArray[np.float32]
    # False where there are more answers of the teacher's than are looked at.
    all_words: bool

    @property
    def asked(self) -> int:
        return len(self.drawn) + len(self.words)

    @property
    def waiting(self) -> int:
        """Where what waits for an answer of a person ends."""
        return len(self.numbers) - len(self.heard)

    @property
    def of_marks(self) -> bool:
        """Whether the teacher marks places, so that an answer is more than its labels."""
        return self.items.marks is not None

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
            right=np.array([one.right for one in self.drawn], dtype=np.bool_)
            if self.of_marks
            else None,
        )

    def word_rows(self) -> NDArray[np.int64]:
        """Rows of the teacher's answers outside of the seed."""
        import numpy as np

        return np.arange(len(self.drawn), self.asked)

    def open_rows(self) -> NDArray[np.int64]:
        """Rows that a person may be asked about: all but the seed."""
        import numpy as np

        return np.arange(len(self.drawn), self.waiting)

    def unasked_rows(self) -> NDArray[np.int64]:
        """Rows that the teacher was not asked about."""
        import numpy as np

        return np.arange(self.asked, self.waiting)

    def voices(self) -> Voices:
        """What people, the teacher and the student say of it all; chance drew the seed alone."""
        import numpy as np

        from learning.routing.loop import Voices

        labelled = np.ones(len(self.numbers), dtype=np.bool_)
        labelled[len(self.drawn) : self.waiting] = False
        return Voices(
            items=self.items,
            labelled=labelled,
            answers=np.concatenate([self.seed().truth, self.heard]),
            drawn=np.arange(int(labelled.sum())) < len(self.drawn),
        )


def look(run: jobs.Run, policy: Policy, teacher: Teacher, rng: np.random.Generator) -> Sight | None:
    """Everything that is known now, or None while the items have no vectors."""
    import numpy as np

    project = policy.project
    encoding = current_encoding(project)
    if encoding is None or not encoding.rows:
        return None
    ids = tuple(label.pk for label in project.live_labels())
    most = max(1, min(MOST_WORDS, MOST_CELLS // max(len(ids), 1)))
    drawn = [one for one in doubling.both(project, teacher) if one.number < encoding.rows]
    twice = {one.number for one in drawn}
    told, all_words = _words(project, teacher, most)
    words = [one for one in told if one.number < encoding.rows and one.number not in twice]
    said: list[Said | Both] = [*drawn, *words]
    word: type[Word] = Student if project.shape == Shape.LABELS else Tagger
    student = word.of(run, project, encoding, [one.number for one in said], rng)
    unasked = _unasked(policy, teacher, encoding.rows, student, rng)[:most]
    others, heard = _heard(student, [one.number for one in said], ids)
    numbers = np.concatenate([[one.number for one in said], unasked, others]).astype(np.int64)
    vectors = np.asarray(open_matrix(encoding).view()[numbers], dtype=np.float32)
    return Sight(
        numbers=numbers,
        label_ids=ids,
        drawn=drawn,
        words=words,
        items=replace(
            _items(project, said, numbers, ids, student, vectors, rng),
            paired=encoding.apart,
            sided=project.task.sided,
            marks=word.marks([one.value for one in said], len(numbers)),
        ),
        fair=np.ones(len(numbers), dtype=np.bool_) if student is None else student.fair(numbers),
        heard=heard,
        all_words=all_words,
    )


def _items(
    project: Project,
    said: Sequence[Said | Both],
    numbers: NDArray[np.int64],
    ids: tuple[int, ...],
    student: Word | None,
    vectors: NDArray[np.float32],
    rng: np.random.Generator,
) -> Candidates:
    """The items as routers see them; the teacher answered the first ones."""
    import numpy as np

    from learning.routing.signals import neighbour_agreement
    from learning.routing.types import Candidates

    silent = len(numbers) - len(said)
    values = [one.value for one in said]
    items = Candidates(
        teacher=_distributions(said, silent, ids, multi=project.multi_label),
        answered=np.arange(len(numbers)) < len(said),
        confidence=_confidences(said, silent),
        **({} if student is None else student.beside(project, numbers, ids, values)),
        encodings=vectors,
        lengths=_lengths(project, numbers),
        label_names=_names(project, ids),
        multi_label=project.multi_label,
    )
    return replace(items, neighbours=neighbour_agreement(items, rng))


def _words(project: Project, teacher: Teacher, most: int) -> tuple[list[Said], bool]:
    """(words, whether these are all). Of more than `most` the latest, and in place of a quarter of
    them earlier ones by chance, so that in the course of some routings each is judged anew.
    """
    known = [teacher.voice_id, project.audit_cutoff]
    latest = _read(_LATEST, [*known, most + 1])
    if len(latest) <= most:
        return latest, True
    kept = latest[: max(1, most - most // 4)]
    return kept + _read(_EARLIER, [*known, kept[-1].annotation, most - len(kept)]), False


def doubtful(
    project: Project, teacher: Teacher, position: int, claimed: Collection[int]
) -> tuple[int, int]:
    """How many items there are on which the teacher's word of up to a position stands and decided nothing, and
    how many of them are not among those claimed, by their numbers."""
    with connection.cursor() as cursor:
        known = (teacher.voice_id, project.audit_cutoff, position)
        cursor.execute(_DOUBTFUL, (list(claimed), *known))
        every, unclaimed = cursor.fetchone()
    return every, unclaimed


def _read(query: LiteralString, values: list[Any]) -> list[Said]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return [
            Said._make([*row[:4], json.loads(row[4]), row[5], row[6] and json.loads(row[6])])
            for row in cursor.fetchall()
        ]


def _unasked(
    policy: Policy,
    teacher: Teacher,
    below: int,
    student: Word | None,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """What the teacher may be asked about: nobody decided it and nobody holds it now; the student's
    most doubtful ones where there are many."""
    import numpy as np

    project = policy.project
    numbers = rng.permutation(np.sort(queueing.open_numbers(project, below)))
    taken = [*teacher_runs.known_to(teacher), *teacher_runs.busy(project), *_held(project)]
    taken += teacher_runs.given_up(teacher, policy.resumed_at)
    numbers = numbers[~np.isin(numbers, taken)]
    if student is not None and len(numbers) > MOST_UNASKED:
        kept = numbers[numbers < student.predictions.rows]
        numbers = kept[np.argsort(student.predictions.margins[kept], kind="stable")]
    return numbers[:MOST_UNASKED]


def _heard(
    student: Word | None, but: list[int], ids: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(h,) numbers and (h, k) labels of what people decided, as far as the student learned it; none of
    `but`. Where there is much, what was asked out of fold. None where labels are not all that it learns:
    they make no opinion of it and the teacher."""
    import numpy as np

    if not isinstance(student, Student):
        return np.zeros(0, dtype=np.int64), np.zeros((0, len(ids)), dtype=np.float32)
    lesson = student.lesson
    folded = np.fromiter(student.folded, dtype=np.int64, count=len(student.folded))
    kept = lesson.whole & ~lesson.taught & np.isin(lesson.numbers, folded)
    rows = np.flatnonzero(kept & ~np.isin(lesson.numbers, but))
    columns = [lesson.columns.column(label) for label in ids]
    targets = np.asarray(lesson.data.targets)[rows][:, columns]
    return lesson.numbers[rows], (targets >= 0.5).astype(np.float32)


def _held(project: Project) -> list[int]:
    leased = Assignment.objects.filter(project=project, state=AssignmentState.LEASED)
    live = leased.filter(lease_until__gte=Now())
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
