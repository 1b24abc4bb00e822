"""How far the voices of a project agree beyond chance, from items that several of them answered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import connection

from annotator.actions.figures import sides
from annotator.actions.projects.schema import columns_of
from annotator.actions.verdicts import agreeing_spans, agreeing_values
from annotator.models import AnnotatorKind, ConsensusFit, Project, Shape

if TYPE_CHECKING:
    import numpy as np

    from learning.consensus.agreement import Agreement, Answers, Distance, Grades
    from learning.tasks import Question, Task

# Items that are read at most, the latest first, and different sets of labels among their answers.
MOST_ITEMS, MOST_SETS = 10_000, 1_500
# Common items below which a pair is not told, and pairs and labels at most.
FEWEST_COMMON, MOST_PAIRS, MOST_LABELS = 5, 100, 200
# Points over time, each of so many items at least.
MOST_POINTS, FEWEST_PER_POINT = 12, 20

_ANSWERS = """
WITH several AS (
    SELECT a.item_id FROM annotator_annotation a
    WHERE a.project_id = %(project)s AND a.kind = 'answer' AND a.question_id IS NULL
      AND a.stream <> 'review'
      AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
    GROUP BY a.item_id HAVING count(DISTINCT a.annotator_id) > 1
    ORDER BY max(a.id) DESC LIMIT %(most)s
)
SELECT a.item_id, a.annotator_id, a.labels, v.kind, v.truth,
       CASE WHEN %(valued)s THEN a.value::text END
FROM several s JOIN annotator_annotation a ON a.item_id = s.item_id
JOIN annotator_annotator v ON v.id = a.annotator_id
WHERE a.kind = 'answer' AND a.question_id IS NULL AND a.stream <> 'review'
  AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
ORDER BY a.id
"""


def kept(project: Project) -> dict[str, Any]:
    """The figures as the last job left them; empty before there are any."""
    fit = ConsensusFit.objects.filter(project=project).first()
    return {} if fit is None else fit.agreement


def summary(project: Project) -> dict[str, Any] | None:
    """What an export tells about the whole: alpha and kappa, with their intervals and counts."""
    figures = kept(project)
    names = ("distance", "alpha", "masi", "fleiss")
    return {name: figures[name] for name in names} if figures else None


class Given(NamedTuple):
    """An answer; `labels` are its label ids, and its spans and texts where a form has such."""

    item: int
    annotator: int
    labels: list[Any]
    kind: str
    truth: bool
    value: str | None = None

    @property
    def votes(self) -> bool:
        """Whether it is a vote: a teacher's word stands beside the votes, and truth above them."""
        return self.kind != AnnotatorKind.TEACHER and not self.truth


def figures(project: Project) -> dict[str, Any]:
    """Agreement of the voices that vote, by label, over time; and of every pair, teachers too."""
    import numpy as np

    from learning.consensus import agreement

    rng = np.random.default_rng(project.pk)
    task, distance = project.task, _distance(project)
    given = _given(project, task)
    votes = _few_sets([one for one in given if one.votes])
    answers = agreement.answers_of([(one.item, one.annotator, one.labels) for one in votes])
    everybody = _few_sets(given)
    wordless = _wordless(task, votes, answers)
    alpha = agreement.krippendorff(answers, rng, distance)
    found = {
        "needed": max(agreement.FEWEST - alpha.items, 0),
        "distance": task.measure,
        "alpha": asdict(alpha),
        "masi": asdict(agreement.krippendorff(wordless, rng, agreement.masi))
        if project.multi_label
        else None,
        "fleiss": asdict(agreement.fleiss(wordless, rng)),
        "labels": list(_labels(project, answers, rng)),
        "questions": list(_questions(task, votes, rng)),
        "pairs": list(_pairs(task, distance, everybody, rng)),
        "over_time": list(_over_time(distance, votes, rng)),
        "order": _order(project),
    }
    if project.shape != Shape.LABELS:
        of_values = agreeing_values if hasattr(project.task, "facets") else agreeing_spans
        found |= of_values.figures(project, sorted({one.item for one in votes}), rng)
    return found


def _given(project: Project, task: Task) -> list[Given]:
    values = {"project": project.pk, "most": MOST_ITEMS, "valued": task.valued}
    with connection.cursor() as cursor:
        cursor.execute(_ANSWERS, values)
        rows = [Given._make(row) for row in cursor.fetchall()]
    return [
        one
        if one.value is None
        else one._replace(labels=[*one.labels, *_beside(task, json.loads(one.value))])
        for one in rows
    ]


def _beside(task: Task, value: dict[str, Any]) -> list[Any]:
    """What an answer marks and writes, each as one thing that can be compared."""
    from learning.spans import spans_of
    from learning.tasks.form_texts import parts

    return [*(spans_of(value) if task.marking else ()), *parts(value)]


def _wordless(task: Task, votes: Sequence[Given], answers: Answers) -> Answers:
    """The answers without their texts, of which hardly two are equal."""
    from learning.consensus.agreement import answers_of
    from learning.tasks.form_texts import Written

    if not task.writing:
        return answers
    return answers_of(
        [
            (
                one.item,
                one.annotator,
                [each for each in one.labels if not isinstance(each, Written)],
            )
            for one in votes
        ]
    )


def _order(project: Project) -> dict[str, Any] | None:
    """How often the text that was shown first was found better; None where texts have no sides."""
    found = sides.effect(project)
    return None if found is None else asdict(found) | {"told": found.is_told}


def _distance(project: Project) -> Distance | Grades:

    return project.task.apart(columns_of(project, with_archived=True))


def _few_sets(given: Sequence[Given]) -> list[Given]:
    """Those of the latest items, as long as every two of their different answers can be compared, and
    every two of their texts.
    """
    from learning.tasks.form_texts import Written

    by_item: dict[int, list[Given]] = {}
    for one in given:
        by_item.setdefault(one.item, []).append(one)
    sets: set[frozenset[Any]] = set()
    texts: set[str] = set()
    kept: set[int] = set()
    for item in reversed(by_item):
        sets |= {frozenset(one.labels) for one in by_item[item]}
        texts |= {
            part.text for one in by_item[item] for part in one.labels if isinstance(part, Written)
        }
        if len(sets) > MOST_SETS or agreeing_values.too_many(texts, first=not kept):
            break
        kept.add(item)
    return [one for one in given if one.item in kept]


def _labels(
    project: Project, answers: Answers, rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    """Each label by itself, chosen or not."""
    from learning.consensus.agreement import about, krippendorff

    columns = columns_of(project)
    live = [pk for pk, active in zip(columns.label_ids, columns.active, strict=True) if active]
    for pk in live[:MOST_LABELS]:
        yield {"id": pk, **asdict(krippendorff(about(answers, pk), rng))}


def _questions(
    task: Task, votes: Sequence[Given], rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    """Each question of a form, by the answers that were asked it and its own task type; of one that
    marks the text word by word.
    """
    from learning.consensus import agreement

    said = [(one, task.answers(one.labels)) for one in votes] if task.questions else []
    for question in task.questions:
        own = [
            (one.item, one.annotator, _to(question, one, given))
            for one, given in said
            if question.key in given
        ]
        if question.marks:
            asked = {(item, annotator) for item, annotator, _ in own}
            found = agreeing_spans.of_question(asked, question.labels, rng)
        else:
            found = agreement.krippendorff(agreement.answers_of(own), rng, _distance_of(question))
        yield {"key": question.key, "name": question.name, **asdict(found)}


def _to(question: Question, said: Given, given: dict[str, list[int]]) -> list[Any]:
    """The answer to a question: its labels, or what was written."""
    from learning.tasks.form_texts import Written

    if not question.writes:
        return [*given[question.key]]
    texts = [part for part in said.labels if isinstance(part, Written)]
    return [one for one in texts if one.key == question.key]


def _distance_of(question: Question) -> Distance | Grades:
    from learning.tasks import TASKS, Columns
    from learning.tasks.form_texts import TextDistance, remembering

    if question.writes:
        return TextDistance(key=question.key, far=remembering())
    return TASKS[question.kind]().apart(Columns(label_ids=question.labels))


def _pairs(
    task: Task, distance: Distance | Grades, given: Sequence[Given], rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    """Two voices on the items that both answered: kappa, or alpha by the task's own distance.

    Teachers are asked for no texts, so that those of people do not count beside them.
    """
    from learning.consensus import agreement

    answers = agreement.answers_of([(one.item, one.annotator, one.labels) for one in given])
    wordless = _wordless(task, given, answers)
    teachers = {one.annotator for one in given if one.kind == AnnotatorKind.TEACHER}
    for one, other, _ in agreement.pairs(answers, FEWEST_COMMON)[:MOST_PAIRS]:
        found: Agreement
        if distance is agreement.nominal:
            found = agreement.cohen(answers, one, other, rng)
        else:
            asked = answers if teachers.isdisjoint((one, other)) else wordless
            both = agreement.between(asked, one, other)
            found = agreement.krippendorff(both, rng, distance)
        yield {"one": one, "other": other, **asdict(found)}


def _over_time(
    distance: Distance | Grades, votes: Sequence[Given], rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    """Items in the order of their latest answer, in even parts: those after `start` up to `end`."""
    from learning.consensus import agreement

    last = {one.item: place for place, one in enumerate(votes)}
    counts: dict[int, int] = {}
    for one in votes:
        counts[one.item] = counts.get(one.item, 0) + 1
    ordered = [item for item in sorted(last, key=last.__getitem__) if counts[item] > 1]
    parts = min(MOST_POINTS, len(ordered) // FEWEST_PER_POINT)
    for number in range(parts):
        start, end = (len(ordered) * at // parts for at in (number, number + 1))
        chosen = set(ordered[start:end])
        said = [(one.item, one.annotator, one.labels) for one in votes if one.item in chosen]
        found = agreement.krippendorff(agreement.answers_of(said), rng, distance)
        yield {"start": start, "end": end, **asdict(found)}
