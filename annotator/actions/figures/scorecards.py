"""What is known of every voice, from the random sample alone: accuracy, labels, confusions.

A teacher and an import are held against what people decided; a person against what other people
said, since their own vote is part of what was decided. Items that selection chose have no part in
it: they are harder than the pool, and a voice would look worse than it is.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import connection

from annotator.actions.figures import marking
from annotator.actions.projects import finding
from annotator.actions.queue import auditing
from annotator.actions.teachers import identity, lending
from annotator.models import (
    Annotator,
    AnnotatorKind,
    Part,
    Project,
    Shape,
    Stream,
    Teacher,
    Verdict,
)

if TYPE_CHECKING:
    from learning.audit.estimates import Sample
    from learning.audit.intervals import Estimate
    from learning.spans import Span
    from learning.tasks import Columns, Task

# Shared items below which no figure of a voice is shown.
FEWEST = 30

_SAID = """
SELECT i.number, a.annotator_id, v.kind, a.labels, a.stream, coalesce(t.fingerprint, ''), a.value::text
FROM annotator_item i
JOIN annotator_annotation a ON a.item_id = i.id
JOIN annotator_annotator v ON v.id = a.annotator_id
LEFT JOIN annotator_teacheranswer t ON t.annotation_id = a.id
WHERE i.project_id = %s AND i.number = ANY(%s)
  AND a.kind = 'answer' AND a.question_id IS NULL
  AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
ORDER BY a.id
"""

AGAINST = {
    AnnotatorKind.PERSON: "what other people said of the same items, each without seeing the others",
    AnnotatorKind.TEACHER: "what people decided, without seeing what it said",
    AnnotatorKind.IMPORT: "what people decided, without seeing the file",
    AnnotatorKind.STUDENT: "what people decided, without seeing what it said",
}


class Meant(NamedTuple):
    """What an answer says: the labels that hold or occur, and the marks where answers mark spans."""

    labels: frozenset[int]
    marks: frozenset[Span] | None = None


class Word(NamedTuple):
    """One standing whole answer to a drawn item."""

    number: int
    voice: int
    kind: str
    labels: frozenset[int]
    stream: str
    fingerprint: str
    marks: frozenset[Span] | None = None

    @property
    def meant(self) -> Meant:
        return Meant(self.labels, self.marks)


class Taught(NamedTuple):
    """A teacher's settings as they are now, and the parts of the sample that are fair to it."""

    fingerprint: str
    fair: tuple[Part, ...]


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """`count` items that are `truth` were given `said`, of `of` items that are `truth`.

    Where items may have several labels one of the two is None: a label was missed or added.
    """

    truth: int | None
    said: int | None
    count: int
    of: int


@dataclass(frozen=True, kw_only=True)
class LabelScore:
    """Of the items with the label those it found, and of those it gave the label to the right ones."""

    label: int
    recall: Estimate
    precision: Estimate


@dataclass(frozen=True, kw_only=True)
class QuestionScore:
    """One question of a form: on the `asked` items that ask it, how often just the right labels are given;
    `right` is None while `missing` more are needed.
    """

    name: str
    asked: int
    right: Estimate | None

    @property
    def missing(self) -> int:
        return max(FEWEST - self.asked, 0)


@dataclass(frozen=True, kw_only=True)
class Score:
    """A voice on the drawn items. `shared` of them can be compared, `missing` more are needed.

    accuracy is None while too few are; `stale` more were answered with a teacher's earlier settings.
    Where answers mark spans, an item is right when every mark is, and `marks` tells of them.
    """

    kind: str
    shared: int
    right: int
    stale: int
    accuracy: Estimate | None
    labels: Sequence[LabelScore]
    confusions: Sequence[Confusion]
    marks: marking.MarkScore | None = None
    questions: Sequence[QuestionScore] = ()

    @property
    def missing(self) -> int:
        return max(FEWEST - self.shared, 0)

    @property
    def against(self) -> str:
        return AGAINST[AnnotatorKind(self.kind)]


class Drawn:
    """The answered part of the random sample, with every voice's word on it; two reads in all."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.parts: dict[int, Part] = {}
        self.decided: dict[int, Meant] = {}
        for part in (Part.EVALUATION, Part.CALIBRATION, Part.SEED):
            for number, labels in auditing.answered(project, part):
                self.parts[number] = part
                self.decided[number] = Meant(frozenset(labels))
        if self.marked:
            self._take_marks()
        with connection.cursor() as cursor:
            cursor.execute(_SAID, [project.pk, list(self.decided)])
            self.words = [
                Word(
                    number, voice, kind, frozenset(labels), stream, fingerprint, self._marks(value)
                )
                for number, voice, kind, labels, stream, fingerprint, value in cursor.fetchall()
            ]

    @cached_property
    def task(self) -> Task:
        """What is asked, its questions read once for all voices."""
        return self.project.task

    @cached_property
    def marked(self) -> bool:
        """Whether answers mark spans: an item is then no more right than its marks are."""
        return self.project.shape == Shape.SPANS

    def _take_marks(self) -> None:
        """What was decided, mark by mark; an item without is none to compare with."""
        rows = Verdict.objects.filter(project=self.project, item__number__in=list(self.decided))
        known = dict(rows.exclude(value=None).values_list("item__number", "value"))
        self.decided = {
            number: Meant(meant.labels, _spans(known[number]))
            for number, meant in self.decided.items()
            if number in known
        }

    def _marks(self, value: str | None) -> frozenset[Span] | None:
        return _spans(json.loads(value)) if self.marked and value is not None else None

    @cached_property
    def columns(self) -> Columns:
        """The live labels; of more than a page lists, those that somebody named here."""
        from learning.tasks import Columns

        labels = self.project.live_labels()
        if finding.is_wide(self.project):
            meant = [
                *(word.labels for word in self.words),
                *(m.labels for m in self.decided.values()),
            ]
            labels = labels.filter(pk__in=frozenset().union(*meant))
        return Columns(label_ids=tuple(labels.order_by("column").values_list("pk", flat=True)))

    def of(self, voice: Annotator, teacher: Taught | None = None) -> Score:
        """A voice's score. A teacher's answers under other settings are counted apart, and items
        that it learned from not at all."""
        mine = [word for word in self.words if word.voice == voice.pk]
        if teacher is not None:
            mine = [word for word in mine if self.parts[word.number] in teacher.fair]
        now = [w for w in mine if teacher is None or w.fingerprint == teacher.fingerprint]
        pairs = self._pairs(voice, now)
        right = sum(truth == said for truth, said in pairs)
        score = Score(
            kind=voice.kind,
            shared=len(pairs),
            right=right,
            stale=len(mine) - len(now),
            accuracy=None,
            labels=[],
            confusions=[],
        )
        return score if score.missing else self._figures(score, pairs)

    def _figures(self, score: Score, pairs: Sequence[tuple[Meant, Meant]]) -> Score:
        """What there are enough items for."""
        labels = [(truth.labels, said.labels) for truth, said in pairs]
        sample = self._sample(labels)
        return replace(
            score,
            accuracy=_accuracy([truth == said for truth, said in pairs]),
            labels=self._labels(sample),
            confusions=confusions(labels, multi_label=self.project.multi_label),
            marks=_mark_score(pairs) if self.marked else None,
            questions=self._questions(labels),
        )

    def _questions(
        self, pairs: Sequence[tuple[frozenset[int], frozenset[int]]]
    ) -> list[QuestionScore]:
        """Of a form those that labels answer or are marked with, on the items where they are asked."""
        task = self.task
        answers = [(task.answers(truth), task.answers(said)) for truth, said in pairs]
        found = []
        for one in task.questions:
            right = [
                truth[one.key] == said.get(one.key) for truth, said in answers if one.key in truth
            ]
            if one.live:
                share = _accuracy(right) if len(right) >= FEWEST else None
                found.append(QuestionScore(name=one.name, asked=len(right), right=share))
        return found

    def _pairs(self, voice: Annotator, words: Iterable[Word]) -> list[tuple[Meant, Meant]]:
        """(truth, said) of the items on which this voice can be compared."""
        found: list[tuple[Meant, Meant]] = []
        if not self.task.has_labels:
            return found
        for word in words:
            if voice.kind == AnnotatorKind.TEACHER:
                truth: Meant | None = self.decided[word.number]
            else:
                truth = self._others[word.number].without(voice.pk)
            if truth is not None and truth.labels | word.labels <= self._live:
                found.append((truth, word.meant))
        return found

    @cached_property
    def _live(self) -> frozenset[int]:
        return frozenset(self.columns.label_ids)

    @cached_property
    def _others(self) -> dict[int, People]:
        found = {number: People() for number in self.decided}
        for word in self.words:
            if word.kind == AnnotatorKind.PERSON:
                found[word.number].add(word)
        return found

    def _sample(self, pairs: Sequence[tuple[frozenset[int], frozenset[int]]]) -> Sample:
        from learning.audit.estimates import Sample

        return Sample(
            truth=self.columns.hot([sorted(truth) for truth, _ in pairs]) > 0,
            predicted=self.columns.hot([sorted(said) for _, said in pairs]) > 0,
        )

    def _labels(self, sample: Sample) -> list[LabelScore]:
        from learning.audit import estimates

        recalls, precisions = estimates.recalls(sample), estimates.precisions(sample)
        return [
            LabelScore(label=label, recall=recalls[column], precision=precisions[column])
            for column, label in enumerate(self.columns.label_ids)
        ]


class People:
    """What people said of one item: a reviewer's last word, else what most of them said."""

    def __init__(self) -> None:
        self.words: list[Word] = []

    def add(self, word: Word) -> None:
        self.words.append(word)

    def without(self, voice: int) -> Meant | None:
        """What everybody but this voice makes of it; None where nobody else spoke, or they differ."""
        others = [word for word in self.words if word.voice != voice]
        reviews = [word for word in others if word.stream == Stream.REVIEW]
        if reviews:
            return reviews[-1].meant
        counted = Counter(word.meant for word in others).most_common(2)
        if not counted or (len(counted) == 2 and counted[0][1] == counted[1][1]):
            return None
        return counted[0][0]


def scores(project: Project) -> dict[int, Score]:
    """By voice, of everybody who answered one of the drawn items; none where answers name no labels."""
    if not project.task.has_labels:
        return {}
    drawn = Drawn(project)
    voices = Annotator.objects.filter(pk__in={word.voice for word in drawn.words})
    known = taught(project)
    return {voice.pk: drawn.of(voice, known.get(voice.pk)) for voice in voices}


def score(project: Project, voice: Annotator) -> Score:
    """One voice's."""
    return Drawn(project).of(voice, taught(project).get(voice.pk))


def taught(project: Project) -> dict[int, Taught]:
    """By voice, of the project's teachers as they are set up now; none while there are no labels."""
    rows = list(Teacher.objects.filter(project=project).select_related("endpoint"))
    if not rows or (project.task.has_labels and not project.live_labels().exists()):
        return {}
    schema = lending.schema_of(project)
    return {
        row.voice_id: Taught(
            fingerprint=identity.fingerprint(row, row.params, schema),
            fair=auditing.fair_parts(row.plugin),
        )
        for row in rows
    }


def _accuracy(right: Sequence[bool]) -> Estimate:
    import numpy as np

    from learning.audit.intervals import share

    return share(np.array(right))


def _spans(value: Any) -> frozenset[Span]:
    from learning.spans import spans_of

    return frozenset(spans_of(value))


def _mark_score(pairs: Sequence[tuple[Meant, Meant]]) -> marking.MarkScore:
    truth, said = ([sorted(each.marks or ()) for each in side] for side in zip(*pairs, strict=True))
    return marking.score(truth, said)


def confusions(
    pairs: Iterable[tuple[frozenset[int], frozenset[int]]], *, multi_label: bool
) -> list[Confusion]:
    """What is taken for what, most often first."""
    counts: Counter[tuple[int | None, int | None]] = Counter()
    true: Counter[int | None] = Counter()
    for truth, said in pairs:
        true.update(truth)
        if multi_label:
            counts.update((label, None) for label in truth - said)
            counts.update((None, label) for label in said - truth)
        elif truth != said:
            counts.update((one, other) for one in truth for other in said)
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0])))
    return [
        Confusion(truth=truth, said=said, count=count, of=true[truth])
        for (truth, said), count in ranked
    ]
