"""Which marked spans look wrong: what `suspecting` does with labels, where answers mark spans."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import connection

from annotator import jobs
from annotator.actions.encoders import reading_words
from annotator.actions.projects.schema import columns_of
from annotator.actions.review.suspecting import FEWEST, ByOne, Population
from annotator.actions.students import decided_values, marked_lessons
from annotator.models import Encoding, Item, Label, Project

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.audit.span_doubts import Doubt
    from learning.spans import Span
    from learning.taggers.types import Marked
    from learning.tasks import Question

# Texts that are compared at most: more are drawn at random among all.
MOST_TEXTS = 5_000
DETECTOR, TOLD, LONGEST = "spans", 4, 60
# A word that is less likely than this to be outside of every span is worth a sentence.
UNSURE = 0.7
NOTHING = "a student that has not seen this answer marks nothing either"

_DECIDED = """
SELECT i.id, i.number, v.labels, i.content_hash, v.source, v.value::text
FROM annotator_verdict v JOIN annotator_item i ON i.id = v.item_id
WHERE v.project_id = %s AND v.state = 'decided' AND v.value IS NOT NULL AND i.number < %s
  AND i.removed_at IS NULL
ORDER BY i.number
"""


@dataclass(frozen=True, kw_only=True)
class SpanSuspicion(ByOne):
    """What a tagger makes of the spans of a population; as `suspecting.Suspicion`.

    places: of each item what may be wrong with it, the most doubtful first.
    """

    detector: ClassVar[str] = DETECTOR

    places: list[list[Doubt]]
    names: tuple[str, ...]

    def told(self, rows: Sequence[int]) -> list[list[dict[str, Any]]]:
        """For each row its most doubtful places, in sentences with their scores: those where the tagger says
        otherwise, then those where it agrees.
        """
        agreed = [[one for one in self.places[row] if one.fault is None] for row in rows]
        return [
            [*others, *said][:TOLD] or [{"detector": DETECTOR, "score": 1.0, "words": NOTHING}]
            for others, said in zip(self.objections(rows), self._said(rows, agreed), strict=True)
        ]

    def objections(self, rows: Sequence[int]) -> list[list[dict[str, Any]]]:
        """For each row the most doubtful places where the tagger says otherwise, likewise."""
        return self._said(rows, [_otherwise(self.places[row]) for row in rows])

    def _said(
        self, rows: Sequence[int], places: Sequence[Sequence[Doubt]]
    ) -> list[list[dict[str, Any]]]:
        items = [int(self.population.items[row]) for row in rows]
        texts = dict(Item.objects.filter(pk__in=items).values_list("pk", "text"))
        return [
            [
                {
                    "detector": DETECTOR,
                    "score": round(place.score, 4),
                    "words": sentence(place, texts[item], self.names),
                }
                for place in own[:TOLD]
            ]
            for item, own in zip(items, places, strict=True)
        ]

    def suggested(self, rows: Sequence[int]) -> list[list[int]]:
        """For each row the labels that would occur if the most doubtful place where the tagger says
        otherwise were as it has it.
        """
        return [self._mended(row) for row in rows]

    def _mended(self, row: int) -> list[int]:
        ids, labels = self.population.columns.label_ids, set(self.population.labels[row])
        given = [one.given.label for one in self.places[row] if one.given is not None]
        for worst in _otherwise(self.places[row])[:1]:
            if worst.given is not None and given.count(worst.given.label) == 1:
                labels.discard(ids[worst.given.label])
            if worst.instead is not None:
                labels.add(ids[worst.instead.label])
        return sorted(labels)


def look(
    run: jobs.Run, encoding: Encoding, rng: np.random.Generator, question: Question | None = None
) -> SpanSuspicion | None:
    """Compare every decided answer with taggers that have not learnt from it; None when too few. Of a
    form one question's spans, where it was asked.
    """
    import numpy as np

    from learning.audit.span_doubts import score_of
    from learning.students.folds import assign_folds
    from learning.taggers.types import Marked

    project = run.project
    read = _read(project, encoding, rng, question)
    if read is None:
        return None
    population, spans = read
    words = reading_words.read(run, encoding).subset(population.numbers)
    data = Marked(words=words, spans=spans, labels=len(population.columns))
    fold = assign_folds(population.groups, marked_lessons.FOLDS, rng)
    if fold.max() < 1:
        return None  # all are one text: there is nothing to compare them with
    places = _out_of_fold(run, data, fold, rng)
    names = dict(Label.objects.filter(project=project).values_list("pk", "name"))
    return SpanSuspicion(
        population=population,
        places=places,
        scores=np.array([score_of(one) for one in places]),
        names=tuple(names[pk] for pk in population.columns.label_ids),
    )


def _read(
    project: Project, encoding: Encoding, rng: np.random.Generator, question: Question | None
) -> tuple[Population, list[list[Span]]] | None:
    import numpy as np

    with connection.cursor() as cursor:
        cursor.execute(_DECIDED, [project.pk, encoding.rows])
        rows = [row for row in cursor.fetchall() if decided_values.was_asked(question, row[2])]
    if len(rows) > MOST_TEXTS:
        kept = np.sort(rng.choice(len(rows), MOST_TEXTS, replace=False))
        rows = [rows[place] for place in kept.tolist()]
    columns = columns_of(project) if question is None else marked_lessons.own_columns(question)
    spans = [marked_lessons.in_columns(json.loads(row[5]), columns) for row in rows]
    if len(rows) < FEWEST or not any(spans):
        return None
    return Population.of(project, columns, rows), spans


def _out_of_fold(
    run: jobs.Run, data: Marked, fold: NDArray[np.int64], rng: np.random.Generator
) -> list[list[Doubt]]:
    """Of each answer what may be wrong with it, by a tagger that learned from the other folds."""
    import numpy as np

    from learning.audit.planted_spans import planted, weighed
    from learning.audit.span_doubts import doubts
    from learning.taggers.head import TokenHead

    folds = int(fold.max()) + 1
    found: list[list[Doubt]] = [[] for _ in data.spans]
    errors: list[Doubt] = []
    for number in range(folds):
        run.progress(number, folds, "Comparing spans with the others")
        ask = np.flatnonzero(fold == number)
        learn = data.subset(np.flatnonzero(fold != number))
        fitted = TokenHead(reach=0.0).fit(learn, rng, lambda at, of: run.check())
        part = data.subset(ask)
        read = fitted.read(part.words)
        for place, row in zip(doubts(read, part.words, part.spans), ask.tolist(), strict=True):
            found[row] = place
        errors += planted(read, part.words, part.spans, data.labels, rng)
    return weighed(found, errors)


def _otherwise(places: Sequence[Doubt]) -> list[Doubt]:
    """Where the tagger says otherwise, in the same order; a place where nothing is marked only if the
    tagger doubts that.
    """
    return [
        one
        for one in places
        if one.fault is not None and (one.given is not None or one.said < UNSURE)
    ]


def sentence(place: Doubt, text: str, names: Sequence[str]) -> str:
    """What is in doubt about a place, for a reviewer."""

    def said(span: Span) -> str:
        words = " ".join(text[span.start : span.end].split())
        short = words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…"
        return f"“{short}” as {names[span.label]}"

    given, instead = place.given, place.instead
    if given is None:
        told = "" if instead is None else said(instead)
        there = f"{round(100 * (1 - place.said))} %"
        return f"nothing is marked; a student that has not seen this answer gives {told} {there}"
    if instead is None:
        return (
            f"{said(given)} is marked; a student that has not seen this answer marks nothing there"
        )
    if place.fault is None:
        return f"{said(given)} is marked, and a student that has not seen this answer agrees"
    if said(instead) == said(given):  # what parts them are spaces, which the words do not show
        return f"{said(given)} is marked; a student that has not seen this answer marks other spaces with it"
    return f"{said(given)} is marked; a student that has not seen this answer marks {said(instead)}"
